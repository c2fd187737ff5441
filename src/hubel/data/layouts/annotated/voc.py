"""Pascal VOC: an XML file for each picture, in `Annotations` or beside it, and maybe lists of the splits.

With `ImageSets/Main/train.txt`, `val.txt` and `test.txt` the pictures that they list count; `trainval.txt` is train and
validation together, and counts where these two are not there. Without lists every XML file has its picture, in the
split that a folder is called by, if any is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from hubel.data.annotated_pictures import AnnotatedPicture, BoxReader
from hubel.data.annotations.voc import parse_voc
from hubel.data.layouts.annotated.boxes import Listed, source_with_boxes
from hubel.data.layouts.place import Place
from hubel.data.sources import Source, Split, split_above

PICTURE_FOLDERS = ("JPEGImages", "images", "Images", "imgs", "pictures", "photos")

_LIST_SPLITS: Mapping[str, Split] = {"train": "train", "val": "validation", "test": "test"}
_MARK = re.compile(r"\s+-?[01]$")  # of the lists of one class


def find_voc(place: Place, tell: Callable[[str], None]) -> Source | None:
    """The data set in Pascal VOC's layout; None where there is none.

    Raises:
        DataError: A list cannot be read, or there is nothing to learn from.
    """
    files = [name for name in place.listing.documents if name.lower().endswith(".xml")]
    folders = _annotation_folders(place, files)
    if not folders:
        return None
    reader, listed, notes = BoxReader(), Listed(), []
    by_stem = _by_stem(place)
    every: set[str] = set()  # the folders of pictures of which no list says which of them count
    for folder in folders:
        above = posixpath.dirname(folder) if _is_annotations(folder) else folder
        own = {posixpath.basename(name)[:-4]: name for name in files if posixpath.dirname(name) == folder}
        lists = read_lists(place, posixpath.join(above, "ImageSets", "Main"))
        near = [*(posixpath.join(above, name) for name in PICTURE_FOLDERS), folder, above]
        if lists:
            if unlisted := [name for stem, name in own.items() if stem not in lists]:
                notes.append(f"annotations that no list names, passed over: {len(unlisted)} (such as {unlisted[0]})")
            for stem, split in lists.items():
                file = own.get(stem, posixpath.join(folder, f"{stem}.xml"))
                _add(place, file, near, split, by_stem, reader, listed, missing=stem not in own)
        else:
            called = split_above(folder)
            for file in own.values():
                every.add(posixpath.dirname(_add(place, file, near, called, by_stem, reader, listed)))
    without = [name for name in place.images if posixpath.dirname(name) in every and name not in listed.pictures]
    if without:
        notes.append(f"pictures without annotations, passed over: {len(without)} (such as {without[0]})")
    return source_with_boxes(place, listed, reader, None, notes)


def read_lists(place: Place, folder: str) -> dict[str, Split]:
    """The split of each picture that the lists in a folder name, by its name without ending; empty without lists."""
    there = {posixpath.basename(name)[:-4]: name for name in place.documents(folder, ".txt")}
    wanted: list[tuple[str, Split]] = [(name, split) for name, split in _LIST_SPLITS.items() if name in there]
    if "trainval" in there and not {"train", "val"} <= there.keys():
        wanted = [("trainval", "train"), *[pair for pair in wanted if pair[0] == "test"]]
    found: dict[str, Split] = {}
    for name, split in wanted:  # test comes last, and counts most
        for line in place.text(there[name]).splitlines():
            if stem := _MARK.sub("", line.strip()):
                found[stem] = split
    return found


def _annotation_folders(place: Place, files: Sequence[str]) -> list[str]:
    """The folders with annotations: those called so, and those where pictures of the same names lie beside."""
    beside = {name[: name.rfind(".")] for name in place.images}
    found = {
        posixpath.dirname(name)
        for name in files
        if _is_annotations(posixpath.dirname(name)) or name[: name.rfind(".")] in beside
    }
    return sorted(found)


def _is_annotations(folder: str) -> bool:
    return posixpath.basename(folder).lower() in ("annotations", "annotation", "xmls", "xml", "labels")


def _by_stem(place: Place) -> dict[str, str]:
    """The images by their paths without ending."""
    return {name[: name.rfind(".")]: name for name in place.images}


def _add(
    place: Place,
    file: str,
    near: Sequence[str],
    split: Split | None,
    by_stem: Mapping[str, str],
    reader: BoxReader,
    listed: Listed,
    *,
    missing: bool = False,
) -> str:
    """List the picture of an annotation file; its name."""
    stem = posixpath.basename(file)[:-4]
    beside = next((by_stem[at] for folder in near if (at := posixpath.join(folder, stem)) in by_stem), None)
    reason, picture, since = "", None, len(reader.problems)
    if missing:
        reason = f"its annotations {file} do not exist"
        reader.report(str(place.where(file)), "unreadable", "it does not exist; left out")
    else:
        try:
            picture = parse_voc(place.read(file), place.where(file), reader)
        except OSError as error:
            reader.report(str(place.where(file)), "unreadable", f"{error.strerror or error}; left out")
        if picture is None:
            reason = f"its annotations {file}: {reader.reasons_since(since)}"
    name = beside or _told_name(place, picture, stem, near)
    listed.add(name, picture, split, reason)
    return name


def _told_name(place: Place, picture: AnnotatedPicture | None, stem: str, near: Sequence[str]) -> str:
    """The picture that an annotation file names itself, where none beside it has its name."""
    return place.find(picture.name if picture is not None else f"{stem}.jpg", near)
