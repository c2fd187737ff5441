"""What pictures are put together from: boxes, stacks, frames, arcs.

Every part is a `Piece`: it knows its size and where its axis is, on which lines enter at the top and leave at the
bottom, and can paint itself anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hubel.models.drawing.canvas import FRAME, GREY, INK, Canvas, Colour, text_width

TEXT, SMALL = 14.0, 12.0
GAP = 20.0  # between neighbours in a chain
BESIDE = 14.0  # between branches
PADDING = 10.0
ARC_INKS = ("#37699b", "#b0562a", "#3b7a3b", "#67479a", "#8a6d1a", "#1d7f86", "#a33a5c")


@dataclass(frozen=True)
class Piece:
    """Something to paint.

    Attributes:
        width: In pixels.
        height: In pixels.
        axis: How far from its left side lines enter and leave.
        paint: Paints it, given the place of its left upper corner.
        arrow: Whether a line that enters it has an arrowhead.
    """

    width: float
    height: float
    axis: float
    paint: Callable[[Canvas, float, float], None]
    arrow: bool = True


@dataclass(frozen=True)
class Line:
    """A line of text in a box."""

    text: str
    size: float = TEXT
    bold: bool = False

    @property
    def ink(self) -> str:
        """Small text is grey."""
        return GREY if self.size <= SMALL else INK

    @property
    def width(self) -> float:
        """In pixels, at most."""
        return text_width(self.text, self.size, bold=self.bold)


def wrapped(notes: Sequence[str], most: int) -> list[str]:
    """The notes in lines of at most so many characters where that is possible."""
    lines: list[str] = []
    for note in notes:
        if lines and len(lines[-1]) + 3 + len(note) <= most:
            lines[-1] += f" · {note}"
        else:
            lines.append(note)
    return lines


def box(lines: Sequence[Line], colour: Colour, least: float = 0) -> Piece:
    """Lines of text in a box."""
    width = max(least, max(line.width for line in lines) + 2 * PADDING)
    heights = [line.size * 1.3 for line in lines]
    height = sum(heights) + 8

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.box(x, y, width, height, colour)
        down = y + 4
        for line, line_height in zip(lines, heights, strict=True):
            down += line_height
            canvas.text(x + width / 2, down - line.size * 0.32, line.text, line.size, bold=line.bold, ink=line.ink)

    return Piece(width, height, width / 2, paint)


def stack(pieces: Sequence[Piece], gap: float = GAP) -> Piece:
    """Pieces on one axis, with an arrow from each to the next."""
    axis = max(each.axis for each in pieces)
    width = axis + max(each.width - each.axis for each in pieces)
    height = sum(each.height for each in pieces) + gap * (len(pieces) - 1)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for index, each in enumerate(pieces):
            if index:
                canvas.line([(x + axis, y), (x + axis, y + gap)], arrow=each.arrow)
                y += gap
            each.paint(canvas, x + axis - each.axis, y)
            y += each.height

    return Piece(width, height, axis, paint, arrow=pieces[0].arrow)


def frame(inner: Piece, left: str, right: str = "", *, goes_on: bool = True) -> Piece:
    """A piece with a frame; above it, inside the frame, two texts; a line to below the frame if the chain goes on."""
    titles = [Line(text, size, bold) for text, size, bold in ((left, SMALL, False), (right, TEXT, True)) if text]
    wanted = sum(line.width for line in titles) + 14 * (len(titles) - 1)
    width = max(inner.width, wanted) + 2 * PADDING
    shift = (width - inner.width) / 2
    top = 26.0 if titles else PADDING
    height = inner.height + top + PADDING

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.box(x, y, width, height, FRAME, radius=8)
        if left:
            canvas.text(x + PADDING, y + 17, left, SMALL, anchor="start", ink=GREY)
        if right:
            canvas.text(x + width - PADDING, y + 18, right, TEXT, anchor="end", bold=True)
        inner.paint(canvas, x + shift, y + top)
        if goes_on:
            canvas.line([(x + shift + inner.axis, y + top + inner.height), (x + shift + inner.axis, y + height)])

    return Piece(width, height, shift + inner.axis, paint)


def beside(main: Piece, other: Piece, caption: Sequence[str]) -> Piece:
    """A piece with another one on its right, below which is a caption."""
    lines = [Line(text, SMALL) for text in caption]
    right = max(other.width, *(line.width for line in lines))
    width = main.width + BESIDE + right
    height = max(main.height, other.height + 8 + 17 * len(lines))

    def paint(canvas: Canvas, x: float, y: float) -> None:
        main.paint(canvas, x, y)
        aside = x + main.width + BESIDE
        other.paint(canvas, aside, y)
        for index, line in enumerate(lines):
            canvas.text(aside, y + other.height + 21 + 17 * index, line.text, line.size, anchor="start", ink=GREY)
        canvas.line([(x + main.axis, y + main.height), (x + main.axis, y + height)])

    return Piece(width, height, main.axis, paint)


def ellipsis(text: str) -> Piece:
    """A gap in a row of boxes."""
    width = text_width(text, SMALL) + 30

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.text(x + width / 2, y + 14, f"⋮ {text}", SMALL, ink=GREY)

    return Piece(width, 18, width / 2, paint, arrow=False)


def with_arcs(nodes: Sequence[Piece], links: Sequence[tuple[int, int]], gap: float = 16.0) -> Piece:
    """Nodes from top to bottom; a link to the next one is an arrow, every other one an arc on the right."""
    axis = max(node.width for node in nodes) / 2
    tops = [sum(node.height for node in nodes[:index]) + gap * index for index in range(len(nodes))]
    height = tops[-1] + nodes[-1].height
    longest = max((end - start for start, end in links), default=1)
    reach = 0.0 if longest < 2 else 26 + 11.0 * min(longest, 10)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for start, end in links:
            upper, lower = nodes[start], nodes[end]
            if end == start + 1:
                line = [(x + axis, y + tops[start] + upper.height), (x + axis, y + tops[end])]
                canvas.line(line, arrow=True)
                continue
            right, to_right = x + axis + upper.width / 2, x + axis + lower.width / 2
            from_y, to_y = y + tops[start] + upper.height * 0.6, y + tops[end] + lower.height * 0.35
            far = x + 2 * axis + (reach - 8) * min(1.0, (end - start) / min(longest, 10)) * 4 / 3
            curve = f"M{right:.0f},{from_y:.0f} C{far:.0f},{from_y:.0f} {far:.0f},{to_y:.0f} {to_right:.0f},{to_y:.0f}"
            canvas.path(curve, arrow=True, ink=ARC_INKS[start % len(ARC_INKS)])
        for node, top in zip(nodes, tops, strict=True):
            node.paint(canvas, x + axis - node.width / 2, y + top)

    return Piece(2 * axis + reach, height, axis, paint)
