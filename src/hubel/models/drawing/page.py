"""The page: a row of stages, below it every stage in detail, and what the signs mean."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hubel.models.drawing.anatomy import anatomy
from hubel.models.drawing.canvas import GREY, WHITE, Canvas
from hubel.models.drawing.diagram import chain, size_label
from hubel.models.drawing.overview import group_name, overview, summary, together
from hubel.models.drawing.pieces import GAP, SMALL, TEXT, Line, Piece, wrapped
from hubel.models.drawing.structure import Anatomy, Block, Chain, Repeat, Stage, layers_in, parallels_in, parts_in

MOST_WIDTH = 1780.0
MARGIN = 24.0
BETWEEN = 18.0
PANEL_PADDING = 14.0


def draw(network: nn.Module, input_size: tuple[int, int, int], name: str) -> str:
    """Draw a network as textbooks do, as an SVG document.

    What is drawn is observed in a forward pass without arithmetic (on torch's meta device), so any network can be
    drawn. Equal neighbours are drawn once, with their number.

    Args:
        network: Any module that takes images (N, C, H, W); it is not changed.
        input_size: Channels, height and width of the image.
        name: The title.

    Raises:
        ValueError, RuntimeError: The network does not take this input.
    """
    return document(anatomy(network, input_size), name)


def document(structure: Anatomy, name: str) -> str:
    """The SVG document of what is known about a network; `name` is its title."""
    canvas = Canvas()
    row = overview(structure, MOST_WIDTH)
    panels = [panel(group, group_name(group)) for group in together(structure.parts) if group[0].items]
    panels += [panel([head], f"auxiliary head after {head.name}") for head in structure.aux_heads]
    rows = _arranged(panels)
    facts = f"input {size_label(structure.input_size)}, {structure.parameters:,} parameters"
    legend = wrapped(_legend(structure), 150)
    texts = [Line(name, 22, bold=True), Line(facts), *(Line(line, SMALL) for line in legend)]
    widths = [row.width, *(sum(each.width + BETWEEN for each in line) - BETWEEN for line in rows)]
    width = max(*widths, *(line.width for line in texts)) + 2 * MARGIN

    canvas.text(MARGIN, MARGIN + 18, name, 22, anchor="start", bold=True)
    canvas.text(MARGIN, MARGIN + 42, facts, TEXT, anchor="start", ink=GREY)
    y = MARGIN + 66
    row.paint(canvas, MARGIN, y)
    y += row.height + 10
    for line in rows:
        x = MARGIN
        for each in line:
            each.paint(canvas, x, y)
            x += each.width + BETWEEN
        y += max(each.height for each in line) + BETWEEN
    for text in legend:
        canvas.text(MARGIN, y + 10, text, SMALL, anchor="start", ink=GREY)
        y += 18
    return canvas.document(width, y + MARGIN, f"{name}, a convolutional network", _description(structure, name))


def panel(group: Sequence[Stage], name: str) -> Piece:
    """One stage, or several equal ones, in detail."""
    stage = group[0]
    kinds = list(dict.fromkeys([*([stage.kind] if stage.kind else []), *_kinds(stage.items)]))
    titles = [Line(name, TEXT, bold=True), *(Line(kind, SMALL) for kind in wrapped(kinds, 30))]
    given = " or ".join(dict.fromkeys(size_label(each.given) for each in group))
    size = size_label(stage.shape)
    inner = chain(stage.items, stage.given, size_follows=True)
    half = max(Line(given).width, Line(size).width) / 2
    left, right = max(inner.axis, half), max(inner.width - inner.axis, half)
    width = max(left + right, *(line.width for line in titles)) + 2 * PANEL_PADDING
    axis = left + (width - left - right) / 2
    top = 10 + sum(line.size * 1.35 for line in titles) + 8
    height = top + 20 + GAP + inner.height + GAP + 24

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.box(x, y, width, height, WHITE, radius=8)
        down = y + 10
        for line in titles:
            down += line.size * 1.35
            place = x + PANEL_PADDING, down - 4
            canvas.text(*place, line.text, line.size, anchor="start", bold=line.bold, ink=line.ink)
        down = y + top + 14
        canvas.text(x + axis, down, given, TEXT)
        down += 6
        canvas.line([(x + axis, down), (x + axis, down + GAP)], arrow=inner.arrow)
        inner.paint(canvas, x + axis - inner.axis, down + GAP)
        down += GAP + inner.height
        canvas.line([(x + axis, down), (x + axis, down + GAP)], arrow=True)
        canvas.text(x + axis, down + GAP + 14, size, TEXT)

    return Piece(width, height, axis, paint)


def _kinds(items: Chain) -> list[str]:
    """The classes of the blocks."""
    return [item.kind for item in items if isinstance(item, Block | Repeat) and item.kind]


def _arranged(panels: Sequence[Piece]) -> list[list[Piece]]:
    """The panels in rows of columns, so that little stays empty; each row a list of columns, each column a piece.

    Panels stand side by side. Low ones may stand on each other where that makes the page clearly lower.
    """
    heights = sorted({each.height for each in panels})
    most = heights[-1] if heights else 0.0
    choices = [_rows(panels, height) for height in (0.0, *heights, *(most * (1 + part / 10) for part in range(1, 6)))]
    best = choices[0]
    for choice in choices[1:]:
        if _height(choice) < 0.92 * _height(best):
            best = choice
    return best


def _rows(panels: Sequence[Piece], most_height: float) -> list[list[Piece]]:
    """Columns of panels, each not higher than this unless it is one panel, in rows that are not too wide."""
    columns: list[list[Piece]] = []
    for each in panels:
        if columns and sum(other.height + BETWEEN for other in columns[-1]) + each.height <= most_height:
            columns[-1].append(each)
        else:
            columns.append([each])
    rows: list[list[Piece]] = []
    used = MOST_WIDTH
    for column in map(_column, columns):
        used += BETWEEN + column.width
        if used > MOST_WIDTH:
            rows.append([])
            used = column.width
        rows[-1].append(column)
    return rows


def _column(panels: Sequence[Piece]) -> Piece:
    """Panels below each other."""
    height = sum(each.height for each in panels) + BETWEEN * (len(panels) - 1)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for each in panels:
            each.paint(canvas, x, y)
            y += each.height + BETWEEN

    return Piece(max(each.width for each in panels), height, 0, paint)


def _height(rows: Sequence[Sequence[Piece]]) -> float:
    return sum(max(each.height for each in row) + BETWEEN for row in rows)


def _legend(structure: Anatomy) -> list[str]:
    """What the signs mean that this picture has."""
    items = tuple(item for stage in (*structure.parts, *structure.aux_heads) for item in stage.items)
    details = {detail for layer in layers_in(items) for detail in layer.details}
    parallels = parallels_in(items)
    shortcuts = [each for each in parallels if each.is_shortcut]
    signs = {"channels @ height×width": True}
    signs["conv, 64: convolution with 64 output channels"] = True
    signs["/2: stride 2"] = "/2" in details
    signs["+ in a circle: sum"] = any(each.operation == "add" for each in shortcuts)
    signs["× in a circle: product, channel by channel"] = any(each.operation == "multiply" for each in shortcuts)
    signs["dashed: the shape changes"] = any(each.given != each.shape for each in shortcuts)
    signs["× 2 and more: so many equal ones, one after the other"] = any(
        isinstance(item, Repeat) for item in parts_in(items)
    )
    return [sign for sign, used in signs.items() if used]


def _description(structure: Anatomy, name: str) -> str:
    """The picture in words, for those who hear it."""
    parts = [
        f"{group_name(group)}: {summary(group[-1])}, to {size_label(group[-1].shape)}"
        for group in together(structure.parts)
    ]
    heads = [f"an auxiliary head follows {head.name}" for head in structure.aux_heads]
    return (
        f"The stages of {name} from an input of {size_label(structure.input_size)}. "
        + "; ".join([*parts, *heads])
        + "."
    )
