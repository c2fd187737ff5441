"""Four pictures in one, with the boxes of all: objects in new company, at the picture's edge, and more of them.

A. Bochkovskiy, C.-Y. Wang, H.-Y. Liao, YOLOv4, 2020, arXiv:2004.10934, section 3.3. The four meet at a point; around
it they lie on a canvas twice as high and wide as the network's input, at their own scale. `Augment.together` then sees
its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.data.augmentation.draws import Draw
from hubel.data.augmentation.geometry import LEAST_SHARE_OF_BOX, LEAST_SIDE_OF_BOX
from hubel.preprocessing import FRAME

_OTHERS = (Draw.MOSAIC_2, Draw.MOSAIC_3, Draw.MOSAIC_4)
_MARGIN = 0.25  # of the canvas, on every side: the four never meet there

Centre = tuple[float, float]


class Part(NamedTuple):
    """A picture that goes into a mosaic.

    Attributes:
        picture: uint8 (h, w, C).
        boxes: `xyxy` pixels, float64 (K, 4).
        labels: int64 (K,).
    """

    picture: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


def mosaic_partners(
    probability: float, draws: npt.NDArray[np.float64], pictures: int
) -> dict[int, tuple[Centre, tuple[int, ...]]]:
    """Which pictures of a batch become mosaics, where their parts meet, and with which pictures.

    Args:
        probability: Of a picture to become one.
        draws: Of `Augment.draws`, (N, columns).
        pictures: How many there are to choose from.

    Returns:
        By the number of the picture in the batch: the point (y, x) in shares of the canvas, and three positions.
    """
    chosen = np.flatnonzero(draws[:, Draw.MOSAIC] < probability)
    return {
        number: (
            (
                _MARGIN + (1 - 2 * _MARGIN) * float(draws[number, Draw.MOSAIC_Y]),
                _MARGIN + (1 - 2 * _MARGIN) * float(draws[number, Draw.MOSAIC_X]),
            ),
            tuple(int(draws[number, column] * pictures) for column in _OTHERS),
        )
        for number in chosen.tolist()
    }


def mosaic(
    parts: Sequence[Part], centre: Centre, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Join four pictures: above on the left, above on the right, below on the left, below on the right of a point.

    Args:
        parts: The four.
        centre: The point (y, x), in shares of the canvas.
        size: Height and width of the network's input; the canvas has twice of each.

    Returns:
        The canvas, uint8 (2 H, 2 W, C), grey where there is no picture; its boxes (K, 4), cut off where their picture
        is, and left out where little is left; and their labels (K,).
    """
    height, width = 2 * size[0], 2 * size[1]
    canvas = np.full((height, width, parts[0].picture.shape[2]), FRAME, dtype=np.uint8)
    y, x = round(centre[0] * height), round(centre[1] * width)
    boxes, labels = [], []
    for number, part in enumerate(parts):
        rows, columns = part.picture.shape[:2]
        top = y - rows if number < 2 else y
        left = x - columns if number % 2 == 0 else x
        shown = np.clip([left, top, left + columns, top + rows], 0, [width, height, width, height])
        x1, y1, x2, y2 = shown.tolist()
        canvas[y1:y2, x1:x2] = part.picture[y1 - top : y2 - top, x1 - left : x2 - left]
        moved = part.boxes + np.array([left, top, left, top])
        clipped = np.clip(moved, [x1, y1, x1, y1], [x2, y2, x2, y2])
        sides, before = clipped[:, 2:] - clipped[:, :2], moved[:, 2:] - moved[:, :2]
        enough = sides.prod(axis=1) >= LEAST_SHARE_OF_BOX * before.prod(axis=1)
        kept = np.flatnonzero(enough & (sides.min(axis=1, initial=np.inf) >= LEAST_SIDE_OF_BOX))
        boxes.append(clipped[kept])
        labels.append(part.labels[kept])
    return canvas, np.concatenate(boxes), np.concatenate(labels)
