"""Which objects a picture shows and where, and how well they are found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hubel.results.base import Interval, interval_fields

Box = tuple[float, float, float, float]

CORNERS = ("x1", "y1", "x2", "y2")
_DIGITS = 2  # of a pixel, in files
_SUREST = 3  # objects that a row for people names


@dataclass(frozen=True)
class DetectedObject:
    """An object in a picture.

    Attributes:
        label: Its class's name.
        box: `xyxy` in pixels of the upright picture: left, top, right, bottom.
        score: How sure the model is of it, 0 to 1; None: it is there, as people say.
        ignored: Whether it does not count (difficult, a crowd), as people say.
    """

    label: str
    box: Box
    score: float | None = None
    ignored: bool = False

    @property
    def text(self) -> str:
        """`cat 0.93`."""
        return self.label if self.score is None else f"{self.label} {self.score:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """This object for JSON."""
        return {"label": self.label, "score": self.score, "box": [round(value, _DIGITS) for value in self.box]}


@dataclass(frozen=True)
class DetectedObjects:
    """What a detector says of one picture.

    Attributes:
        classes: Every class's name, in the model's order.
        objects: What it found, the surest first; perhaps nothing.
        size: Height and width of the upright picture.
        path: The picture's file, where it came from one.
    """

    classes: tuple[str, ...]
    objects: tuple[DetectedObject, ...]
    size: tuple[int, int]
    path: str | None = None

    def counts(self) -> dict[str, int]:
        """How many objects of each class there are, the most first; classes without any are left out."""
        return dict(Counter(found.label for found in self.objects).most_common())

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON; every object, whatever `top` is, which is about classes."""
        height, width = self.size
        objects = [found.to_dict() for found in self.objects]
        return {"path": self.path, "width": width, "height": height, "objects": objects}

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row for each object, as hubel reads boxes from CSV; a picture without objects is a row with neither."""
        picture = {"path": self.path, "width": str(self.size[1]), "height": str(self.size[0])}
        rows: list[dict[str, str | None]] = [
            {**picture, "label": found.label, **box_cells(found.box), "score": score_cell(found.score)}
            for found in self.objects
        ]
        return rows or [{**picture, "label": "", **dict.fromkeys(CORNERS, ""), "score": ""}]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people: what there is, and the surest objects."""
        counted = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        surest = ", ".join(found.text for found in self.objects[:_SUREST])
        more = f", ... ({len(self.objects) - _SUREST} more)" if len(self.objects) > _SUREST else ""
        return {"picture": str(self.path), "objects": counted or "–", "surest": surest + more}

    def __repr__(self) -> str:
        counted = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        return f"DetectedObjects({counted or 'nothing'}, path={self.path!r})"


def box_cells(box: Box) -> dict[str, str]:
    """A box as cells of a table."""
    return {name: f"{value:.{_DIGITS}f}" for name, value in zip(CORNERS, box, strict=True)}


def score_cell(score: float | None) -> str:
    """A score as a cell of a table."""
    return "" if score is None else f"{score:.6f}"


@dataclass(frozen=True)
class Curve:
    """Precision by recall of one class at one overlap, 0.5, with the score that a detection needs for it.

    Attributes:
        recall: 101 values, 0 to 1.
        precision: The best precision at this recall or a greater one; 0 where it is not reached.
        score: The least score to report for it; 0 where it is not reached.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    score: tuple[float, ...]


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; None where there are no objects to find.

    Attributes:
        objects: How many objects it has.
        map: Average precision, mean over ten overlaps.
        map50: At the overlap 0.5.
        curve: Precision by recall at the overlap 0.5.
    """

    objects: int
    map: float | None
    map50: float | None
    curve: Curve | None = field(repr=False)


@dataclass(frozen=True)
class Reported:
    """What of a class is reported, and right at the overlap 0.5, where only scores from some value on count.

    Attributes:
        objects: How many objects there are.
        reported: How many detections.
        right: How many of them found an object.
    """

    objects: int
    reported: int
    right: int

    @property
    def precision(self) -> float | None:
        """The share of the detections that is right; None without any."""
        return self.right / self.reported if self.reported else None

    @property
    def recall(self) -> float | None:
        """The share of the objects that is found; None without any."""
        return self.right / self.objects if self.objects else None


@dataclass(frozen=True)
class DetectionDetails:
    """What takes longer to compute than a training epoch should wait for.

    Attributes:
        map_ci95: The 95 % bootstrap interval of `map` over the pictures; None without objects.
        map50_ci95: Likewise, of `map50`.
        class_map50_ci95: Likewise, of each class's `map50`.
        reported: Of each class, at the score that predictions are reported from.
    """

    map_ci95: Interval | None = None
    map50_ci95: Interval | None = None
    class_map50_ci95: Mapping[str, Interval | None] = field(default_factory=dict)
    reported: Mapping[str, Reported] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DetectionMetrics:
    """How well a detector did; None where there are no objects to find.

    Attributes:
        images: How many pictures were measured.
        objects: How many objects they have.
        ignored: How many more do not count: found or not, they change nothing.
        map: Mean average precision over ten overlaps, 0.50 to 0.95.
        map50: At the overlap 0.5.
        map75: At the overlap 0.75.
        recall100: The share of objects found with 100 detections a picture, mean over overlaps and classes.
        by_size: `map` of objects that are `small`, `medium` and `large`.
        by_class: By the class's name.
        least_score: From which score on predictions are reported; `reported` is about it.
        compute_details: Called once, when an interval or what is reported is first asked for.
    """

    images: int
    objects: int
    ignored: int
    map: float | None
    map50: float | None
    map75: float | None
    recall100: float | None
    by_size: dict[str, float | None]
    by_class: dict[str, ClassFigures]
    least_score: float
    compute_details: Callable[[], DetectionDetails] = field(repr=False)

    @cached_property
    def details(self) -> DetectionDetails:
        """Intervals, and what is reported."""
        return self.compute_details()

    @property
    def map_ci95(self) -> Interval | None:
        """The 95 % interval of `map`."""
        return self.details.map_ci95

    @property
    def map50_ci95(self) -> Interval | None:
        """The 95 % interval of `map50`."""
        return self.details.map50_ci95

    @property
    def reported(self) -> Mapping[str, Reported]:
        """By the class's name: what is right of the detections that are reported."""
        return self.details.reported

    @property
    def loss(self) -> float:
        """Not told by predictions."""
        return math.nan

    def figures(self) -> dict[str, float]:
        """What an epoch is judged by; 0 where there was nothing to find."""
        return {"map50": self.map50 or 0.0, "map": self.map or 0.0}

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        return {
            "images": self.images,
            "objects": self.objects,
            "ignored_objects": self.ignored,
            **interval_fields("map50", self.map50, self.map50_ci95),
            **interval_fields("map", self.map, self.map_ci95),
            **interval_fields("map75", self.map75, None),
            **interval_fields("recall100", self.recall100, None),
            **{f"map_{size}": value for size, value in self.by_size.items()},
        }

    def to_full_dict(self) -> dict[str, Any]:
        """Everything but the curves, for `--json`."""
        return self.to_dict() | {"per_class": {name: self.class_dict(name) for name in self.by_class}}

    def class_dict(self, name: str) -> dict[str, Any]:
        """The figures of a class for JSON: average precisions, then precision and recall of what is reported."""
        figures, interval = self.by_class[name], self.details.class_map50_ci95.get(name)
        values = {
            "objects": figures.objects,
            **interval_fields("average_precision50", figures.map50, interval),
            "average_precision": figures.map,
        }
        if (reported := self.reported.get(name)) is not None:
            values |= {"reported": reported.reported, "precision": reported.precision, "recall": reported.recall}
        return values
