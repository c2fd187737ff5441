"""Masks from outlines, as COCO's annotations have them.

T.-Y. Lin et al. 2014, Microsoft COCO, arXiv:1405.0312; the form of the files: cocodataset.org, "data format".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.masks.reading import IGNORED
from hubel.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt


# What EXIF's orientations do to a picture; `hubel.data.decoding` does the same.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Outlines:
    """A mask that is kept as outlines of the objects in a picture.

    Attributes:
        where: The file that they come from, and the picture in it.
        annotations: Of COCO, for `coco_mask`.
        names: The name of each category.
        classes: The number of each category's class.
        background: The class of all other pixels.
        orientation: The picture's EXIF orientation, where the outlines are in its stored pixels; else 1.
    """

    where: str
    annotations: tuple[Mapping[str, Any], ...]
    names: Mapping[int, str]
    classes: Mapping[int, int]
    background: int = 0
    orientation: int = 1

    @property
    def digest(self) -> str:
        """BLAKE2b of the outlines with the names of their classes, 32 hexadecimal digits."""
        outlines = [
            [self.names.get(each.get("category_id")), each.get("segmentation"), bool(each.get("iscrowd"))]  # type: ignore[arg-type]
            for each in self.annotations
        ]
        content = json.dumps([outlines, self.orientation], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).hexdigest()

    def read(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The mask of the upright picture, which has this height and width.

        Raises:
            DataError: An annotation is malformed.
        """
        stored = size[::-1] if self.orientation > 4 else size
        try:
            mask = coco_mask(self.annotations, stored, self.classes, background=self.background)
        except DataError as error:
            raise DataError(f"{self.where}: {error}") from error
        if self.orientation == 1:
            return mask
        return np.asarray(Image.fromarray(mask).transpose(_TURNS[self.orientation]))

    def renumbered(self, numbers: Sequence[int]) -> Outlines:
        """The same with other numbers of the classes: `numbers[k]` for k."""
        classes = {category: numbers[number] for category, number in self.classes.items()}
        return replace(self, classes=classes, background=numbers[self.background])


def coco_mask(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], classes: Mapping[int, int], *, background: int = 0
) -> npt.NDArray[np.uint8]:
    """The mask of one picture from COCO's annotations of its objects.

    Where objects overlap, the smaller one lies on top. Crowds (`iscrowd`) are ignored pixels where no object is.

    Args:
        annotations: Each with `category_id` and `segmentation`: polygons [x, y, x, y, ...] in pixels, or run lengths;
            `id` is told in errors.
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
        _check(annotation, number, size, classes)
        inside = _inside(annotation["segmentation"], height, width)
        crowd = bool(annotation.get("iscrowd"))
        label = IGNORED if crowd else classes[annotation["category_id"]]
        areas.append((not crowd, -int(inside.sum()), label, inside))
    mask = np.full((height, width), background, np.uint8)
    for _, _, label, inside in sorted(areas, key=lambda each: each[:2]):
        mask[inside] = label
    return mask


def outline_problem(annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], classes: Mapping[int, int]) -> str:
    """Why `coco_mask` would not take annotations; empty if it does."""
    try:
        for number, annotation in enumerate(annotations):
            _check(annotation, number, size, classes)
    except DataError as error:
        return str(error)
    return ""


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


def _check(annotation: Mapping[str, Any], number: int, size: tuple[int, int], classes: Mapping[int, int]) -> None:
    """Raise a DataError where an annotation is malformed, or of an unknown category."""
    name = f"annotation {annotation.get('id', number)}"
    category, segmentation = annotation.get("category_id"), annotation.get("segmentation")
    if category is None or category not in classes:
        known = ", ".join(map(str, classes))
        raise DataError(f"{name} is of the category {category}: expected one of {known}")
    if isinstance(segmentation, Mapping):
        _check_run_lengths(segmentation, size, name)
        return
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"{name} has no outline: expected `segmentation` with polygons [x, y, x, y, ...]")
    for points in segmentation:
        numbers = isinstance(points, list) and all(isinstance(value, int | float) for value in points)
        if not numbers or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
            raise DataError(f"{name} has a polygon {_shortened(points)}: expected at least three corners x, y")


def _check_run_lengths(runs: Mapping[str, Any], size: tuple[int, int], name: str) -> None:
    height, width = size
    counts = runs.get("counts")
    try:
        lengths = unpacked(counts) if isinstance(counts, str) else counts
    except ValueError:
        lengths = None
    if not isinstance(lengths, list) or not all(isinstance(length, int) for length in lengths):
        raise DataError(f"{name} has run lengths {_shortened(counts)}: expected numbers, or COCO's text of them")
    if list(runs.get("size", ())) != [height, width] or sum(lengths) != height * width or min(lengths) < 0:
        raise DataError(
            f"{name} has run lengths of {sum(lengths)} pixels for the size {runs.get('size')}: "
            f"expected {height * width} for [{height}, {width}]"
        )


def unpacked(text: str) -> list[int]:
    """The run lengths in COCO's text of them: five bits a character.

    From the fourth on, a number is what is to be added to the last but one, as in pycocotools' `rleFrString`
    (maskApi.c).

    Raises:
        ValueError: It is no such text.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:  # more of the number follows
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the text is cut off")
    return lengths


def _inside(segmentation: Any, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The pixels of one annotation that has been checked."""
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        lengths = unpacked(counts) if isinstance(counts, str) else counts
        values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)  # column by column, first those outside
        return values.reshape(width, height).T
    inside = np.zeros((height, width), bool)
    for points in segmentation:
        inside |= polygon_area(points, height, width)
    return inside


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "..."
