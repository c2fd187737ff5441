"""Boxes and EXIF's orientation: hubel shows every picture upright, and its boxes are in the upright picture.

Most programs draw and save boxes in the upright picture, some in the pixels as they are stored. Which of the two a file
did is told by the size that it states, where turning the picture swaps its sides; otherwise upright is assumed.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from hubel.data.annotated_pictures import AnnotatedPicture, Box, BoxReader, LabelledBox
from hubel.data.decoding import UnreadableImage
from hubel.data.sources import Sample, UnusableBytes

_ORIENTATION = 0x0112
_SWAPPING = frozenset({5, 6, 7, 8})  # the orientations that swap width and height


class Header(NamedTuple):
    """What a picture's header says.

    Attributes:
        stored: Width and height as stored.
        orientation: EXIF's, 1 where there is none or it cannot be read.
    """

    stored: tuple[int, int]
    orientation: int = 1

    @property
    def swapped(self) -> bool:
        """Whether width and height change places when the picture is turned upright."""
        return self.orientation in _SWAPPING

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the picture as it stands upright."""
        return self.stored[::-1] if self.swapped else self.stored


def fit_to_picture(
    picture: AnnotatedPicture, source: Path | Sample, reader: BoxReader, header: Header | None = None
) -> AnnotatedPicture | None:
    """Check annotations against their picture, and turn boxes upright that are in its stored pixels.

    Args:
        picture: As an annotation file tells it.
        source: The picture.
        reader: Takes the problems.
        header: The picture's, where it was read before.

    Returns:
        The picture with its upright size, its boxes cut off there; None, and a problem, where it cannot be opened or
        has another size than the file says.
    """
    path = source.location if isinstance(source, Sample) else str(source)
    try:
        header = header or read_header(source)
    except UnreadableImage as error:
        reader.report(path, "unreadable", f"{error.reason}; left out")
        return None
    stored, orientation = header
    size, boxes = header.upright, picture.boxes
    if picture.size == stored and header.swapped and size != stored:
        boxes = tuple(replace(box, box=turned_upright(box.box, orientation, stored)) for box in boxes)
    elif picture.size not in (None, size):
        assert picture.size is not None
        reader.report(
            path,
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


def read_header(source: Path | Sample) -> Header:
    """Read a picture's header, and no more where it has a file of its own.

    Raises:
        UnreadableImage: It cannot be opened.
    """
    name = source.location if isinstance(source, Sample) else str(source)
    try:
        file = source if isinstance(source, Path) else source.path or io.BytesIO(source.read())
        with Image.open(file) as image:
            try:
                orientation = int(image.getexif().get(_ORIENTATION, 1))
            except Exception:  # a picture with damaged metadata is still a picture
                orientation = 1
            return Header(image.size, orientation if orientation in range(1, 9) else 1)
    except FileNotFoundError as error:
        raise UnreadableImage(name, "it does not exist") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(name, "it is no image that Pillow knows") from error
    except UnusableBytes as error:
        raise UnreadableImage(name, str(error)) from error
    except Exception as error:  # on damaged files Pillow's readers raise almost anything
        raise UnreadableImage(name, f"it is damaged ({error})") from error
