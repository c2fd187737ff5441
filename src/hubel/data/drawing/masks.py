"""Masks laid over their pictures, each class in its colour, with a legend that names the classes; and their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from hubel.data.drawing.boxes import letter_size, readable, text_size, write_on_ground
from hubel.data.masks.reading import IGNORED
from hubel.results.palette import has_background, mask_palette

if TYPE_CHECKING:
    import numpy.typing as npt

_OPACITY = 0.4  # of the areas; their outlines are opaque
_PAPER = (255, 255, 255)
_WRONG = (200, 20, 30)
_PALE = 110  # what black becomes beneath errors


def draw_mask(
    image: Image.Image,
    mask: npt.NDArray[np.uint8],
    classes: Sequence[str],
    legend: Mapping[str, str] | None = None,
) -> Image.Image:
    """A picture with its mask over it; a background (see `hubel.results.palette`) stays clear.

    Args:
        image: Upright, of any mode.
        mask: uint8 (H, W) of its size: positions in `classes`, and 255 where nothing is known.
        classes: Their names.
        legend: What the legend says of each class, in this order; None: their names. Empty: no legend.

    Returns:
        A new picture of mode RGB, higher by its legend; a small one is enlarged by a whole factor.

    Raises:
        ValueError: The mask has another size.
    """
    if mask.shape != (image.height, image.width):
        raise ValueError(
            f"a mask of {mask.shape[1]}×{mask.shape[0]} pixels came for a picture of {image.width}×{image.height}"
        )
    canvas, factor = readable(image)
    mask = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    coloured = mask_palette(classes)[mask]
    opacity = np.where(_outlines(mask), 1.0, _OPACITY)
    if has_background(classes):
        opacity[mask == 0] = 0
    pixels = np.asarray(canvas) * (1 - opacity[:, :, None]) + coloured * opacity[:, :, None]
    drawn = Image.fromarray(pixels.round().astype(np.uint8))
    said = {name: name for name in classes} if legend is None else legend
    return _with_legend(drawn, [(said[name], mask_palette(classes)[classes.index(name)]) for name in said])


def draw_errors(image: Image.Image, truth: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8]) -> Image.Image:
    """A picture in pale grey with the pixels in red whose class is wrong; what does not count is left white.

    Args:
        image: Upright, of any mode.
        truth: uint8 (H, W): classes, and 255 where a pixel does not count.
        predicted: uint8 (H, W).

    Returns:
        A new picture of mode RGB, of the same size.
    """
    grey = np.asarray(image.convert("L"))[:, :, None].repeat(3, axis=2)
    pixels = (_PALE + (1 - _PALE / 255) * grey).round().astype(np.uint8)
    pixels[truth != predicted] = _WRONG
    pixels[truth == IGNORED] = _PAPER
    return Image.fromarray(pixels)


def _outlines(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where areas end: pixels that have a neighbour of another class, but for areas that do not count."""
    borders = np.zeros(mask.shape, bool)
    down, across = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    borders[1:] |= down
    borders[:-1] |= down
    borders[:, 1:] |= across
    borders[:, :-1] |= across
    outlines: npt.NDArray[np.bool_] = borders & (mask != IGNORED)
    return outlines


def _with_legend(image: Image.Image, entries: Sequence[tuple[str, npt.NDArray[np.uint8]]]) -> Image.Image:
    """A picture with texts on grounds of their colours below it, as many in a row as fit."""
    letters = letter_size(image.size)
    gap = max(2, letters // 3)
    places, left, top = [], gap, gap
    for text, _ in entries:
        width, height = text_size(text, letters)
        if left > gap and left + width + gap > image.width:
            left, top = gap, top + height + gap
        places.append((left, top))
        left += width + gap
    if not places:
        return image
    below = places[-1][1] + text_size("", letters)[1] + gap
    page = Image.new("RGB", (image.width, image.height + below), _PAPER)
    page.paste(image, (0, 0))
    draw = ImageDraw.Draw(page)
    for (text, colour), (x, y) in zip(entries, places, strict=True):
        red, green, blue = colour.tolist()
        write_on_ground(draw, (x, image.height + y), text, (red, green, blue), letters)
    return page
