"""Pictures in rows and sheets, and errors as heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_GAP = 2  # pixels between the pictures of a row or a sheet
_GROUND = 255
_WHITE = 0.5  # the difference from which on an error is drawn white
_READABLE = 96  # pixels, to which smaller pictures are enlarged by a whole factor


def in_a_row(pictures: Sequence[Pixels]) -> Image.Image:
    """Pictures, uint8 (H, W, C) of one size, side by side; small ones enlarged by a whole factor."""
    factor = max(1, _READABLE // max(pictures[0].shape[:2]))
    enlarged = [np.asarray(_rgb(picture)).repeat(factor, axis=0).repeat(factor, axis=1) for picture in pictures]
    return sheet(np.stack(enlarged), columns=len(pictures))


def sheet(pictures: npt.NDArray[Any], columns: int | None = None) -> Image.Image:
    """Pictures on one sheet, row by row.

    Args:
        pictures: uint8 (N, H, W, C).
        columns: Of the sheet; None: as many as make it about square.
    """
    count, height, width = pictures.shape[:3]
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    canvas = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), _GROUND, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
        canvas[top : top + height, left : left + width] = picture  # one channel is written to all three
    return Image.fromarray(canvas)


def enlarged(image: Image.Image, side: int = 480) -> Image.Image:
    """A picture whose pixels are as large as fit into a side, at least as large as they are."""
    factor = max(1, side // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def pixels_of(pictures: npt.NDArray[np.floating[Any]], value_range: tuple[float, float]) -> Pixels:
    """A network's pictures, floats (N, C, H, W), as uint8 (N, H, W, C).

    Args:
        pictures: Values beyond the range are cut off.
        value_range: What black and white are.
    """
    low, high = value_range
    shares = np.clip((pictures.transpose(0, 2, 3, 1) - low) / (high - low), 0, 1)
    pixels: Pixels = np.rint(shares * 255).astype(np.uint8)
    return pixels


def error_map(picture: Pixels, given: Pixels, most: float = _WHITE) -> Pixels:
    """Where a picture came back wrongly: uint8 (H, W, 3), black without an error, over red and yellow to white.

    Args:
        picture: As it came back, uint8 (H, W, C).
        given: As it was.
        most: The difference, from 0 to 1, from which on the map is white.
    """
    difference = np.abs(picture.astype(np.float64) - given).mean(axis=2) / 255
    share = np.clip(difference / most, 0, 1)[..., None]
    coloured: Pixels = np.rint(255 * np.clip(3 * share - np.array([0.0, 1.0, 2.0]), 0, 1)).astype(np.uint8)
    return coloured


def _rgb(picture: Pixels) -> Image.Image:
    grey = picture.shape[2] == 1
    return Image.fromarray(picture[..., 0] if grey else picture).convert("RGB")
