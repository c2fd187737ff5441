"""The stages in a row, as LeCun et al. 1998 (figure 2) and Krizhevsky et al. 2012 (figure 2) draw them.

Every map is a block: as high and as deep as it has pixels, as wide as it has channels. The sides grow with the square
root of the pixels and with the logarithm of the channels, so that all of them can be seen; a vector is a bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hubel.models.drawing.canvas import GREY, Canvas, Colour
from hubel.models.drawing.diagram import size_label
from hubel.models.drawing.pieces import SMALL, Line, Piece
from hubel.models.drawing.structure import Anatomy, Layer, Shape, Stage, dense_in, layers_in, parallels_in

HIGHEST = 96.0
LEAST_GAP, MOST_GAP = 18.0, 34.0
FRONT, TOP, SIDE = Colour("#dceaf7", "#37699b"), Colour("#eef5fc", "#37699b"), Colour("#b9d3ec", "#37699b")
BAR = Colour("#dff1df", "#3b7a3b")


@dataclass(frozen=True)
class Cell:
    """A map or a vector with its texts: above it its name, below it its size and what makes it."""

    name: str
    shape: Shape
    lines: tuple[str, ...]

    @property
    def texts(self) -> list[Line]:
        """The name, the size, the others."""
        return [Line(self.name, 14, bold=True), Line(size_label(self.shape), 14), *(Line(t, SMALL) for t in self.lines)]


def together(stages: Sequence[Stage]) -> list[list[Stage]]:
    """The stages, equal neighbours together."""
    groups: list[list[Stage]] = []
    for stage in stages:
        if groups and groups[-1][0] == stage:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def group_name(group: Sequence[Stage]) -> str:
    """`conv2`, or `inception4c, inception4d`, or the first and the last of more."""
    if len(group) > 2:
        return f"{group[0].name} … {group[-1].name}"
    return ", ".join(stage.name for stage in group)


def summary(stage: Stage) -> str:
    """What a stage has, in a few words."""
    if dense := dense_in(stage.items):
        return _many(sum(item.count for item in dense), "dense layer")
    parallels = [each for each in parallels_in(stage.items) if each.operation in ("add", "concatenate")]
    if additions := [each for each in parallels if each.operation == "add"]:
        return _many(len(additions), "residual block" if all(each.is_shortcut for each in additions) else "addition")
    if parallels:
        return _many(max(len(each.branches) for each in parallels), "branch", "es")
    layers = layers_in(stage.items)
    if len(layers) == 1:
        return layers[0].what
    kinds = [layer.kind for layer in layers]
    counted = (
        (kinds.count("convolution"), "conv"),
        (kinds.count("linear"), "linear"),
        (kinds.count("pooling"), "pool"),
    )
    return ", ".join(f"{count} {word}" for count, word in counted if count)


def _many(count: int, word: str, plural: str = "s") -> str:
    return f"{count} {word}{plural if count > 1 else ''}"


def cells(anatomy: Anatomy) -> list[Cell]:
    """The input, the stages, and the vectors of the head."""
    result = [Cell("input", anatomy.input_size, ())]
    helped = {stage.name for stage in anatomy.aux_heads}
    for group in together(anatomy.stages):
        stage = group[-1]
        lines = [summary(stage)] if stage.items else []
        if len(group) > 1:
            lines.append(f"× {len(group)}")
        lines.extend("auxiliary head" for each in group if each.name in helped)
        result.append(Cell(group_name(group), stage.shape, tuple(lines)))
    if anatomy.head:
        vectors = [layer for layer in layers_in(anatomy.head.items) if len(layer.shape) == 1]
        if not vectors or vectors[-1].shape != anatomy.head.shape:
            vectors.append(Layer(kind="other", what="", shape=anatomy.head.shape))
        result.extend(
            Cell("head" if index == 0 else "", layer.shape, (layer.what,)) for index, layer in enumerate(vectors)
        )
    return result


def overview(anatomy: Anatomy, most_width: float) -> Piece:
    """All cells in one row, or in as many rows of about one width as they need."""
    everything = cells(anatomy)
    largest = max(max(cell.shape[1:]) for cell in everything if len(cell.shape) == 3)
    widths = [max(*(line.width for line in cell.texts), _solid(cell.shape, largest)[3]) + 6 for cell in everything]
    free = (most_width - sum(widths)) / max(1, len(widths) - 1)
    gap = max(LEAST_GAP, min(MOST_GAP, free))
    number = math.ceil((sum(widths) + gap * (len(widths) - 1)) / most_width)
    each = math.ceil(len(everything) / number)
    cut = list(zip(everything, widths, strict=True))
    rows = [cut[start : start + each] for start in range(0, len(cut), each)]
    heights = [_row_height(row, largest) for row in rows]
    width = max(sum(width + gap for _, width in row) for row in rows) - (gap if len(rows) == 1 else 0)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for index, (row, height) in enumerate(zip(rows, heights, strict=True)):
            _paint_row(canvas, x, y, row, gap, largest, goes_on=index < len(rows) - 1)
            y += height

    return Piece(width, sum(heights), 0, paint)


def _solid(shape: Shape, largest: int) -> tuple[float, float, float, float]:
    """Width and height of the front, how far back the block goes, and the width of all."""
    if len(shape) != 3:
        high = min(HIGHEST, 10 + 8 * math.log2(max(2, math.prod(shape))))
        return 12, high, 0, 12
    channels, rows, columns = shape
    wide = 5 + 5 * math.log2(channels + 1)
    high = max(8.0, HIGHEST * math.sqrt(rows / largest))
    back = max(3.0, 0.35 * HIGHEST * math.sqrt(columns / largest))
    return wide, high, back, wide + back


def _row_height(row: Sequence[tuple[Cell, float]], largest: int) -> float:
    tallest = max(sum(_solid(cell.shape, largest)[1:3]) for cell, _ in row)
    return 24 + tallest + 26 + 16 * max(len(cell.lines) for cell, _ in row) + 14


def _paint_row(
    canvas: Canvas, x: float, y: float, row: Sequence[tuple[Cell, float]], gap: float, largest: int, *, goes_on: bool
) -> None:
    solids = [_solid(cell.shape, largest) for cell, _ in row]
    tallest = max(high + back for _, high, back, _ in solids)
    middle = y + 24 + tallest / 2
    end: float | None = None  # of the solid before
    for (cell, width), (wide, high, back, whole) in zip(row, solids, strict=True):
        centre = x + width / 2
        left, top = centre - whole / 2, middle - (high + back) / 2 + back
        if end is not None:
            canvas.line([(end + 6, middle), (left - 5, middle)], arrow=True)
        _paint_solid(canvas, left, top, wide, high, back, len(cell.shape) == 3)
        canvas.text(centre, y + 16, cell.name, 14, bold=True)
        canvas.text(centre, y + 24 + tallest + 20, size_label(cell.shape), 14)
        for index, line in enumerate(cell.lines):
            canvas.text(centre, y + 24 + tallest + 38 + 16 * index, line, SMALL, ink=GREY)
        end = left + whole
        x += width + gap
    if goes_on and end is not None:
        canvas.line([(end + 6, middle), (x - 4, middle)], arrow=True)


def _paint_solid(canvas: Canvas, x: float, y: float, wide: float, high: float, back: float, is_map: bool) -> None:
    """A block seen from its left upper front, or a bar; x and y are the corner of its front."""
    front = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
    if not is_map:
        canvas.polygon(front, BAR)
        return
    canvas.polygon([(x, y), (x + back, y - back), (x + wide + back, y - back), (x + wide, y)], TOP)
    side = [(x + wide, y), (x + wide + back, y - back), (x + wide + back, y + high - back), (x + wide, y + high)]
    canvas.polygon(side, SIDE)
    canvas.polygon(front, FRONT)
