"""COCO's JSON: one file for all pictures, boxes as upper left corner, width and height.

T.-Y. Lin et al., Microsoft COCO, 2014, arXiv:1405.0312; cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubel.data.annotated_pictures import AnnotatedPicture, Annotations, BoxReader
from hubel.errors import DataError, cannot_read

_PARTS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class COCOFile:
    """An annotation file, checked as far as everything hangs on it.

    Attributes:
        path: The file.
        images: The entries of the pictures, by their ids.
        categories: The names of the categories, by their ids.
        annotations: The entries of the objects in each picture, by the picture's id.
        strays: Annotations of pictures that there are none of: their ids, and those of the pictures.
    """

    path: Path
    images: Mapping[Any, Mapping[str, Any]]
    categories: Mapping[Any, str]
    annotations: Mapping[Any, Sequence[Mapping[str, Any]]]
    strays: Sequence[tuple[Any, Any]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the categories, by their ids."""
        return tuple(self.categories[number] for number in sorted(self.categories, key=_by_number))

    def size_of(self, image: Any) -> tuple[int, int] | None:
        """Width and height of a picture, where the file tells them."""
        return _size(self.images[image])


def read_coco(file: Path) -> Annotations:
    """Read an annotation file; the classes are its categories, by their ids.

    Raises:
        DataError: It cannot be read, or is no such file.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise cannot_read(file, error) from error
    parsed, reader = parse_coco(content, file), BoxReader()
    pictures = coco_pictures(parsed, reader)
    return Annotations(tuple(pictures), parsed.classes, tuple(reader.problems))


def parse_coco(content: bytes, file: Path) -> COCOFile:
    """Read the bytes of an annotation file.

    Raises:
        DataError: It is no such file.
    """
    lists = _loaded(content, file)
    categories = {each["id"]: str(each["name"]) for each in _entries(file, lists, "categories", ("id", "name"))}
    if repeated := _repeated(categories.values()):
        raise DataError(f"{file} has several categories named {', '.join(repeated)}: expected each name once")
    images = {each["id"]: each for each in _entries(file, lists, "images", ("id", "file_name"))}
    if repeated := _repeated(str(image["file_name"]) for image in images.values()):
        raise DataError(
            f"{file} lists {repeated[0]} under several ids: expected each picture once, with all its annotations"
        )
    annotations: dict[Any, list[Mapping[str, Any]]] = {number: [] for number in images}
    strays = []
    for place, each in enumerate(_entries(file, lists, "annotations", ("image_id", "category_id"))):
        if each["image_id"] in annotations:
            annotations[each["image_id"]].append(each)
        else:
            strays.append((each.get("id", place), each["image_id"]))
    return COCOFile(file, images, categories, annotations, strays)


def coco_pictures(file: COCOFile, reader: BoxReader) -> Iterator[AnnotatedPicture]:
    """The pictures of a file with their boxes.

    Args:
        file: The file.
        reader: Takes the boxes and the problems.
    """
    for number, image in file.images.items():
        size = file.size_of(number)
        boxes = []
        for place, each in enumerate(file.annotations[number]):
            where = f"{file.path}, annotation {each.get('id', place)} of {image['file_name']}"
            if each["category_id"] not in file.categories:
                reader.report(where, "unknown class", f"there is no category {each['category_id']}; left out")
                continue
            values = reader.numbers(where, each["bbox"] if isinstance(each.get("bbox"), list) else [each.get("bbox")])
            if values is None:
                continue
            x, y, width, height = values
            box = reader.box(
                where,
                file.categories[each["category_id"]],
                (x, y, x + width, y + height),
                size,
                crowd=bool(each.get("iscrowd", 0)),
            )
            if box is not None:
                boxes.append(box)
        yield AnnotatedPicture(str(image["file_name"]).replace("\\", "/"), size, tuple(boxes))
    for stray, missing in file.strays:
        reader.report(f"{file.path}, annotation {stray}", "malformed", f"there is no image {missing}; left out")


def _loaded(text: bytes, file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{file} is no JSON ({error}): expected COCO's annotations") from error
    missing = [part for part in _PARTS if not isinstance(content, dict) or not isinstance(content.get(part), list)]
    if missing:
        raise DataError(
            f"{file} has no list of {' and no list of '.join(missing)}: expected COCO's annotations, an object with "
            f"the lists {', '.join(_PARTS)}"
        )
    loaded: dict[str, Any] = content
    return loaded


def _entries(file: Path, content: Mapping[str, Any], part: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    """The entries of a list, all of which have what is needed, as numbers or text."""
    for place, entry in enumerate(content[part]):
        for key in needed:
            if not isinstance(entry, dict) or not isinstance(entry.get(key), int | str):
                raise DataError(f"{file} has no {key} in entry {place} of {part}: expected one in every entry")
    entries: list[dict[str, Any]] = content[part]
    if "id" in needed:
        first: dict[Any, dict[str, Any]] = {}
        if different := [each["id"] for each in entries if first.setdefault(each["id"], each) != each]:
            raise DataError(f"{file} has several {part} with the id {different[0]}: expected another one for each")
    return entries


def _repeated(names: Iterable[str]) -> list[str]:
    """Those that come several times, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _by_number(number: int | str) -> tuple[bool, int | str]:
    """Sort key of ids, which may be text."""
    return isinstance(number, str), number


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0 else None
