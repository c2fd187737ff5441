"""Boxes and EXIF's orientation: hubel shows every picture upright, and its boxes are in the upright picture.

Most programs draw and save boxes in the upright picture, some in the pixels as they are stored. Which of the two a file
did is told by the size that it states, where turning the picture swaps its sides; otherwise upright is assumed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hubel.data.annotated_pictures import AnnotatedPicture, Box, BoxReader, LabelledBox
from hubel.data.decoding import Header, UnreadableImage, read_header
from hubel.data.sources import Sample


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
