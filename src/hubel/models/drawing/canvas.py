"""Writes SVG: boxes, lines, arrows and text, which stays text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK = "#1c1c22"
GREY = "#55555f"
LINE = "#44444c"

_NARROW = set("ijl.,:;|!'()[]/ftrI· ")
_WIDE = set("mwMW@%×…→⋮")


@dataclass(frozen=True)
class Colour:
    """Of a box: inside and edge."""

    fill: str
    edge: str


WHITE = Colour("#ffffff", "#b9b9c4")
FRAME = Colour("#f6f6f9", "#b9b9c4")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most in a usual sans-serif font, in pixels: as in DejaVu Sans, a wide one."""
    widths = (0.41 if c in _NARROW else 0.98 if c in _WIDE else 0.70 if c.isupper() else 0.64 for c in text)
    return size * sum(widths) * (1.14 if bold else 1)


class Canvas:
    """Collects the elements of one picture."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 14,
        *,
        anchor: str = "middle",
        bold: bool = False,
        ink: str = INK,
    ) -> None:
        """A line of text; y is its baseline."""
        if not text:
            return
        weight = ' font-weight="bold"' if bold else ""
        colour = f' fill="{ink}"' if ink != INK else ""
        side = f' text-anchor="{anchor}"' if anchor != "start" else ""
        place = f'x="{_short(x)}" y="{_short(y)}" font-size="{_short(size)}"'
        self.elements.append(f"<text {place}{side}{weight}{colour}>{escape(printable(text))}</text>")

    def box(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 4) -> None:
        """A rectangle with round corners."""
        place = (
            f'x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" height="{_short(height)}" rx="{_short(radius)}"'
        )
        self.elements.append(f'<rect {place} fill="{colour.fill}" stroke="{colour.edge}"/>')

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        arrow: bool = False,
        dashed: bool = False,
        ink: str = LINE,
    ) -> None:
        """A line through points, its corners rounded."""
        self.path(_rounded(points), arrow=arrow, dashed=dashed, ink=ink)

    def path(self, shape: str, *, arrow: bool = False, dashed: bool = False, ink: str = LINE) -> None:
        """A curve, given as SVG has it."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        head = ' marker-end="url(#arrow)"' if arrow else ""
        self.elements.append(f'<path d="{shape}" fill="none" stroke="{ink}" stroke-width="1.3"{dashes}{head}/>')

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        """A filled polygon."""
        places = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        self.elements.append(f'<polygon points="{places}" fill="{colour.fill}" stroke="{colour.edge}"/>')

    def joint(self, x: float, y: float, radius: float, sign: str) -> None:
        """A circle with a sign in it, where two lines meet: `+` or `×`."""
        place = f'cx="{_short(x)}" cy="{_short(y)}" r="{_short(radius)}"'
        self.elements.append(f'<circle {place} fill="#ffffff" stroke="{LINE}"/>')
        reach = radius * 0.55
        arms = (
            ((reach, 0), (0, reach)) if sign == "+" else ((reach * 0.75, reach * 0.75), (reach * 0.75, -reach * 0.75))
        )
        for right, down in arms:
            self.line([(x - right, y - down), (x + right, y + down)])

    def document(self, width: float, height: float, title: str, description: str) -> str:
        """The SVG file: white behind everything, so that it is legible on a dark page, too."""
        size = f'width="{_short(width)}" height="{_short(height)}" viewBox="0 0 {_short(width)} {_short(height)}"'
        arrow = (
            '<marker id="arrow" viewBox="0 0 8 7" markerWidth="8" markerHeight="7" refX="7.5" refY="3.5" orient="auto" '
            f'markerUnits="userSpaceOnUse"><polygon points="0,0 8,3.5 0,7" fill="{LINE}"/></marker>'
        )
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title description" '
            f'font-family="Helvetica, Arial, sans-serif" fill="{INK}">',
            f'<title id="title">{escape(printable(title))}</title>',
            f'<desc id="description">{escape(printable(description))}</desc>',
            f"<defs>{arrow}</defs>",
            f'<rect width="{_short(width)}" height="{_short(height)}" fill="#ffffff"/>',
            *self.elements,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


def printable(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _rounded(points: Sequence[tuple[float, float]], radius: float = 8) -> str:
    """A path through points of right angles, each corner a curve."""
    (x, y), *rest = points
    path = f"M{_short(x)},{_short(y)}"
    for index, (x, y) in enumerate(rest):
        if index + 1 < len(rest):
            (before_x, before_y), (after_x, after_y) = points[index], rest[index + 1]
            start, end = _towards(x, y, before_x, before_y, radius), _towards(x, y, after_x, after_y, radius)
            path += (
                f" L{_short(start[0])},{_short(start[1])} Q{_short(x)},{_short(y)} {_short(end[0])},{_short(end[1])}"
            )
        else:
            path += f" L{_short(x)},{_short(y)}"
    return path


def _towards(x: float, y: float, to_x: float, to_y: float, most: float) -> tuple[float, float]:
    """A point on the way from one to another, at most so far."""
    length = abs(to_x - x) + abs(to_y - y)
    part = min(most, length / 2) / length if length else 0
    return x + (to_x - x) * part, y + (to_y - y) * part


def _short(value: float) -> str:
    """A number with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
