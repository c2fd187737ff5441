"""Images with masks: a folder of masks beside that of the pictures, with or without split folders; or Pascal VOC."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hubel.data.files.digests import digest_files
from hubel.data.labels import MaskLabel
from hubel.data.layouts.annotated.folder_names import MASKS, OBJECT_MASKS, PICTURES
from hubel.data.layouts.annotated.voc import read_lists
from hubel.data.layouts.place import Place
from hubel.data.masks.labels import masks_as_labels
from hubel.data.masks.reading import Legend, parse_legend, voc_legend
from hubel.data.sources import Entry, Source, Split, in_usual_order, split_called
from hubel.errors import DataError
from hubel.results.naming import some

# What the name of a mask may have behind that of its picture.
_SUFFIXES = ("", "_mask", "_masks", "_label", "_labels", "_gt", "_seg")
_LEGENDS = ("legend.csv", "legend.txt", "labelmap.txt", "classes.csv", "class_dict.csv", "label_colors.txt")
_VOC = re.compile(r"voc[-_ ]?\d{4}$", re.IGNORECASE)
_WORTH_TELLING = 500  # masks
_MISSING = "its mask does not exist, or cannot be opened"


@dataclass(frozen=True)
class _Pair:
    """A folder of pictures and that of their masks, by their names."""

    pictures: str
    masks: str
    split: Split | None


def find_masks(place: Place, tell: Callable[[str], None]) -> Source | None:
    """The data set of images with masks; None where there is none.

    Raises:
        DataError: Pictures and masks do not fit together, or the masks have no classes.
    """
    pairs = _folder_pairs(place)
    if not pairs:
        return None
    splits = {pair.split for pair in pairs}
    if len(pairs) > 1 and (None in splits or len(splits) < len(pairs)):
        folders = ", ".join(pair.masks for pair in pairs)
        raise DataError(f"{place.root} has several folders of masks ({folders}): give one of the folders above them")
    entries: dict[Split | None, list[tuple[str, str]]] = {}
    notes: list[str] = []
    for pair in pairs:
        lists = read_lists(place, posixpath.join(posixpath.dirname(pair.masks), "ImageSets", "Segmentation"))
        for picture, mask, stem in _paired(place, pair, notes, listed=lists):
            split = lists[stem] if lists else pair.split
            entries.setdefault(split, []).append((picture, mask))
    return _source(place, pairs, entries, notes, tell)


def mask_images(place: Place) -> frozenset[str]:
    """The images of a folder or an archive that are masks of others there, by their names: no pictures to predict.

    They lie where `find_masks` finds them, and in Pascal VOC's folder of objects beside them. Where no name agrees with
    that of a picture, they are no masks.
    """
    found: set[str] = set()
    for pair in _folder_pairs(place):
        masks = _by_stem(place, pair.masks)
        if any(f"{stem}{suffix}" in masks for stem in _by_stem(place, pair.pictures) for suffix in _SUFFIXES):
            above = posixpath.dirname(pair.masks)
            of_objects = [name for name in place.folders if name.lower() == posixpath.join(above, OBJECT_MASKS).lower()]
            found.update(name for folder in (pair.masks, *of_objects) for name in place.in_folder(folder))
    return frozenset(found)


def _source(
    place: Place,
    pairs: Sequence[_Pair],
    entries: Mapping[Split | None, Sequence[tuple[str, str]]],
    notes: Sequence[str],
    tell: Callable[[str], None],
) -> Source:
    masks = sorted({mask for of_split in entries.values() for _, mask in of_split})
    digests = digest_files(place.where(pairs[0].masks), [place.file(mask) for mask in masks], place.read)
    told = False

    def progress(done: int, total: int) -> None:
        nonlocal told
        if not told and total >= _WORTH_TELLING:
            tell(f"the values of {total:,} masks are looked up, once")
            told = True

    readable = [mask for mask in masks if mask in digests]
    images = [place.sample(mask, digests[mask]) for mask in readable]
    legend, labels = masks_as_labels(images, _legend(place, pairs), progress)
    label_of = dict(zip(readable, labels, strict=True))
    unusable: dict[str, str] = {}
    splits = {
        split: [
            Entry(place.file(picture), _usable(picture, label_of.get(mask, _MISSING), unusable))
            for picture, mask in sorted(pairs_of_split)
        ]
        for split, pairs_of_split in entries.items()
    }
    return Source(
        root=place.root,
        base=place.root,
        classes=legend.classes,
        splits=in_usual_order(splits),
        labelling="mask",
        container=place.container,
        notes=(*place.listing.notes, *notes),
        unusable=unusable,
    )


def _usable(picture: str, label: MaskLabel | str, unusable: dict[str, str]) -> MaskLabel | None:
    if isinstance(label, MaskLabel):
        return label
    unusable[picture] = label
    return None


def _folder_pairs(place: Place) -> list[_Pair]:
    """Folders of masks with their pictures.

    `images` beside `masks`, `train/images` beside `train/masks`, or `images/train` and `masks/train`.
    """
    called = sorted(folder for folder in place.folders if posixpath.basename(folder).lower() in MASKS)
    with_images = {posixpath.dirname(name) for name in place.images} if called else set()
    found: list[_Pair] = []
    for masks in called:
        above = posixpath.dirname(masks)
        beside = [
            folder
            for folder in place.folders
            if folder and posixpath.dirname(folder) == above and posixpath.basename(folder).lower() in PICTURES
        ]
        below = {folder for folder in with_images if folder == masks or folder.startswith(f"{masks}/")}
        if not below or len(beside) != 1:
            continue
        pictures = beside[0]
        inner = {folder[len(masks) + 1 :] for folder in below if folder != masks}
        tops = {folder.partition("/")[0] for folder in inner}
        by_split = {top: split_called(top) for top in tops}
        if masks not in below and tops and None not in by_split.values():
            found += [_Pair(f"{pictures}/{top}", f"{masks}/{top}", split) for top, split in sorted(by_split.items())]
        else:
            found.append(_Pair(pictures, masks, split_called(posixpath.basename(above)) if above else None))
    return found


def _paired(place: Place, pair: _Pair, notes: list[str], *, listed: Mapping[str, Split]) -> list[tuple[str, str, str]]:
    """The pictures of a folder, the mask of each, and their common name.

    Raises:
        DataError: A picture has no mask or two, or nothing fits; the first ones are named.
    """
    pictures, masks = _by_stem(place, pair.pictures), _by_stem(place, pair.masks)
    found: list[tuple[str, str, str]] = []
    missing = []
    used: set[str] = set()
    for stem, names in sorted(pictures.items()):
        if listed and stem not in listed:
            continue
        candidates = [(stem + suffix, name) for suffix in _SUFFIXES for name in masks.get(stem + suffix, ())]
        if len(names) > 1 or len(candidates) > 1:
            several = names if len(names) > 1 else [name for _, name in candidates]
            raise DataError(
                f"{', '.join(several)} in {place.root} have one name: expected one picture and one mask of each name; "
                "remove one of them"
            )
        if candidates:
            used.add(candidates[0][0])
            found.append((names[0], candidates[0][1], stem))
        elif listed:
            found.append((names[0], f"{pair.masks}/{stem}.png", stem))
        else:
            missing.append(names[0])
    gone = [stem for stem in listed if stem not in pictures]  # such as are listed count as those that cannot be read
    found += [(f"{pair.pictures}/{stem}.jpg", masks.get(stem, [f"{pair.masks}/{stem}.png"])[0], stem) for stem in gone]
    where = place.where(pair.masks)
    if not used:
        raise DataError(f"no picture in {place.where(pair.pictures)} has a mask of the same name in {where}")
    if missing:
        notes.append(f"pictures without a mask in {where}, passed over: {len(missing)} (such as {some(missing)})")
    if spare := [name for stem, names in masks.items() if stem not in used for name in names if not listed]:
        notes.append(f"masks without a picture, passed over: {len(spare)} (such as {some(spare)})")
    return found


def _by_stem(place: Place, folder: str) -> dict[str, list[str]]:
    """The images of a folder and below, by their paths in it without ending."""
    found: dict[str, list[str]] = {}
    for name in place.in_folder(folder):
        path = name[len(folder) + 1 :] if folder else name
        found.setdefault(path[: path.rfind(".")], []).append(name)
    return found


def _legend(place: Place, pairs: Sequence[_Pair]) -> Legend | None:
    """What the values of masks mean, where a file tells, or a name that every legend goes by; else None."""
    folders = dict.fromkeys(folder for pair in pairs for folder in (pair.masks, posixpath.dirname(pair.masks), ""))
    there = {*place.listing.documents, *place.listing.tables}
    for folder in folders:
        for called in _LEGENDS:
            if (name := posixpath.join(folder, called)) in there:
                return parse_legend(place.text(name), place.where(name))
    above = posixpath.dirname(pairs[0].masks) or place.root.name
    return voc_legend() if _VOC.search(above) and pairs[0].masks.endswith("SegmentationClass") else None
