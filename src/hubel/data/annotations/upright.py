"""Boxes and EXIF's orientation: hubel shows every picture upright, and its boxes are in the upright picture.

Most programs draw and save boxes in the upright picture, some in the pixels as they are stored. Which of the two a file
did is told by the size that it states, where turning the picture swaps its sides; otherwise upright is assumed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from hubel.data.annotations.values import AnnotatedPicture, Box, BoxReader, LabelledBox
from hubel.data.decoding import UnreadableImage

_ORIENTATION = 0x0112
_SWAPPING = frozenset({5, 6, 7, 8})  # the orientations that swap width and height


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it stands upright; only its header is read.

    Raises:
        UnreadableImage: It cannot be opened.
    """
    (width, height), orientation = _header(path)
    return (height, width) if orientation in _SWAPPING else (width, height)


def fit_to_picture(picture: AnnotatedPicture, path: Path, reader: BoxReader) -> AnnotatedPicture | None:
    """Check annotations against their picture, and turn boxes upright that are in its stored pixels.

    Args:
        picture: As an annotation file tells it.
        path: The picture's file.
        reader: Takes the problems.

    Returns:
        The picture with its upright size, its boxes cut off there; None, and a problem, where it cannot be opened or
        has another size than the file says.
    """
    try:
        stored, orientation = _header(path)
    except UnreadableImage as error:
        reader.report(str(path), "unreadable", f"{error.reason}; left out")
        return None
    width, height = stored
    swapped = orientation in _SWAPPING
    size = (height, width) if swapped else stored
    boxes = picture.boxes
    if picture.size == stored and swapped and width != height:
        boxes = tuple(replace(box, box=turned_upright(box.box, orientation, stored)) for box in boxes)
    elif picture.size not in (None, size):
        assert picture.size is not None
        reader.report(
            str(path),
            "another size",
            f"it has {size[0]}×{size[1]} pixels, its annotations are for {picture.size[0]}×{picture.size[1]}; left out",
        )
        return None
    kept: list[LabelledBox] = []
    for number, box in enumerate(boxes, start=1):
        where = f"{path}, object {number} ({box.name})"
        taken = reader.box(where, box.name, box.box, size, difficult=box.difficult, crowd=box.crowd)
        if taken is not None:
            kept.append(taken)
    return AnnotatedPicture(picture.name, size, tuple(kept))


def turned_upright(box: Box, orientation: int, size: tuple[int, int]) -> Box:
    """A box in stored pixels as it is in the upright picture.

    Args:
        box: `xyxy`.
        orientation: EXIF's, 1 to 8.
        size: Width and height as stored.
    """
    corners = [_turned(x, y, orientation, size) for x, y in (box[:2], box[2:])]
    (xs, ys) = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _turned(x: float, y: float, orientation: int, size: tuple[int, int]) -> tuple[float, float]:
    width, height = size
    return {
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }.get(orientation, (x, y))


def _header(path: Path) -> tuple[tuple[int, int], int]:
    """Width and height as stored, and the orientation, 1 where there is none or it cannot be read."""
    try:
        with Image.open(path) as image:
            try:
                orientation = int(image.getexif().get(_ORIENTATION, 1))
            except Exception:  # a picture with damaged metadata is still a picture
                orientation = 1
            return image.size, orientation
    except FileNotFoundError as error:
        raise UnreadableImage(str(path), "it does not exist") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(str(path), "it is no image that Pillow knows") from error
    except (OSError, Image.DecompressionBombError) as error:
        raise UnreadableImage(str(path), f"it is damaged ({error})") from error
