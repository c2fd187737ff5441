"""Which of a picture's random numbers is for what."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class Draw(IntEnum):
    """A column of the random numbers of `Augment.draws`; new ones go to the end, so that old pictures stay."""

    MIRROR = 0
    TOP = 1
    LEFT = 2
    AREA = 3
    RATIO = 4
    BRIGHTNESS = 5
    CONTRAST = 6
    SATURATION = 7
    FLIP = 8
    SHARE = 9
    ROTATE = 10
    ZOOM = 11
    SHEAR_X = 12
    SHEAR_Y = 13
    TRANSLATE_X = 14
    TRANSLATE_Y = 15
    HUE = 16
    PCA_1 = 17
    PCA_2 = 18
    PCA_3 = 19
    ERASE = 20
    ERASE_AREA = 21
    ERASE_RATIO = 22
    ERASE_TOP = 23
    ERASE_LEFT = 24
    BLUR = 25
    NOISE = 26
    NOISE_PLACE = 27
    ELASTIC = 28  # a number from which all those of a displacement field follow
    POLICY = 29  # and those of a policy
    TURN = 30
    MOSAIC = 31
    MOSAIC_Y = 32
    MOSAIC_X = 33
    MOSAIC_2 = 34  # the pictures that join
    MOSAIC_3 = 35
    MOSAIC_4 = 36


def centred(draws: npt.NDArray[np.float64], column: Draw) -> npt.NDArray[np.float64]:
    """A column, (N,), spread from -1 to 1."""
    return 2 * draws[:, column] - 1


def words(draws: npt.NDArray[np.float64], column: Draw) -> npt.NDArray[np.int64]:
    """A column as whole numbers below 2^32, (N,): indices of further random numbers."""
    return (draws[:, column] * 2.0**32).astype(np.int64)
