"""`data.html`: a data set on one page, with the pictures that something is wrong with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hubel.data.doctor.diagnosis import Diagnosis
from hubel.data.doctor.examination import WHOLE, Examination, Picture
from hubel.data.doctor.findings import Case, Finding
from hubel.data.drawing.thumbnails import thumbnail_with_label
from hubel.data.labels import classes_of
from hubel.files import write_whole
from hubel.pages import render_page
from hubel.results.naming import counted
from hubel.results.palette import class_colour, colours_of
from hubel.version import __version__

_CASES_SHOWN = 24
_PICTURES_OF_A_CASE = 4
_SAMPLES_PER_CLASS, _SAMPLES_WITH_PLACES = 8, 3
_ROWS_WITHOUT_CLASSES = 3
_MOST_CLASSES_WITH_SAMPLES = 30
_MOST_CLASSES_COUNTED = 200
_MOST_SIZES = 400
_VALUE_BINS = 24


def write_page(path: Path, diagnosis: Diagnosis) -> None:
    """Write the page, whole or not at all."""
    examination = diagnosis.examination
    text = render_page(
        "hubel.data.doctor",
        "data.html.j2",
        name=examination.root.resolve().name,
        version=__version__,
        diagnosis=diagnosis,
        examination=examination,
        splits=[split or WHOLE for split in examination.splits],
        findings=[_finding(examination, finding) for finding in diagnosis.findings],
        classes=_class_rows(examination),
        values=_value_rows(examination) if examination.labelling == "number" else [],
        sizes=_sizes(examination.readable),
        samples=_samples(examination),
        colours=_colours(examination),
        places=examination.labelling in ("boxes", "mask"),
    )
    write_whole(path, text)


def _finding(examination: Examination, finding: Finding) -> dict[str, Any]:
    return {
        "finding": finding,
        "cases": [_case(examination, case) for case in finding.cases[:_CASES_SHOWN]],
        "single": all(len(case.pictures) == 1 for case in finding.cases),
        "more": max(len(finding.cases) - _CASES_SHOWN, 0),
    }


def _case(examination: Examination, case: Case) -> dict[str, Any]:
    return {
        "remark": case.remark,
        "pictures": [
            {
                "address": _shown(examination, picture) if picture.readable else None,
                "name": picture.name,
                "label": examination.label_of(picture),
                "split": picture.split,
                "facts": picture.facts,
            }
            for picture in case.pictures[:_PICTURES_OF_A_CASE]
        ],
        "more": max(len(case.pictures) - _PICTURES_OF_A_CASE, 0),
    }


def _shown(examination: Examination, picture: Picture) -> str | None:
    """A picture for the page, with what is marked in it."""
    return thumbnail_with_label(picture.sample, examination.classes)


def _colours(examination: Examination) -> dict[str, str]:
    """The colour that each class is drawn in; empty where nothing is drawn."""
    if examination.labelling == "boxes":
        colours = [class_colour(number) for number in range(len(examination.classes))]
    elif examination.labelling == "mask":
        colours = colours_of(examination.classes)
    else:
        return {}
    return {name: f"rgb{colour}" for name, colour in zip(examination.classes, colours, strict=True)}


def _class_rows(examination: Examination) -> list[dict[str, Any]]:
    """For each class its name, its pictures by split, and their sum as a share of the largest class's."""
    counts = examination.counts()
    totals = {name: sum(of_class[name] for of_class in counts.values()) for name in examination.classes}
    largest = max(totals.values(), default=0) or 1
    return [
        {"name": name, "counts": [of_class[name] for of_class in counts.values()], "share": totals[name] / largest}
        for name in examination.classes[:_MOST_CLASSES_COUNTED]
    ]


def _value_rows(examination: Examination) -> list[dict[str, Any]]:
    """A histogram of the values of each split: the edges' texts and the bars' heights."""
    values = {
        split: [float(p.sample.label) for p in examination.readable if p.split == split]  # type: ignore[arg-type]
        for split in examination.splits
    }
    _, edges = np.histogram([value for of_split in values.values() for value in of_split], bins=_VALUE_BINS)
    rows = []
    for split, of_split in values.items():
        bars, _ = np.histogram(of_split, bins=edges)
        highest = max(int(bars.max()), 1)
        bins = zip(bars.tolist(), edges[:-1], edges[1:], strict=True)
        rows.append(
            {
                "split": split or WHOLE,
                "pictures": len(of_split),
                "bars": [
                    {"height": number / highest, "title": f"{low:.4g} to {high:.4g}: {number:,}"}
                    for number, low, high in bins
                ],
                "least": f"{edges[0]:.4g}",
                "greatest": f"{edges[-1]:.4g}",
            }
        )
    return rows


def _sizes(pictures: Sequence[Picture]) -> dict[str, Any]:
    """The most frequent sizes as points of a drawing: widths to the right and heights up, areas as counts."""
    sizes = Counter((picture.facts.width, picture.facts.height) for picture in pictures)
    if not sizes:
        return {"points": [], "side": 0}
    side = max(max(size) for size in sizes)
    most = max(sizes.values())
    points = [
        {
            "x": width / side,
            "y": height / side,
            "radius": 1.5 + 8.5 * (number / most) ** 0.5,
            "title": f"{width}×{height}: {counted(number, 'picture')}",
        }
        for (width, height), number in sizes.most_common(_MOST_SIZES)
    ]
    return {"points": points, "side": side, "common": sizes.most_common(5)}


def _samples(examination: Examination) -> list[tuple[str, list[str]]]:
    """A few pictures of each class, evenly spaced."""
    if not examination.classes:
        return _samples_without_classes(examination)
    rows = []
    shown: set[str] = set()
    places = examination.labelling in ("boxes", "mask")
    wanted = _SAMPLES_WITH_PLACES if places else _SAMPLES_PER_CLASS
    for index, name in enumerate(examination.classes[:_MOST_CLASSES_WITH_SAMPLES]):
        of_class = [picture for picture in examination.readable if index in classes_of(picture.sample.label)]
        if places:  # most have several classes: others than are shown already, where there are
            of_class = [picture for picture in of_class if picture.name not in shown] or of_class
        chosen = np.linspace(0, len(of_class) - 1, min(wanted, len(of_class))).astype(int)
        shown.update(of_class[at].name for at in chosen)
        rows.append((name, [address for at in chosen if (address := _shown(examination, of_class[at]))]))
    return rows


def _samples_without_classes(examination: Examination) -> list[tuple[str, list[str]]]:
    """Some pictures, evenly spaced; those that have numbers from the least to the greatest."""
    pictures = list(examination.readable)
    numbers = examination.labelling == "number"
    if numbers:
        pictures.sort(key=lambda picture: float(picture.sample.label))  # type: ignore[arg-type]
    places = np.linspace(0, len(pictures) - 1, min(_ROWS_WITHOUT_CLASSES * _SAMPLES_PER_CLASS, len(pictures)))
    chosen = [pictures[at] for at in places.astype(int)]
    rows = []
    for start in range(0, len(chosen), _SAMPLES_PER_CLASS):
        row = chosen[start : start + _SAMPLES_PER_CLASS]
        title = " to ".join(examination.label_of(picture) for picture in (row[0], row[-1])) if numbers else ""
        rows.append((title, [address for picture in row if (address := _shown(examination, picture))]))
    return rows
