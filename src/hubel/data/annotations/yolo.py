"""YOLO's text files: for each picture a file with a line per object, and a `data.yaml` with the classes and splits.

A line is `class cx cy width height`, the class as a number from 0, the rest as shares of the upright picture's width
and height; or `class x1 y1 x2 y2 x3 y3 ...`, a polygon, whose box is taken. The labels of `images/train/a.jpg` are in
`labels/train/a.txt`, or without a folder `images` beside the picture. A picture without such a file has no objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubel.data.annotated_pictures import AnnotatedPicture, Annotations, BoxReader, LabelledBox
from hubel.data.decoding import UnreadableImage, read_header
from hubel.data.files.listing import IMAGE_EXTENSIONS
from hubel.data.sources import Split, split_called
from hubel.errors import DataError, cannot_read


@dataclass(frozen=True)
class YOLOData:
    """What a `data.yaml` tells.

    Attributes:
        classes: The classes' names, in the order of their numbers.
        splits: The pictures of each split, sorted.
    """

    classes: tuple[str, ...]
    splits: Mapping[Split, tuple[Path, ...]]


def read_data_yaml(file: Path) -> YOLOData:
    """Read a `data.yaml`.

    Its paths are folders of pictures or text files that list pictures, relative to `path` in it or to its own folder.

    Raises:
        DataError: It cannot be read or says nothing of classes or pictures, or what it names does not exist.
    """
    try:
        content = parse_data_yaml(file.read_bytes(), file)
    except OSError as error:
        raise cannot_read(file, error) from error
    classes = classes_in(content, file)
    base = file.parent / str(content.get("path") or "")
    base = base if base.is_dir() else file.parent  # `path` often names a folder on another computer
    splits: dict[Split, tuple[Path, ...]] = {}
    for key, value in content.items():
        split = split_called(str(key))
        if split is not None and value:
            places = value if isinstance(value, list) else [value]
            splits[split] = tuple(sorted(picture for place in places for picture in _pictures(file, base, str(place))))
    if not splits:
        raise DataError(f"{file} names no pictures: expected a folder under train, and perhaps under val and test")
    return YOLOData(classes, splits)


def parse_data_yaml(content: bytes, file: Path) -> Mapping[str, Any]:
    """The bytes of a `data.yaml`, its keys unread.

    Raises:
        DataError: It is no YAML, or says nothing of classes.
    """
    try:
        values = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise DataError(f"{file} is no YAML ({' '.join(str(error).split())}): expected names and train") from error
    if not isinstance(values, dict):
        raise DataError(f"{file} has no names: expected the classes' names under names, and a folder under train")
    return values


def read_yolo(pictures: Iterable[Path], classes: tuple[str, ...]) -> Annotations:
    """Read the labels of pictures; a picture that cannot be opened is a problem, and left out.

    Args:
        pictures: The pictures' files.
        classes: The classes' names, in the order of their numbers.
    """
    reader = BoxReader(classes)
    found = []
    for picture in pictures:
        labels = labels_of(picture)
        try:
            size = read_header(picture).upright
            text = labels.read_text(encoding="utf-8-sig") if labels.is_file() else ""
        except UnreadableImage as error:
            reader.report(str(picture), "unreadable", f"{error.reason}; left out")
            continue
        except (OSError, UnicodeDecodeError) as error:
            reader.report(str(labels), "unreadable", f"{error}; left out")
            continue
        found.append(AnnotatedPicture(picture.as_posix(), size, tuple(parse_labels(text, labels, size, reader))))
    return reader.annotations(found)


def labels_of(picture: Path) -> Path:
    """The file with a picture's labels."""
    parts = list(picture.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def parse_labels(text: str, file: Path, size: tuple[int, int], reader: BoxReader) -> list[LabelledBox]:
    """The objects of one file.

    Args:
        text: What is in it.
        file: Its path, for messages.
        size: Width and height of the upright picture.
        reader: Takes the boxes and the problems; its classes are known.
    """
    classes = reader.classes or ()
    width, height = size
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"{file}, line {number}"
        values = _numbers(cells)
        if values is None or len(values) < 5 or (len(values) > 5 and len(values) % 2 == 0):
            reader.report(
                where, "malformed", f"'{line.strip()[:60]}': expected a class and four numbers, or a polygon; left out"
            )
            continue
        label, *shares = values
        if label != int(label) or not 0 <= label < len(classes):
            reader.report(where, "unknown class", f"class {cells[0]}: expected 0 to {len(classes) - 1}; left out")
            continue
        if len(shares) == 4:
            cx, cy, w, h = shares
            low, high = (cx - w / 2, cy - h / 2), (cx + w / 2, cy + h / 2)
        else:
            low, high = (min(shares[::2]), min(shares[1::2])), (max(shares[::2]), max(shares[1::2]))
        if max(map(abs, (*low, *high))) > 2:
            reader.report(
                where, "malformed", f"'{line.strip()[:60]}': expected shares of the picture, 0 to 1; left out"
            )
            continue
        box = (low[0] * width, low[1] * height, high[0] * width, high[1] * height)
        if (taken := reader.box(where, classes[int(label)], box, size)) is not None:
            boxes.append(taken)
    return boxes


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def classes_in(content: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    """The names of the classes in a `data.yaml`, in the order of their numbers.

    Raises:
        DataError: There are none, or not as many as it says.
    """
    names = content.get("names")
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(f"{file} has no names: expected the classes' names, a list or one under each number from 0 on")
    count = content.get("nc", len(names))
    if count != len(names):
        raise DataError(f"{file} says nc: {count}, but has {len(names)} names: expected as many names as classes")
    return tuple(map(str, names))


def _pictures(file: Path, base: Path, place: str) -> list[Path]:
    """The pictures in a folder, or of a list in a text file."""
    path = next((found for found in (base / place, file.parent / place) if found.exists()), None)
    if path is None and place.startswith("../"):  # as some exports write, although the folder is beside the file
        path = next((found for found in [file.parent / place.removeprefix("../")] if found.exists()), None)
    if path is None:
        raise DataError(f"{file} names {place}, which does not exist: expected a folder of pictures, or a list of them")
    if path.is_file():
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return [path.parent / line.strip() for line in lines if line.strip()]
    return [found for found in path.rglob("*") if found.suffix.lower() in IMAGE_EXTENSIONS]
