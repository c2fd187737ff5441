"""What the doctor finds in boxes and masks, and their figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

import numpy as np

from hubel.data.annotated_pictures import ProblemKind
from hubel.data.doctor.examination import WHOLE, Examination, Picture
from hubel.data.doctor.findings import Case, Finding, Level, count_of
from hubel.data.labels import MaskLabel, ObjectsLabel

_ALIKE = 0.9  # intersection over union from which on two boxes of a class are one object marked twice
_SIDES = {"small": 32.0, "medium": 96.0}  # COCO's: the sides of squares of the largest area of each size, in pixels
_TINY = 0.01  # of the picture's side; a network that sees 640 pixels has six for it
_IMBALANCE_NOTED, _IMBALANCE = 50, 200  # how many times more pixels the largest class has than the smallest

_PROBLEMS: Mapping[ProblemKind, tuple[Level, str, str, str]] = {
    "unreadable": ("problem", "file of annotations", "cannot be read", "Training leaves such pictures out."),
    "malformed": (
        "problem",
        "annotation",
        "malformed",
        "Left out: an object that nobody marked is learnt as background. Mend what is wrong.",
    ),
    "unknown class": (
        "problem",
        "object",
        "of an unknown class",
        "Left out. A slip in the name? Correct it, or add the class.",
    ),
    "another size": (
        "problem",
        "picture",
        "of another size than the annotations say",
        "Left out. Resized or replaced after the objects were marked? Mark them again, or put the old picture back.",
    ),
    "no area": ("warning", "box", "without width or height", "Left out. A slip of the mouse: remove it."),
    "outside": ("warning", "box", "outside of the picture", "Left out; mend or remove it."),
    "clipped": ("note", "box", "partly outside of the picture", "Cut off at the edge."),
}
_SEVERAL = {"file of annotations": "files of annotations", "box": "boxes"}


def check_places(examination: Examination) -> Iterator[Finding]:
    """Findings about boxes and masks."""
    yield from _problems(examination)
    if examination.labelling == "boxes":
        yield from _without_objects(examination)
        yield from _marked_twice(examination)
        yield from _tiny(examination)
    elif examination.labelling == "mask":
        yield from _other_sizes(examination)
        yield from _empty_masks(examination)
        yield from _imbalance(examination)


def _problems(examination: Examination) -> Iterator[Finding]:
    for kind, (level, one, what, advice) in _PROBLEMS.items():
        cases = tuple(Case((), str(each)) for each in examination.problems if each.kind == kind)
        if cases:
            title = f"{count_of(len(cases), one, _SEVERAL.get(one))} {what}"
            yield Finding(f"annotations_{kind.replace(' ', '_')}", level, title, advice, cases)


def _without_objects(examination: Examination) -> Iterator[Finding]:
    without = [picture for picture in examination.readable if not objects_of(picture).boxes]
    if without:
        yield Finding(
            "no_objects",
            "note",
            f"{count_of(len(without), 'picture')} without objects",
            "Good data, if there is nothing to find in them: they teach what is no object. If marking them was "
            "forgotten, mark them or leave them out.",
            tuple(Case((picture,)) for picture in without),
        )


def _marked_twice(examination: Examination) -> Iterator[Finding]:
    cases = []
    for picture in examination.readable:
        if pairs := _doubles(objects_of(picture)):
            names = Counter(examination.classes[number] for number in pairs)
            cases.append(Case((picture,), ", ".join(f"{name} {count}" for name, count in names.items())))
    if cases:
        yield Finding(
            "marked_twice",
            "warning",
            f"{count_of(len(cases), 'picture')} with objects that are marked twice",
            f"Two boxes of one class that are nearly the same (intersection over union above {_ALIKE:g}): a network is "
            "asked for two detections where suppression leaves one. Remove one of them.",
            tuple(cases),
        )


def _doubles(label: ObjectsLabel) -> list[int]:
    """The class of each box that is nearly the same as an earlier one of its class."""
    boxes = np.array(label.boxes, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    overlap = shared / (areas[:, None] + areas[None, :] - shared)
    classes = np.array(label.classes)
    alike = np.tril((overlap > _ALIKE) & (classes[:, None] == classes[None, :]), k=-1)
    return classes[alike.any(axis=1)].tolist() if len(classes) else []


def _tiny(examination: Examination) -> Iterator[Finding]:
    cases = []
    for picture in examination.readable:
        label = objects_of(picture)
        height, width = label.size
        tiny = [
            number
            for (x1, y1, x2, y2), number in zip(label.boxes, label.classes, strict=True)
            if min((x2 - x1) / width, (y2 - y1) / height) < _TINY
        ]
        if tiny:
            names = Counter(examination.classes[number] for number in tiny)
            cases.append(Case((picture,), ", ".join(f"{name} {count}" for name, count in names.items())))
    if cases:
        yield Finding(
            "tiny_objects",
            "warning",
            f"{count_of(len(cases), 'picture')} with objects that are less than a hundredth of the side",
            "Little is left of them at a network's size: look at --set data.size, or cut the pictures into parts.",
            tuple(cases),
        )


def _other_sizes(examination: Examination) -> Iterator[Finding]:
    cases = []
    for picture in examination.readable:
        own, (height, width) = picture.facts, mask_of(picture).size
        if (own.height, own.width) != (height, width):
            cases.append(Case((picture,), f"{own.width}×{own.height} pixels, its mask {width}×{height}"))
    if cases:
        yield Finding(
            "mask_sizes",
            "problem",
            f"{count_of(len(cases), 'mask')} of another size than the picture",
            "Training leaves these pictures out. Was one of the two resized or turned? Bring them to one size; masks "
            "without interpolation.",
            tuple(cases),
        )


def _empty_masks(examination: Examination) -> Iterator[Finding]:
    empty = [(p, label) for p in examination.readable if len((label := mask_of(p)).classes) < 2]
    if empty:
        yield Finding(
            "empty_masks",
            "warning",
            f"{count_of(len(empty), 'mask')} of a single class",
            "Is there nothing in the picture, or was it never marked? Leave out what was not marked.",
            tuple(
                Case((picture,), examination.classes[label.classes[0]] if label.classes else "nothing counts")
                for picture, label in empty
            ),
        )


def _imbalance(examination: Examination) -> Iterator[Finding]:
    of_first = next(iter(pixel_shares(examination).values()), {})  # train, or all
    present = {name: share for name, share in of_first.items() if share}
    if len(present) < 2:
        return
    most, fewest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    if present[most] > _IMBALANCE_NOTED * present[fewest]:
        yield Finding(
            "pixel_imbalance",
            "warning" if present[most] > _IMBALANCE * present[fewest] else "note",
            f"{most} has {present[most] / present[fewest]:,.0f} times as many pixels as {fewest} "
            f"({present[most]:.1%} and {present[fewest]:.2%})",
            "Pixel accuracy hardly sees small classes: look at the mean IoU, and see "
            "--set segmentation.loss=weighted+dice.",
        )


def objects_of(picture: Picture) -> ObjectsLabel:
    """The objects of a picture that has boxes."""
    label = picture.sample.label
    assert isinstance(label, ObjectsLabel), f"{picture.name} has {label!r}"
    return label


def mask_of(picture: Picture) -> MaskLabel:
    """The mask of a picture that has one."""
    label = picture.sample.label
    assert isinstance(label, MaskLabel), f"{picture.name} has {label!r}"
    return label


def object_figures(examination: Examination) -> dict[str, dict[str, dict[str, Any]]]:
    """Of each split and class: how many objects, in how many pictures, how large, and how many of COCO's sizes.

    Sizes are the roots of the boxes' areas, in pixels of the picture.
    """
    sides: dict[str, dict[str, list[float]]] = {}
    pictures: dict[str, Counter[str]] = {}
    for split in examination.splits:
        of_class: dict[str, list[float]] = defaultdict(list)
        counted = Counter[str]()
        for picture in examination.readable:
            if picture.split == split:
                label = objects_of(picture)
                counted.update({examination.classes[number] for number in label.classes})
                for (x1, y1, x2, y2), number in zip(label.boxes, label.classes, strict=True):
                    of_class[examination.classes[number]].append(((x2 - x1) * (y2 - y1)) ** 0.5)
        sides[split or WHOLE], pictures[split or WHOLE] = of_class, counted
    return {
        split: {name: _figures(of_class.get(name, []), pictures[split][name]) for name in examination.classes}
        for split, of_class in sides.items()
    }


def _figures(sides: list[float], pictures: int) -> dict[str, Any]:
    small = sum(side < _SIDES["small"] for side in sides)
    medium = sum(side < _SIDES["medium"] for side in sides) - small
    spread = {"least": min(sides), "median": median(sides), "greatest": max(sides)} if sides else {}
    return {
        "objects": len(sides),
        "pictures": pictures,
        "small": small,
        "medium": medium,
        "large": len(sides) - small - medium,
        "side": {name: round(value, 1) for name, value in spread.items()},
    }


def pixel_shares(examination: Examination) -> dict[str, dict[str, float]]:
    """Of each split and class, its share of the pixels that count."""
    shares = {}
    for split in examination.splits:
        own = np.array([picture.split == split for picture in examination.readable], dtype=bool)
        total = examination.pixel_counts[own].sum(axis=0)
        share = total / max(float(total.sum()), 1.0)
        shares[split or WHOLE] = dict(zip(examination.classes, share.tolist(), strict=True))
    return shares
