"""Pascal VOC's XML files, one for each picture.

M. Everingham et al., The Pascal Visual Object Classes Challenge, 2010, doi:10.1007/s11263-009-0275-4. Its boxes count
pixels from 1 and include the last one: 1 to 640 is the whole width of 640, in continuous coordinates 0 to 640.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hubel.data.annotated_pictures import AnnotatedPicture, Annotations, BoxReader, LabelledBox

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(files: Iterable[Path], classes: Sequence[str] | None = None) -> Annotations:
    """Read annotation files; one that cannot be read is a problem, and its picture is left out.

    Args:
        files: The XML files.
        classes: The only classes that there are; None: all that come, sorted.
    """
    reader = BoxReader(classes)
    pictures = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            reader.report(str(file), "unreadable", f"{error.strerror or error}; left out")
            continue
        if (picture := parse_voc(content, file, reader)) is not None:
            pictures.append(picture)
    return reader.annotations(pictures)


def parse_voc(content: bytes, file: Path, reader: BoxReader) -> AnnotatedPicture | None:
    """The picture of one annotation file; None, and a problem, where it is no such file.

    The picture is called as the file says, or where it says nothing of a picture, as the file itself is.

    Args:
        content: The file's bytes.
        file: Its path.
        reader: Takes the boxes and the problems.
    """
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # an encoding that expat has not
        reader.report(str(file), "malformed", f"no XML ({error}); left out")
        return None
    if root.tag != "annotation":
        reader.report(str(file), "malformed", f"its outermost element is <{root.tag}>, not <annotation>; left out")
        return None
    size = _size(root)
    boxes = (_object(number, each, file, size, reader) for number, each in enumerate(root.iter("object"), start=1))
    return AnnotatedPicture(
        (root.findtext("filename") or file.stem).strip().replace("\\", "/"),
        size,
        tuple(box for box in boxes if box is not None),
    )


def _size(root: Element) -> tuple[int, int] | None:
    """Width and height; None where there are none, or where they are 0, as some programs write."""
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _object(
    number: int, element: Element, file: Path, size: tuple[int, int] | None, reader: BoxReader
) -> LabelledBox | None:
    name = (element.findtext("name") or "").strip()
    where = f"{file}, object {number}" + (f" ({name})" if name else "")
    if not name:
        reader.report(where, "malformed", "it has no name; left out")
        return None
    values = reader.numbers(where, [element.findtext(f"bndbox/{side}") for side in _SIDES])
    if values is None:
        return None
    x1, y1, x2, y2 = values
    if x2 > x1 and y2 > y1:  # a box from a pixel to itself is a slip of the mouse, not an object of one pixel
        x1, y1 = x1 - 1, y1 - 1
    return reader.box(where, name, (x1, y1, x2, y2), size, difficult=element.findtext("difficult") == "1")
