"""Where masks lie: in a folder beside that of the pictures, or as Pascal VOC has them; and which of them are bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubel.data.decoding import load_image
from hubel.data.listing import IMAGE_EXTENSIONS
from hubel.data.masks import IGNORED, Legend, Value, read_mask
from hubel.errors import DataError

# What the name of a mask may have behind that of its picture.
SUFFIXES = ("", "_mask", "_masks", "_label", "_labels", "_gt", "_seg")

# Everingham et al. 2010, The PASCAL Visual Object Classes Challenge, doi:10.1007/s11263-009-0275-4.
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)

_SHOWN = 5


@dataclass(frozen=True)
class MaskedPicture:
    """A picture and the image of its mask."""

    picture: Path
    mask: Path


@dataclass(frozen=True)
class BadMask:
    """A picture or mask that cannot be used, and why, in one line that names it."""

    pair: MaskedPicture
    reason: str


def paired(pictures: Path, masks: Path) -> list[MaskedPicture]:
    """The pictures of a folder with the masks of another one: those of the same name, whatever the ending.

    A mask's name may go on with `_mask`, `_label`, `_gt` or `_seg`. Subfolders are looked into, and must be alike.

    Args:
        pictures: Folder of the pictures.
        masks: Folder of the masks.

    Returns:
        In the order of the pictures' names.

    Raises:
        DataError: A folder is missing or has no images, a picture has no mask or two, or a mask no picture; the first
            ones are named.
    """
    by_name = {folder: _by_name(folder) for folder in (pictures, masks)}
    found: list[MaskedPicture] = []
    missing = []
    left = {name: list(paths) for name, paths in by_name[masks].items()}
    for name, paths in sorted(by_name[pictures].items()):
        candidates = [path for suffix in SUFFIXES for path in left.pop(name + suffix, [])]
        if len(paths) > 1 or len(candidates) > 1:
            several = paths if len(paths) > 1 else candidates
            raise DataError(
                f"{_named(several)} have one name: expected one picture and one mask of each name; remove one of them"
            )
        if candidates:
            found.append(MaskedPicture(paths[0], candidates[0]))
        else:
            missing.append(paths[0])
    if missing:
        raise DataError(
            f"{len(missing)} of {len(by_name[pictures])} pictures have no mask in {masks}: {_named(missing)}; "
            "expected a mask of the same name for each"
        )
    if spare := [path for paths in left.values() for path in paths]:
        raise DataError(f"{len(spare)} masks have no picture in {pictures}: {_named(spare)}")
    return found


def voc_pairs(root: Path, split: str = "trainval") -> list[MaskedPicture]:
    """The pictures of a split of Pascal VOC that have a mask, `JPEGImages/*.jpg` with `SegmentationClass/*.png`.

    Args:
        root: The folder that has these folders.
        split: The list in `ImageSets/Segmentation`: `train`, `val`, `trainval`.

    Raises:
        DataError: The list or a file that it names is missing.
    """
    names = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not names.is_file():
        known = sorted(path.stem for path in names.parent.glob("*.txt"))
        there = f"there are {', '.join(known)}" if known else "there are no lists"
        raise DataError(f"{names} does not exist: expected a list of pictures; {there}")
    found = [
        MaskedPicture(root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png")
        for name in names.read_text(encoding="utf-8").split()
    ]
    if missing := [path for pair in found for path in (pair.picture, pair.mask) if not path.is_file()]:
        raise DataError(f"{len(missing)} files that {names} names do not exist: {_named(missing)}")
    return found


def voc_legend(classes: Sequence[str] = VOC_CLASSES) -> Legend:
    """The legend of `SegmentationClass`: the number of the class, 255 along the outlines, which is ignored."""
    values: dict[Value, int] = {number: number for number in range(len(classes))}
    return Legend(tuple(classes), {**values, IGNORED: IGNORED})


def examine(pairs: Sequence[MaskedPicture], legend: Legend) -> list[BadMask]:
    """Which pictures and masks cannot be used: unreadable ones, masks of another size, values that mean nothing."""
    bad = []
    for pair in pairs:
        try:
            picture = load_image(pair.picture, 3)
            read_mask(pair.mask, legend, (picture.height, picture.width))
        except DataError as error:
            bad.append(BadMask(pair, str(error)))
    return bad


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The images of a folder by their paths in it without ending."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}: expected one with images")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith("."):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    if not found:
        raise DataError(f"{folder} has no images: expected some of {', '.join(sorted(IMAGE_EXTENSIONS))}")
    return found


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:_SHOWN])) + (", ..." if len(paths) > _SHOWN else "")
