"""Masks from outlines, as COCO's annotations have them.

T.-Y. Lin et al. 2014, Microsoft COCO, arXiv:1405.0312; the form of the files: cocodataset.org, "data format".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.masks import IGNORED
from hubel.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt


def coco_mask(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], classes: Mapping[int, int], *, background: int = 0
) -> npt.NDArray[np.uint8]:
    """The mask of one picture from COCO's annotations of its objects.

    Where objects overlap, the smaller one lies on top. Crowds (`iscrowd`) are ignored pixels where no object is.

    Args:
        annotations: Each with `category_id` and `segmentation`: polygons [x, y, x, y, ...] in pixels, or, of crowds,
            uncompressed run lengths; `id` is told in errors.
        size: Height and width of the picture.
        classes: The class of each category.
        background: The class of all other pixels.

    Returns:
        uint8 (H, W).

    Raises:
        DataError: An annotation is of an unknown category, or malformed; it is named.
    """
    height, width = size
    areas: list[tuple[bool, int, int, npt.NDArray[np.bool_]]] = []
    for number, annotation in enumerate(annotations):
        name = f"annotation {annotation.get('id', number)}"
        category = annotation.get("category_id")
        if category is None or category not in classes:
            known = ", ".join(map(str, classes))
            raise DataError(f"{name} is of the category {category}: expected one of {known}")
        inside = _inside(annotation.get("segmentation"), height, width, name)
        crowd = bool(annotation.get("iscrowd"))
        areas.append((not crowd, -int(inside.sum()), IGNORED if crowd else classes[category], inside))
    mask = np.full((height, width), background, np.uint8)
    for _, _, label, inside in sorted(areas, key=lambda each: each[:2]):
        mask[inside] = label
    return mask


def polygon_area(points: Sequence[float], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Which pixels' centres lie inside a polygon, by the even-odd rule; parts outside the picture are cut off.

    Args:
        points: x, y, x, y, ...: corners in pixels, (0, 0) the outer corner of the first pixel.
        height: Of the picture.
        width: Of the picture.

    Returns:
        bool (H, W).
    """
    corners = np.asarray(points, np.float64).reshape(-1, 2)
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    inside = np.zeros((height, width), bool)
    first, last = max(0, int(np.floor(y0.min()))), min(height, int(np.ceil(y0.max())))
    for row in range(first, last):
        centre = row + 0.5
        crossing = (y0 <= centre) != (y1 <= centre)
        slope = (x1[crossing] - x0[crossing]) / (y1[crossing] - y0[crossing])
        places = np.sort(x0[crossing] + (centre - y0[crossing]) * slope)
        columns = np.clip(np.ceil(places - 0.5), 0, width).astype(int)  # the first centre at or behind a crossing
        for start, stop in columns.reshape(-1, 2):
            inside[row, start:stop] = True
    return inside


def _inside(segmentation: Any, height: int, width: int, name: str) -> npt.NDArray[np.bool_]:
    """The pixels of one annotation."""
    if isinstance(segmentation, Mapping):
        return _run_lengths(segmentation, height, width, name)
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"{name} has no outline: expected `segmentation` with polygons [x, y, x, y, ...]")
    inside = np.zeros((height, width), bool)
    for points in segmentation:
        numbers = isinstance(points, list) and all(isinstance(value, int | float) for value in points)
        if not numbers or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
            raise DataError(f"{name} has a polygon {_shortened(points)}: expected at least three corners x, y")
        inside |= polygon_area(points, height, width)
    return inside


def _run_lengths(runs: Mapping[str, Any], height: int, width: int, name: str) -> npt.NDArray[np.bool_]:
    """Uncompressed run lengths, column by column, beginning with pixels outside."""
    counts = runs.get("counts")
    if not isinstance(counts, list):
        raise DataError(f"{name} has compressed run lengths: expected polygons, or `counts` as a list of numbers")
    if list(runs.get("size", ())) != [height, width] or sum(counts) != height * width or min(counts) < 0:
        raise DataError(
            f"{name} has run lengths of {sum(counts)} pixels for the size {runs.get('size')}: "
            f"expected {height * width} for [{height}, {width}]"
        )
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(width, height).T


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "..."
