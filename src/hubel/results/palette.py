"""One colour for each class, the same in mask files, drawings and reports."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Colour = tuple[int, int, int]

# Okabe and Ito's, which people with any kind of colour vision can tell apart, the strong ones first.
_STRONG: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0)),
    *((0, 114, 178), (204, 121, 167), (240, 228, 66)),
)
_GOLDEN = 0.6180339887498949  # turns of the hue by this never come back close

_BACKGROUND: Colour = (0, 0, 0)
_IGNORED: Colour = (224, 224, 192)  # as in Pascal VOC's masks
_BACKGROUND_NAMES = frozenset({"0", "__background__", "background", "bg", "none", "other", "unlabeled", "unlabelled"})


def has_background(classes: Sequence[str]) -> bool:
    """Whether the first class is what is left where nothing is, by its name."""
    return bool(classes) and classes[0].lower() in _BACKGROUND_NAMES


def colours_of(classes: Sequence[str]) -> list[Colour]:
    """A colour for each class; black for a background."""
    behind = [_BACKGROUND] if has_background(classes) else []
    return [*behind, *(class_colour(number) for number in range(len(classes) - len(behind)))]


def mask_palette(classes: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The palette of a mask: uint8 (256, 3), one row for each value; 255 is what does not count."""
    import numpy as np

    palette = np.zeros((256, 3), np.uint8)
    palette[: len(classes)] = colours_of(classes)
    palette[255] = _IGNORED
    return palette


def class_colour(number: int) -> Colour:
    """The colour of an object's class by its number, from 0."""
    if number < len(_STRONG):
        return _STRONG[number]
    turn = number - len(_STRONG)
    red, green, blue = colorsys.hsv_to_rgb(turn * _GOLDEN % 1, 0.55 + 0.4 * (turn % 2), 0.95 - 0.3 * (turn // 2 % 2))
    return round(255 * red), round(255 * green), round(255 * blue)
