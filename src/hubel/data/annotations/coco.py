"""COCO's JSON: one file for all pictures, boxes as upper left corner, width and height.

T.-Y. Lin et al., Microsoft COCO, 2014, arXiv:1405.0312; cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubel.data.annotations.values import AnnotatedPicture, Annotations, BoxReader, LabelledBox
from hubel.errors import DataError

_PARTS = ("images", "annotations", "categories")


def read_coco(file: Path) -> Annotations:
    """Read an annotation file; the classes are its categories, by their ids.

    Raises:
        DataError: It cannot be read, or is no such file.
    """
    content = _loaded(file)
    reader = BoxReader()
    categories = {each["id"]: str(each["name"]) for each in _entries(file, content, "categories", ("id", "name"))}
    names = [categories[number] for number in sorted(categories)]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{file} has several categories named {', '.join(repeated)}: expected each name once")
    images = {each["id"]: each for each in _entries(file, content, "images", ("id", "file_name"))}
    sizes = {number: _size(image) for number, image in images.items()}
    boxes: dict[Any, list[LabelledBox]] = {number: [] for number in images}
    for place, each in enumerate(_entries(file, content, "annotations", ("image_id", "category_id"))):
        image = images.get(each["image_id"])
        where = f"{file}, annotation {each.get('id', place)}"
        if image is None:
            reader.report(where, "malformed", f"there is no image {each['image_id']}; left out")
            continue
        where += f" of {image['file_name']}"
        if each["category_id"] not in categories:
            reader.report(where, "unknown class", f"there is no category {each['category_id']}; left out")
            continue
        values = reader.numbers(where, each["bbox"] if isinstance(each.get("bbox"), list) else [each.get("bbox")])
        if values is None:
            continue
        x, y, width, height = values
        box = reader.box(
            where,
            categories[each["category_id"]],
            (x, y, x + width, y + height),
            sizes[each["image_id"]],
            crowd=bool(each.get("iscrowd", 0)),
        )
        if box is not None:
            boxes[each["image_id"]].append(box)
    pictures = tuple(
        AnnotatedPicture(str(image["file_name"]).replace("\\", "/"), sizes[number], tuple(boxes[number]))
        for number, image in images.items()
    )
    return Annotations(pictures, tuple(names), tuple(reader.problems))


def _loaded(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
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
    return entries


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0 else None
