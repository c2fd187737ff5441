"""YOLO: a text file for each picture, in `labels` where the picture is in `images`, and maybe a `data.yaml`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from hubel.data.annotated_pictures import AnnotatedPicture, BoxReader
from hubel.data.annotations.yolo import classes_in, parse_data_yaml, parse_labels
from hubel.data.decoding import Header
from hubel.data.files.listing import list_folder
from hubel.data.layouts.annotated.boxes import Listed, source_with_boxes
from hubel.data.layouts.place import Place
from hubel.data.sources import Source, Split, split_above, split_called
from hubel.errors import DataError, cannot_read

_NAMES = ("classes.txt", "obj.names", "classes.names", "labels.names")  # a class a line
_NO_LABELS = frozenset({*_NAMES, "train.txt", "val.txt", "test.txt", "readme.txt", "license.txt", "notes.txt"})
_DRIVE = re.compile(r"[A-Za-z]:/")
_LOOKED_AT = 20  # files of labels that are not empty, to tell them from other texts


def find_yolo(place: Place, tell: Callable[[str], None]) -> Source | None:
    """The data set in YOLO's layout; None where there is none.

    Raises:
        DataError: The `data.yaml` cannot be read or is damaged, or there is nothing to learn from.
    """
    for name in place.listing.documents:
        if name.lower().endswith((".yaml", ".yml")) and name.count("/") <= 1:
            text = place.content(name)
            content = parse_data_yaml(text, place.where(name)) if b"names" in text else {}
            if "names" in content and any(split_called(str(key)) for key in content):
                return _source(place, content, place.where(name), posixpath.dirname(name))
    labels = {name[: -len(".txt")]: name for name in place.listing.documents if _may_be_labels(name)}
    pictures = [name for name in place.images if _labels_stem(name) in labels]
    if not pictures:
        return None
    folders = {posixpath.dirname(name) for name in pictures}  # pictures without a file of labels have no objects
    every = [name for name in place.images if posixpath.dirname(name) in folders]
    split_of: dict[str, Split | None] = {name: split_above(posixpath.dirname(name)) for name in every}
    if None in split_of.values():
        split_of = dict.fromkeys(every)
    texts = (_some_text(place, labels[_labels_stem(name)]) for name in pictures)
    if not any(map(_looks_right, islice((text for text in texts if text.strip()), _LOOKED_AT))):
        return None
    return _read(place, split_of, _listed_classes(place))


def source_of_yaml(path: Path) -> Source:
    """The data set that a `data.yaml` describes, which may lie elsewhere.

    Raises:
        DataError: It is damaged, or names no pictures.
    """
    try:
        content = parse_data_yaml(path.read_bytes(), path)
    except OSError as error:
        raise cannot_read(path, error) from error
    base = path.parent / str(content.get("path") or "")
    place = Place(list_folder(base if base.is_dir() else path.parent))
    return replace(_source(place, content, path, ""), root=path)


def _source(place: Place, content: Mapping[str, Any], file: Path, folder: str) -> Source:
    """The data set of a `data.yaml`, whose paths are relative to a folder."""
    classes = classes_in(content, file)
    named = str(content.get("path") or "").replace("\\", "/")
    base = posixpath.normpath(posixpath.join(folder, named)) if named and not _is_absolute(named) else folder
    above = [each for each in dict.fromkeys((base, folder, "")) if each in place.folders or each == ""]
    split_of: dict[str, Split | None] = {}
    notes: list[str] = []
    for key, value in content.items():
        split = split_called(str(key))
        if split is None or not value:
            continue
        for entry in value if isinstance(value, list) else [value]:
            told = str(entry).replace("\\", "/")
            try:
                pictures = _pictures(place, file, above, told)
            except DataError:
                if split != "test":
                    raise
                notes.append(f"{file.name} names {told} for test, which has no images here: passed over")
                continue  # exports name a test split that they do not have
            split_of |= dict.fromkeys(pictures, split)
    if not split_of:
        raise DataError(f"{file} names no pictures: expected a folder under train, and perhaps under val and test")
    return _read(place, split_of, classes, notes)


def _is_absolute(told: str) -> bool:
    """Whether a path with forward slashes begins at a root, that of a drive of Windows, too."""
    return told.startswith("/") or _DRIVE.match(told) is not None


def _pictures(place: Place, file: Path, above: Sequence[str], told: str) -> list[str]:
    """The pictures that a `data.yaml` tells of: those of a folder, or those that a text file lists."""
    tried = [told, told.removeprefix("../")]  # as some exports write, although the folder is beside the file
    if _is_absolute(told):  # of another computer: the last parts may be the same here
        parts = told.strip("/").split("/")
        tried = ["/".join(parts[start:]) for start in range(len(parts))]
    for each in tried:
        for folder in above:
            name = posixpath.normpath(posixpath.join(folder, each)).removeprefix("./")
            if name in place.listing.documents:
                near = [posixpath.dirname(name), *above]
                lines = place.text(name).splitlines()
                return [place.find(line.strip().replace("\\", "/"), near) for line in lines if line.strip()]
            if name in place.folders and (found := place.in_folder("" if name == "." else name)):
                return found
    if _is_absolute(told) and Path(told).exists():
        raise DataError(
            f"{file} names {told}, which is outside of {place.root}: put the file into the folder above the pictures "
            "and their labels, or name that folder under path and give the file itself"
        )
    raise DataError(f"{file} names {told}, which has no images here: expected a folder of pictures, or a list of them")


def _read(
    place: Place, split_of: Mapping[str, Split | None], classes: Sequence[str] | None, notes: Sequence[str] = ()
) -> Source:
    """The pictures with the objects in their files of labels."""
    documents = set(place.listing.documents)
    headers = place.headers([name for name in split_of if name in place.images])
    texts: dict[str, str] = {}
    unread: dict[str, str] = {}
    for name in split_of:
        if (labels := f"{_labels_stem(name)}.txt") in documents:
            try:
                texts[name] = place.read(labels).decode("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                unread[name] = f"its labels {labels} cannot be read ({getattr(error, 'strerror', None) or error})"
    if classes is None:
        classes = _numbered(texts.values())
    reader, listed = BoxReader(classes), Listed()
    for name, split in split_of.items():
        header = headers.get(name)
        if name in unread:
            reader.report(str(place.where(name)), "unreadable", f"{unread[name]}; left out")
            listed.add(name, None, split, unread[name])
            continue
        if not isinstance(header, Header):  # missing, or damaged, which is told with the reason
            listed.add(name, AnnotatedPicture(name, None, ()), split)
            continue
        file = place.where(f"{_labels_stem(name)}.txt")
        boxes = parse_labels(texts.get(name, ""), file, header.upright, reader)
        listed.add(name, AnnotatedPicture(name, header.upright, tuple(boxes)), split)
    return source_with_boxes(place, listed, reader, classes, notes)


def _labels_stem(picture: str) -> str:
    """The path without ending of the labels of a picture."""
    parts = picture.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    path = "/".join(parts)
    return path[: path.rfind(".")]


def _may_be_labels(name: str) -> bool:
    return name.lower().endswith(".txt") and posixpath.basename(name).lower() not in _NO_LABELS


def _some_text(place: Place, name: str) -> str:
    """A text that need not be one, as far as it can be read."""
    try:
        return place.read(name).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _looks_right(text: str) -> bool:
    """Whether the first line of a file is a class and numbers."""
    cells = text.strip().partition("\n")[0].split()
    try:
        return len(cells) >= 5 and all(float(cell) >= 0 for cell in cells)
    except ValueError:
        return False


def _listed_classes(place: Place) -> tuple[str, ...] | None:
    """The names of the classes in a text file; None where there is none."""
    files = [name for name in place.listing.documents if posixpath.basename(name).lower() in _NAMES]
    if not files:
        return None
    return tuple(line.strip() for line in place.text(files[0]).splitlines() if line.strip())


def _numbered(texts: Any) -> tuple[str, ...]:
    """Numbers for names, as many as the greatest class in the files asks for."""
    greatest = 0
    for text in texts:
        for line in text.splitlines():
            first = line.split(maxsplit=1)[:1]
            if first and first[0].isdecimal():
                greatest = max(greatest, int(first[0]))
    return tuple(map(str, range(greatest + 1)))
