"""COCO: a JSON file for each split, in `annotations` or beside its pictures; boxes, or masks from its outlines."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from hubel.data.annotated_pictures import BoxReader
from hubel.data.annotations.coco import COCOFile, coco_pictures, parse_coco
from hubel.data.decoding import Header
from hubel.data.labels import MaskLabel
from hubel.data.layouts.annotated.boxes import Listed, source_with_boxes
from hubel.data.layouts.place import Place
from hubel.data.masks.polygons import Outlines, outline_problem
from hubel.data.sources import SPLIT_NAMES, Entry, Source, Split, in_usual_order
from hubel.errors import DataError

BACKGROUND = "background"

_BEGINNING = 2**16  # bytes, in which a file of COCO's kind tells what it is
_KEY = re.compile(rb'"(images|annotations|categories|info|licenses)"\s*:')
_ENTRY = re.compile(rb'"(file_name|category_id)"\s*:')  # of a list that may be longer than the beginning
_WORD = re.compile(r"[a-z]+")


def find_coco(place: Place, *, masks: bool) -> Source | None:
    """The data set in COCO's layout; None where there is none.

    Args:
        place: A folder or an archive.
        masks: Whether masks are wanted, and not boxes; outlines without any box are for masks.

    Raises:
        DataError: A file is damaged, the files of several splits have other categories, or there is nothing in them.
    """
    names = [name for name in place.listing.documents if name.lower().endswith(".json") and _is_coco(place, name)]
    if not names or not place.images:
        return None
    instances = [name for name in names if "instances" in posixpath.basename(name).lower()]
    files = {name: parse_coco(place.content(name), place.where(name)) for name in instances or names}
    masks = masks or _has_outlines_alone(files.values())
    split_of = {name: _split_of(name) for name in files}
    if len(files) > 1 and None in split_of.values():
        odd = [name for name, split in split_of.items() if split is None]
        raise DataError(
            f"{place.root} has several annotation files, of which {', '.join(odd)} names no split: expected one file, "
            "or train, val or test in each name"
        )
    classes = _classes(place, files)
    return _with_masks(place, files, split_of, classes) if masks else _with_boxes(place, files, split_of, classes)


def _is_coco(place: Place, name: str) -> bool:
    try:
        if place.container is None:
            with place.where(name).open("rb") as file:
                beginning = file.read(_BEGINNING)
        else:
            beginning = place.read(name)[:_BEGINNING]
    except OSError:
        return False
    keys = set(_KEY.findall(beginning))
    return not keys.isdisjoint({b"images", b"annotations"}) and (len(keys) > 1 or _ENTRY.search(beginning) is not None)


def _has_outlines_alone(files: Iterable[COCOFile]) -> bool:
    """Whether no object has a box (one of zeros is none), but some have an outline."""
    objects = [each for file in files for of_picture in file.annotations.values() for each in of_picture]
    boxes = (each.get("bbox") for each in objects)
    return not any(any(box) if isinstance(box, list) else box for box in boxes) and any(
        each.get("segmentation") for each in objects
    )


def _split_of(name: str) -> Split | None:
    """The split that a file, or the folder that it lies in, is called by: `instances_train2017.json`."""
    words = [word for part in reversed(name.split("/")) for word in _WORD.findall(part.lower())]
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def _classes(place: Place, files: dict[str, COCOFile]) -> tuple[str, ...]:
    """The categories, by their ids; the same in every file."""
    first, *others = files
    classes = files[first].classes
    for other in others:
        if set(files[other].classes) != set(classes):
            different = sorted(set(files[other].classes) ^ set(classes))
            raise DataError(
                f"{place.where(first)} and {place.where(other)} have other categories ({', '.join(different[:5])}): "
                "expected the same in every split"
            )
    return classes


def _near(name: str) -> list[str]:
    """The folders that the pictures of a file may lie in, the likeliest first."""
    folder, stem = posixpath.dirname(name), posixpath.splitext(posixpath.basename(name))[0]
    part = stem.rpartition("_")[2]
    above = posixpath.dirname(folder)
    return [
        *(posixpath.join(above, *inner) for inner in (("images", part), (part,), (part, "images"), ("images",))),
        *(posixpath.join(folder, *inner) for inner in (("images", part), (part,), (), ("images",))),
        above,
        "",
    ]


def _with_boxes(
    place: Place, files: dict[str, COCOFile], split_of: dict[str, Split | None], classes: Sequence[str]
) -> Source:
    reader, listed = BoxReader(), Listed()
    for name, file in files.items():
        for picture in coco_pictures(file, reader):
            listed.add(place.find(picture.name, _near(name)), picture, split_of[name])
    return source_with_boxes(place, listed, reader, classes)


def _with_masks(
    place: Place, files: dict[str, COCOFile], split_of: dict[str, Split | None], classes: Sequence[str]
) -> Source:
    """Masks drawn from the outlines; what no object covers is the background."""
    names = classes if BACKGROUND in classes else (BACKGROUND, *classes)
    reader = BoxReader()
    splits: dict[Split | None, list[Entry]] = {}
    unusable: dict[str, str] = {}
    for name, file in files.items():
        found = {place.find(str(image["file_name"]), _near(name)): number for number, image in file.images.items()}
        headers = place.headers([picture for picture in found if picture in place.images])
        numbers = {category: names.index(called) for category, called in file.categories.items()}
        for picture, image in sorted(found.items()):
            header, label = headers.get(picture), None
            if isinstance(header, Header):
                label, reason = _mask(place, name, file, image, header, numbers, names.index(BACKGROUND))
                if reason:
                    unusable[picture] = reason
                    reader.report(str(place.where(picture)), "malformed", f"{reason}; left out")
            elif header is not None:
                unusable[picture] = header.reason
            splits.setdefault(split_of[name], []).append(Entry(place.file(picture), label))
    return Source(
        root=place.root,
        base=place.root,
        classes=tuple(names),
        splits=in_usual_order(splits),
        labelling="mask",
        container=place.container,
        notes=place.listing.notes,
        problems=tuple(reader.problems),
        unusable=unusable,
    )


def _mask(
    place: Place,
    name: str,
    file: COCOFile,
    image: object,
    header: Header,
    numbers: dict[int, int],
    background: int,
) -> tuple[MaskLabel | None, str]:
    """The mask of a picture, or the reason why there is none."""
    size = file.size_of(image) or header.upright
    turned = size == header.stored and header.swapped
    if size != header.upright and not turned:
        told_size, own = (f"{width}×{height}" for width, height in (size, header.upright))
        return None, f"it has {own} pixels, its annotations are for {told_size}"
    annotations = tuple(file.annotations.get(image, ()))
    if reason := outline_problem(annotations, size[::-1], numbers):
        return None, reason
    outlines = Outlines(
        where=f"{place.where(name)}, {file.images[image]['file_name']}",
        annotations=annotations,
        names=file.categories,
        classes=numbers,
        background=background,
        orientation=header.orientation if turned and size[0] != size[1] else 1,
    )
    present = {numbers[each["category_id"]] for each in annotations if not each.get("iscrowd")}
    return MaskLabel(header.upright[::-1], outlines, tuple(sorted({background, *present}))), ""
