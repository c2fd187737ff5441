"""Chains, branches, blocks and dense links as boxes and arrows, from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from hubel.models.drawing.canvas import GREY, Canvas, Colour, text_width
from hubel.models.drawing.pieces import (
    BESIDE,
    PADDING,
    SMALL,
    Line,
    Piece,
    beside,
    box,
    ellipsis,
    frame,
    stack,
    with_arcs,
    wrapped,
)
from hubel.models.drawing.structure import Block, Chain, Dense, Item, Layer, Parallel, Repeat, Shape, Tangle

JOINT = 9.0
STUB = 18.0  # from where branches part to the first of them
MOST_ALIKE = 3  # so many equal branches are drawn side by side; of more, one is
DENSE_SHOWN = 6
TANGLE_SHOWN = 18

COLOURS = {
    "convolution": Colour("#dceaf7", "#37699b"),
    "linear": Colour("#dff1df", "#3b7a3b"),
    "pooling": Colour("#fbe5d8", "#b0562a"),
    "elementwise": Colour("#ececf0", "#77777f"),
    "rearrangement": Colour("#ececf0", "#77777f"),
    "other": Colour("#fff4cf", "#8a6d1a"),
}
JOIN = Colour("#e8dff3", "#67479a")


def size_label(shape: Shape) -> str:
    """`64 @ 56×56` for a map, `84` for a vector."""
    if len(shape) == 3:
        return f"{shape[0]} @ {shape[1]}×{shape[2]}"
    return "×".join(map(str, shape))


def layer_lines(layer: Layer, compact: bool, arrives: Shape, size_follows: bool = False) -> list[Line]:
    """What stands in the box of a layer: what it is, what follows, and the new size unless that follows anyway."""
    if layer.kind == "elementwise":
        return [Line(text) for text in wrapped((layer.what, *layer.notes), 15 if compact else 24)]
    if compact:
        lines = [Line(layer.what), *([Line(", ".join(layer.details))] if layer.details else [])]
    else:
        lines = [Line(", ".join((layer.what, *layer.details)))]
    lines.extend(Line(note, SMALL) for note in wrapped(layer.notes, 15 if compact else 24))
    makes_map = layer.kind in ("convolution", "pooling", "other") and len(layer.shape) == 3
    changes = makes_map and len(arrives) == 3 and layer.shape[1:] not in (arrives[1:], (1, 1))
    if layer.kind == "rearrangement":
        lines.append(Line(f"→ {size_label(layer.shape)}", SMALL))
    elif changes and not size_follows:
        lines.append(Line(f"→ {layer.shape[1]}×{layer.shape[2]}", SMALL))
    return lines


def chain(items: Chain, given: Shape, *, compact: bool = False, size_follows: bool = False) -> Piece:
    """Items from top to bottom with arrows between them; plain layers have one width.

    Args:
        items: What to draw.
        given: The shape of what comes in.
        compact: Whether boxes are narrow, their text in more lines.
        size_follows: Whether the size of the output is written below anyway.
    """
    if not items:
        return Piece(0, 0, 0, lambda canvas, x, y: None)
    arrives = [given, *(item.shape for item in items)]
    plain = [
        box(layer_lines(item, compact, before), COLOURS[item.kind]).width
        for item, before in zip(items, arrives, strict=False)
        if isinstance(item, Layer)
    ]
    least = max(plain, default=0)
    last = len(items) - 1
    return stack(
        [
            piece(item, arrives[index], compact, least, size_follows=size_follows and index == last)
            for index, item in enumerate(items)
        ]
    )


def piece(item: Item, given: Shape, compact: bool = False, least: float = 0, *, size_follows: bool = False) -> Piece:
    """One item; `least` is the least width of a plain layer's box."""
    match item:
        case Layer():
            return box(layer_lines(item, compact, given, size_follows), COLOURS[item.kind], least)
        case Parallel():
            return shortcut(item, given, compact) if item.is_shortcut else fan(item, given)
        case Dense():
            return dense(item, given)
        case Tangle():
            return tangle(item)
        case Block():
            return frame(chain(item.items, given), item.name)
        case Repeat():
            return frame(chain(item.items, given, compact=compact), _from_to(item.names), f"× {item.count}")


def _from_to(names: Sequence[str]) -> str:
    """`block2 … block36`; of the last one, only what differs: `blocks.1 … 5`."""
    if len(names) < 2:
        return "".join(names)
    first, last = (name.split(".") for name in names)
    while len(last) > 1 and last[0] == first[0]:
        first, last = first[1:], last[1:]
    return f"{names[0]} … {'.'.join(last)}"


def shortcut(parallel: Parallel, given: Shape, compact: bool = False) -> Piece:
    """A branch on the axis and another one around it on the right, dashed where the shape changes; they meet below."""
    by_length = sorted(parallel.branches, key=lambda branch: -len(branch))
    main, side = chain(by_length[0], given, compact=compact), chain(by_length[1], given, compact=True)
    notes = wrapped(parallel.notes, 12)
    sign = {"add": "+", "multiply": "×"}.get(parallel.operation)
    label = [*([] if sign else [parallel.operation]), *notes]
    left_of_axis = max([main.axis, *(text_width(note, SMALL) + JOINT + 8 for note in label)])
    right_of_axis = max(main.width - main.axis, JOINT)
    lane = left_of_axis + right_of_axis + (BESIDE + side.axis if by_length[1] else 16)
    width = lane + (side.width - side.axis if by_length[1] else 4)
    joint_at = STUB + max(main.height, side.height) + 16 + JOINT
    height = joint_at + JOINT
    dashed = parallel.given != parallel.shape

    def paint(canvas: Canvas, x: float, y: float) -> None:
        axis, aside = x + left_of_axis, x + lane
        canvas.line([(axis, y), (axis, y + STUB)], arrow=True)
        main.paint(canvas, axis - main.axis, y + STUB)
        canvas.line([(axis, y + STUB + main.height), (axis, y + joint_at - JOINT)], arrow=True)
        if by_length[1]:
            begin = y + STUB + (joint_at - STUB - JOINT - 16 - side.height) / 2
            canvas.line([(axis, y + 6), (aside, y + 6), (aside, begin)], arrow=True, dashed=dashed)
            side.paint(canvas, aside - side.axis, begin)
            points = [(aside, begin + side.height), (aside, y + joint_at), (axis + JOINT, y + joint_at)]
            canvas.line(points, arrow=True, dashed=dashed)
        else:
            points = [(axis, y + 6), (aside, y + 6), (aside, y + joint_at), (axis + JOINT, y + joint_at)]
            canvas.line(points, arrow=True, dashed=dashed)
        canvas.joint(axis, y + joint_at, JOINT, sign or "·")
        for index, note in enumerate(label):
            down = y + joint_at + 4 + (index - (len(label) - 1) / 2) * SMALL * 1.2
            canvas.text(axis - JOINT - 5, down, note, SMALL, anchor="end", ink=GREY)

    return Piece(width, height, left_of_axis, paint, arrow=False)


def fan(parallel: Parallel, given: Shape) -> Piece:
    """Branches side by side above a bar in which they meet."""
    branches = [_branch(branch, count, given) for branch, count in _alike(parallel.branches)]
    size = size_label(parallel.shape) if parallel.concatenates else ""
    title = Line(f"{parallel.operation} → {size}" if size else parallel.operation)
    lines = [title, *(Line(note, SMALL) for note in wrapped(parallel.notes, 40))]
    least = max(line.width for line in lines) + 2 * PADDING
    inner = sum(each.width for each in branches) + BESIDE * (len(branches) - 1)
    bar = box(lines, JOIN, max(least, inner))
    shift = (bar.width - inner) / 2
    top = STUB + 6
    bar_at = top + max(each.height for each in branches) + 18

    def paint(canvas: Canvas, x: float, y: float) -> None:
        axis, left = x + bar.width / 2, x + shift
        for each in branches:
            place = left + each.axis
            canvas.line(
                [(axis, y), (axis, y + 8), (place, y + 8), (place, y + top)], arrow=each.arrow and each.height > 0
            )
            each.paint(canvas, left, y + top)
            canvas.line([(place, y + top + each.height), (place, y + bar_at)], arrow=True)
            left += each.width + BESIDE
        bar.paint(canvas, x, y + bar_at)

    return Piece(bar.width, bar_at + bar.height, bar.width / 2, paint, arrow=False)


def _alike(branches: Sequence[Chain]) -> list[tuple[Chain, int]]:
    """The branches, many equal neighbours as one with their number."""
    found: list[tuple[Chain, int]] = []
    for branch, group in groupby(branches):
        count = len(list(group))
        found.extend([(branch, count)] if count > MOST_ALIKE else [(branch, 1)] * count)
    return found


def _branch(branch: Chain, count: int, given: Shape) -> Piece:
    if not branch:
        return Piece(26, 0, 13, lambda canvas, x, y: None)
    inner = chain(branch, given, compact=True)
    return frame(inner, "side by side", f"× {count}") if count > 1 else inner


def dense(item: Dense, given: Shape) -> Piece:
    """Arcs from every layer to each later one; beside it, what a layer is."""
    shown = list(range(1, item.count + 1))
    if item.count > DENSE_SHOWN:
        shown = [*shown[: DENSE_SHOWN - 2], item.count]
    nodes = [box([Line(f"input: k₀ = {item.start}")], COLOURS["other"])]
    for before, layer in pairwise([0, *shown]):
        if layer > before + 1:
            nodes.append(ellipsis(f"{layer - before - 1} more"))
        lines = [Line(f"layer {layer}"), Line(f"{item.channels(layer)} in, {item.growth} out", SMALL)]
        nodes.append(box(lines, COLOURS["convolution"]))
    nodes.append(box([Line(f"concatenate → {size_label(item.shape)}")], JOIN))
    real = [index for index, node in enumerate(nodes) if node.arrow]
    links = [(i, j) for i in real for j in real if i < j]
    arcs = with_arcs(nodes, links)
    each = frame(chain(item.layer, given), "each layer", f"× {item.count}", goes_on=False)
    caption = ("layer l takes", f"k₀ + k(l - 1) = {item.start} + {item.growth}(l - 1)", "channels")
    return beside(arcs, each, caption)


def tangle(item: Tangle) -> Piece:
    """Layers in the order of the computation, with an arc for every link that is not to the next one."""
    count = len(item.layers)
    shown = list(range(count))
    if count > TANGLE_SHOWN:
        shown = [*shown[: TANGLE_SHOWN - 4], *shown[-4:]]
    nodes: list[Piece] = []
    place: dict[int, int] = {}
    for before, index in pairwise([-1, *shown]):
        if index > before + 1:
            nodes.append(ellipsis(f"{index - before - 1} more layers"))
        place[index] = len(nodes)
        layer = item.layers[index]
        nodes.append(box(layer_lines(layer, False, ()), COLOURS[layer.kind]))
    links = [(place[i], place[j]) for i, j in item.links if i in place and j in place]
    return with_arcs(nodes, links)
