"""Boxes drawn onto pictures so that they can be read: in predictions, reports and the examination of a data set alike.

Every box has a text in the colour of its class (`hubel.results.palette`) and a dark edge, so that it can be seen on any
background and never hangs on the colour alone. Lines and letters grow with the picture; a small picture is enlarged by
a whole factor first, as no text fits into 32×32 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from hubel.data.drawing.letters import font_of

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]

_READABLE_SIDE = 240  # pixels of the shorter side, from which on a picture is drawn on as it is
_LEAST_LETTERS, _LETTERS_PER_SIDE = 12, 0.02  # the font's size; as a share of the root of the picture's area
_CROWD = 25  # with more boxes, letters are smaller
_DARK, _LIGHT = (20, 20, 20), (255, 255, 255)


@dataclass(frozen=True)
class DrawnBox:
    """A box to be drawn.

    Attributes:
        box: `xyxy` in pixels of the picture.
        text: What is written on it, such as `cat 0.93`; empty: nothing.
        colour: Of the line, and of the ground of the text.
        dashed: Whether the line is broken: an object that does not count.
    """

    box: Box
    text: str
    colour: Colour
    dashed: bool = False


def draw_boxes(image: Image.Image, boxes: Sequence[DrawnBox]) -> Image.Image:
    """A picture with boxes on it, and their texts where they hide each other least.

    Args:
        image: Upright, of any mode.
        boxes: The most important one first: it lies on top, and its text gets the best place.

    Returns:
        A new picture of mode RGB, of the same size; a small one is enlarged by a whole factor.
    """
    canvas, factor = readable(image)
    draw = ImageDraw.Draw(canvas)
    letters = letter_size(canvas.size, crowded=len(boxes) > _CROWD)
    width = max(3, letters // 5)
    scaled = [_times(each.box, factor) for each in boxes]
    for each, box in reversed(list(zip(boxes, scaled, strict=True))):
        dash = 4 * width if each.dashed else 0
        _outline(draw, box, _DARK, width + 2, grown=1, dash=dash)
        _outline(draw, box, each.colour, width, grown=0, dash=dash)
    taken: list[Box] = []
    for each, box in zip(boxes, scaled, strict=True):
        if each.text:
            corner = _free_place(box, text_size(each.text, letters), canvas.size, taken)
            taken.append(write_on_ground(draw, corner, each.text, each.colour, letters))
    return canvas


def readable(image: Image.Image) -> tuple[Image.Image, int]:
    """A copy of mode RGB to draw on, enlarged by a whole factor where text would not fit; and the factor."""
    copy = image.convert("RGB") if image.mode != "RGB" else image.copy()
    factor = max(1, -(-_READABLE_SIDE // min(copy.size)))
    if factor > 1:
        copy = copy.resize((factor * copy.width, factor * copy.height), Image.Resampling.NEAREST)
    return copy, factor


def letter_size(size: tuple[int, int], *, crowded: bool = False) -> int:
    """The font's size in pixels for a picture of a width and height."""
    letters = max(_LEAST_LETTERS, round(_LETTERS_PER_SIDE * math.sqrt(size[0] * size[1])))
    return max(_LEAST_LETTERS - 2, round(0.75 * letters)) if crowded else letters


def text_size(text: str, letters: int) -> tuple[int, int]:
    """Width and height in pixels of the ground of a text whose font has a size."""
    return round(font_of(letters).getlength(text)) + 2 * _padding(letters), letters + 2 * _padding(letters)


def write_on_ground(
    draw: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, ground: Colour, letters: int
) -> Box:
    """Write a text on a ground of its own, in black or white, whichever can be read there.

    Args:
        draw: Where.
        corner: Left and top of the ground.
        text: What.
        ground: Its colour.
        letters: The font's size.

    Returns:
        The ground, `xyxy`.
    """
    width, height = text_size(text, letters)
    left, top = corner
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=ground)
    red, green, blue = ground
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128
    middle = (left + _padding(letters), top + height / 2)
    draw.text(middle, text, fill=_LIGHT if dark else _DARK, font=font_of(letters), anchor="lm")
    return left, top, left + width, top + height


def _outline(draw: ImageDraw.ImageDraw, box: Box, colour: Colour, width: int, *, grown: int, dash: int) -> None:
    """A rectangle around the pixels that a box covers, `width` pixels inward; broken where a dash has a length."""
    x1, y1 = box[0] - grown, box[1] - grown
    x2, y2 = max(box[0], box[2] - 1) + grown, max(box[1], box[3] - 1) + grown
    if not dash:
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=width)
        return
    thick = width - 1
    for start, end in _dashes(x1, x2, dash):
        draw.rectangle((start, y1, end, min(y1 + thick, y2)), fill=colour)
        draw.rectangle((start, max(y2 - thick, y1), end, y2), fill=colour)
    for start, end in _dashes(y1, y2, dash):
        draw.rectangle((x1, start, min(x1 + thick, x2), end), fill=colour)
        draw.rectangle((max(x2 - thick, x1), start, x2, end), fill=colour)


def _dashes(start: float, end: float, length: int) -> Iterator[tuple[float, float]]:
    """Dashes about as far apart as they are long, from one end to the other."""
    count = max(1, round(((end - start) / length + 1) / 2))
    step = (end - start - length) / max(count - 1, 1)
    for number in range(count):
        at = start + number * max(step, 0.0)
        yield at, min(end, at + length)


def _free_place(box: Box, text: tuple[int, int], size: tuple[int, int], taken: Sequence[Box]) -> tuple[float, float]:
    """Left and top for a text of a width and height that belongs to a box: where it hides the least of other texts."""
    (x1, y1, x2, y2), (width, height) = box, text
    right, bottom = max(0.0, size[0] - width), max(0.0, size[1] - height)
    # Above the box, in it, below it; each from its left and then from its right.
    corners = [(left, top) for top in (y1 - height, y1, y2, y2 - height) for left in (x1, x2 - width)]
    inside = [(min(max(left, 0.0), right), min(max(top, 0.0), bottom)) for left, top in corners]
    hidden = [sum(_shared((x, y, x + width, y + height), other) for other in taken) for x, y in inside]
    return inside[hidden.index(min(hidden))]


def _shared(first: Box, second: Box) -> float:
    """The area that two boxes share, in pixels."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width * height if width > 0 and height > 0 else 0.0


def _times(box: Box, factor: int) -> Box:
    x1, y1, x2, y2 = box
    return factor * x1, factor * y1, factor * x2, factor * y2


def _padding(letters: int) -> int:
    """Around a text, in pixels."""
    return max(1, letters // 6)
