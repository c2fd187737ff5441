"""What a classifier says of pictures, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubel.results.base import Interval, interval_fields

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classifier says of one picture.

    Attributes:
        classes: Every class's name, in the model's order.
        probabilities: float64 of shape (num_classes,), summing to 1.
        path: The picture's file, where it came from one.
    """

    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    path: str | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """The most probable class's probability."""
        return float(self.probabilities.max())

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable classes with their probabilities, the best first."""
        best = (-self.probabilities).argsort(kind="stable")[:k]
        return [(self.classes[i], float(self.probabilities[i])) for i in best]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON, with the most probable classes alone where `top` tells how many."""
        return {
            "path": self.path,
            "label": self.label,
            "probability": self.probability,
            "probabilities": dict(self.top(len(self.classes) if top is None else top)),
        }

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs: the most probable classes, the first one without a number."""
        row: dict[str, str | None] = {"path": self.path}
        for rank, (name, probability) in enumerate(self.top(top), start=1):
            number = f"_{rank}" if rank > 1 else ""
            row |= {f"label{number}": name, f"probability{number}": f"{probability:.6f}"}
        return [row]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        (name, probability), *others = self.top(top)
        row = {"picture": str(self.path), "class": name, "probability": f"{probability:.4f}"}
        return row | ({"then": ", ".join(f"{n} {p:.3f}" for n, p in others)} if top > 1 else {})

    def __repr__(self) -> str:
        return f"Classification({self.label!r}, probability={self.probability:.4f}, path={self.path!r})"


@dataclass(frozen=True)
class ClassScores:
    """How well one class is told from the others.

    Attributes:
        name: The class.
        support: How many pictures are of this class.
        predicted: How many pictures were given this class.
        precision: Of those given this class, the share that are of it; 0 when none was given.
        recall: Of those of this class, the share that was given it.
        f1: The harmonic mean of the two; 0 when both are 0.
        precision_ci95: Its 95 % interval (Wilson 1927); None when no picture was given this class.
        recall_ci95: The same of the recall; None when no picture is of this class.
    """

    name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float
    precision_ci95: Interval | None
    recall_ci95: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """These scores for JSON, without the name."""
        return {
            **interval_fields("precision", self.precision, self.precision_ci95),
            **interval_fields("recall", self.recall, self.recall_ci95),
            "f1": self.f1,
            "support": self.support,
        }


@dataclass(frozen=True, eq=False)
class ClassificationMetrics:
    """A classifier measured on one split.

    Attributes:
        images: How many pictures were measured.
        loss: Mean cross entropy in nats.
        loss_ci95: Its 95 % interval (Student's t of the logarithm); None where it cannot be told.
        accuracy: The share whose most probable class is right.
        accuracy_ci95: Its 95 % interval (Wilson 1927).
        top5_accuracy: The share whose class is among the five most probable; None with fewer than 10 classes.
        top5_accuracy_ci95: Its 95 % interval (Wilson).
        macro_f1: The mean of the classes' F1 scores, over the classes that have pictures.
        macro_f1_ci95: Its 95 % interval (percentile bootstrap over pictures); None of a single one.
        per_class: Scores of every class, in the model's order.
        confusion: int64 of shape (num_classes, num_classes); rows are the true classes, columns the predicted.
        calibration_error: The expected calibration error (15 bins of equal width: Guo et al. 2017, arXiv:1706.04599).
    """

    images: int
    loss: float
    loss_ci95: Interval | None
    accuracy: float
    accuracy_ci95: Interval
    top5_accuracy: float | None
    top5_accuracy_ci95: Interval | None
    macro_f1: float
    macro_f1_ci95: Interval | None
    per_class: tuple[ClassScores, ...] = field(repr=False)
    confusion: npt.NDArray[np.int64] = field(repr=False)
    calibration_error: float

    def figures(self) -> dict[str, float]:
        """The accuracy, and the other figure that an epoch may be chosen by."""
        return {"accuracy": self.accuracy, "macro_f1": self.macro_f1}

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {
            "images": self.images,
            **interval_fields("loss", self.loss, self.loss_ci95),
            **interval_fields("accuracy", self.accuracy, self.accuracy_ci95),
        }
        if self.top5_accuracy is not None:
            values |= interval_fields("top5_accuracy", self.top5_accuracy, self.top5_accuracy_ci95)
        return values | {
            **interval_fields("macro_f1", self.macro_f1, self.macro_f1_ci95),
            "calibration_error": self.calibration_error,
        }

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, with the classes' scores and the confusion matrix, for `--json`."""
        return self.to_dict() | {
            "per_class": {s.name: s.to_dict() for s in self.per_class},
            "confusion": self.confusion.tolist(),
        }
