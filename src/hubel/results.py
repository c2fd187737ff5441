"""What predicting and measuring give: plain, typed values that everybody may import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Interval = tuple[float, float]


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

    def to_dict(self) -> dict[str, Any]:
        """This result for JSON."""
        return {
            "path": self.path,
            "label": self.label,
            "probability": self.probability,
            "probabilities": dict(self.top(len(self.classes))),
        }

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
            "precision": self.precision,
            "precision_ci95": None if self.precision_ci95 is None else list(self.precision_ci95),
            "recall": self.recall,
            "recall_ci95": None if self.recall_ci95 is None else list(self.recall_ci95),
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
        macro_f1_ci95: Its 95 % interval (percentile bootstrap over pictures).
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
    macro_f1_ci95: Interval
    per_class: tuple[ClassScores, ...]
    confusion: npt.NDArray[np.int64]
    calibration_error: float

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {
            "images": self.images,
            "loss": self.loss,
            "loss_ci95": None if self.loss_ci95 is None else list(self.loss_ci95),
            "accuracy": self.accuracy,
            "accuracy_ci95": list(self.accuracy_ci95),
        }
        if self.top5_accuracy is not None and self.top5_accuracy_ci95 is not None:
            values |= {
                "top5_accuracy": self.top5_accuracy,
                "top5_accuracy_ci95": list(self.top5_accuracy_ci95),
            }
        return values | {
            "macro_f1": self.macro_f1,
            "macro_f1_ci95": list(self.macro_f1_ci95),
            "calibration_error": self.calibration_error,
        }

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, with the classes' scores and the confusion matrix, for `--json`."""
        return self.to_dict() | {
            "per_class": {s.name: s.to_dict() for s in self.per_class},
            "confusion": self.confusion.tolist(),
        }
