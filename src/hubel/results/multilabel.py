"""What a model says of pictures that may have several labels, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubel.results.base import Interval, interval_fields
from hubel.results.classification import ClassScores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class MultiLabel:
    """Which of several labels a picture has; perhaps none.

    Attributes:
        classes: Every label's name, in the model's order.
        probabilities: float64 of shape (num_classes,): of each label for itself, they need not sum to 1.
        thresholds: The probability from which on a picture is given each label.
        path: The picture's file, where it came from one.
    """

    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    thresholds: tuple[float, ...]
    path: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the picture is given, in the model's order."""
        given = zip(self.classes, self.probabilities, self.thresholds, strict=True)
        return tuple(name for name, probability, threshold in given if probability >= threshold)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable labels with their probabilities, the best first."""
        best = (-self.probabilities).argsort(kind="stable")[:k]
        return [(self.classes[i], float(self.probabilities[i])) for i in best]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON, with the most probable labels' probabilities alone where `top` tells how many."""
        return {
            "path": self.path,
            "labels": list(self.labels),
            "probabilities": dict(self.top(len(self.classes) if top is None else top)),
        }

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs: the labels as manifests have them, and each one's probability."""
        row: dict[str, str | None] = {"path": self.path, "labels": "|".join(self.labels)}
        shares = zip(self.classes, self.probabilities, strict=True)
        return [row | {f"probability {name}": f"{probability:.6f}" for name, probability in shares}]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        probabilities = ", ".join(f"{name} {probability:.3f}" for name, probability in self.top(top))
        return {"picture": str(self.path), "labels": ", ".join(self.labels) or "–", "probabilities": probabilities}

    def __repr__(self) -> str:
        return f"MultiLabel({', '.join(self.labels) or 'no label'}, path={self.path!r})"


@dataclass(frozen=True)
class LabelScores:
    """How well one label is told.

    Attributes:
        at_threshold: Precision, recall and F1 of the pictures that are given the label.
        threshold: The probability from which on they are.
        average_precision: Area under the precision-recall steps over all thresholds; None where no picture has the
            label.
        average_precision_ci95: Its 95 % interval (jackknife on the logit scale); None where no picture has the label,
            or all have it.
    """

    at_threshold: ClassScores
    threshold: float
    average_precision: float | None
    average_precision_ci95: Interval | None

    @property
    def name(self) -> str:
        """The label."""
        return self.at_threshold.name

    def to_dict(self) -> dict[str, Any]:
        """These scores for JSON, without the name."""
        average_precision = interval_fields("average_precision", self.average_precision, self.average_precision_ci95)
        return {**average_precision, "threshold": self.threshold, **self.at_threshold.to_dict()}


@dataclass(frozen=True, eq=False)
class MultiLabelMetrics:
    """A model of several labels measured on one split.

    Attributes:
        images: How many pictures were measured.
        loss: Mean binary cross entropy in nats, over pictures and labels.
        loss_ci95: Its 95 % interval (Student's t of the logarithm); None where it cannot be told.
        mean_average_precision: The mean of the labels' average precisions, over the labels that a picture has; None
            where no picture has any.
        mean_average_precision_ci95: Its 95 % interval (jackknife over pictures, on the logit scale).
        macro_f1: The mean of the labels' F1 scores, over the labels that a picture has.
        macro_f1_ci95: Its 95 % interval (bootstrap over pictures, see `hubel.tasks.resampling`); None of a single one.
        micro_f1: F1 of all decisions about a picture and a label together.
        micro_f1_ci95: Its 95 % interval, likewise.
        subset_accuracy: The share of pictures that are given exactly their labels.
        subset_accuracy_ci95: Its 95 % interval (Wilson 1927).
        per_label: Scores of every label, in the model's order.
    """

    images: int
    loss: float
    loss_ci95: Interval | None
    mean_average_precision: float | None
    mean_average_precision_ci95: Interval | None
    macro_f1: float
    macro_f1_ci95: Interval | None
    micro_f1: float
    micro_f1_ci95: Interval | None
    subset_accuracy: float
    subset_accuracy_ci95: Interval
    per_label: tuple[LabelScores, ...] = field(repr=False)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The labels that no picture has, which the means leave out."""
        return tuple(scores.name for scores in self.per_label if scores.at_threshold.support == 0)

    def figures(self) -> dict[str, float]:
        """The mean average precision (0 where no picture has a label), and the figures at the thresholds."""
        return {
            "mean_average_precision": self.mean_average_precision or 0.0,
            "macro_f1": self.macro_f1,
            "micro_f1": self.micro_f1,
            "subset_accuracy": self.subset_accuracy,
        }

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {"images": self.images}
        for name in ("loss", "mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy"):
            values |= interval_fields(name, getattr(self, name), getattr(self, f"{name}_ci95"))
        return values

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, with the labels' scores, for `--json`."""
        return self.to_dict() | {"per_label": {scores.name: scores.to_dict() for scores in self.per_label}}
