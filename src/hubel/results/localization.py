"""Which object a picture shows and where it is, and how well that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubel.results.base import Interval, interval_fields
from hubel.results.detection import Box, DetectedObject, box_cells

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Localization:
    """What a model says of the one object of a picture.

    Attributes:
        classes: Every class's name, in the model's order.
        probabilities: float64 of shape (num_classes,), summing to 1.
        box: `xyxy` in pixels of the upright picture: left, top, right, bottom.
        size: Height and width of the upright picture.
        path: The picture's file, where it came from one.
    """

    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    box: Box
    size: tuple[int, int]
    path: str | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """The most probable class's probability."""
        return float(self.probabilities.max())

    @property
    def objects(self) -> tuple[DetectedObject, ...]:
        """The object, as a detector has several."""
        return (DetectedObject(self.label, self.box, self.probability),)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable classes with their probabilities, the best first."""
        best = (-self.probabilities).argsort(kind="stable")[:k]
        return [(self.classes[i], float(self.probabilities[i])) for i in best]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """This result for JSON, with the most probable classes alone where `top` tells how many."""
        height, width = self.size
        return {
            "path": self.path,
            "width": width,
            "height": height,
            "label": self.label,
            "probability": self.probability,
            "box": self.objects[0].to_dict()["box"],
            "probabilities": dict(self.top(len(self.classes) if top is None else top)),
        }

    def csv_rows(self, top: int) -> list[dict[str, str | None]]:
        """A row of a table for programs, as hubel reads boxes from CSV."""
        size = {"width": str(self.size[1]), "height": str(self.size[0])}
        row: dict[str, str | None] = {"path": self.path, **size, "label": self.label, **box_cells(self.box)}
        return [{**row, "score": f"{self.probability:.6f}"}]

    def table_row(self, top: int) -> dict[str, str]:
        """A row of a table for people."""
        (name, probability), *others = self.top(top)
        corners = ", ".join(f"{value:.0f}" for value in self.box)
        row = {"picture": str(self.path), "class": name, "probability": f"{probability:.4f}", "box": corners}
        return row | ({"then": ", ".join(f"{n} {p:.3f}" for n, p in others)} if top > 1 else {})

    def __repr__(self) -> str:
        corners = ", ".join(f"{value:.0f}" for value in self.box)
        return f"Localization({self.label!r}, probability={self.probability:.4f}, box=({corners}), path={self.path!r})"


@dataclass(frozen=True)
class LocalizationMetrics:
    """A network that tells class and box measured on one split.

    Attributes:
        images: How many pictures were measured.
        loss: The mean loss.
        loss_ci95: Its 95 % interval (Student's t of the logarithm); None where it cannot be told.
        accuracy: The share of pictures whose class is right.
        accuracy_ci95: Its 95 % interval (Wilson 1927).
        mean_iou: The mean IoU of the boxes with the true ones, whatever the class.
        mean_iou_ci95: Its 95 % interval (percentile bootstrap over pictures); None of a single one.
        localization_accuracy: The share whose class is right and whose box has an IoU of 0.5 or more.
        localization_accuracy_ci95: Its 95 % interval (Wilson 1927).
    """

    images: int
    loss: float
    loss_ci95: Interval | None
    accuracy: float
    accuracy_ci95: Interval
    mean_iou: float
    mean_iou_ci95: Interval | None
    localization_accuracy: float
    localization_accuracy_ci95: Interval

    def figures(self) -> dict[str, float]:
        """The share right on both, the headline, and what it is made of."""
        return {
            "localization_accuracy": self.localization_accuracy,
            "accuracy": self.accuracy,
            "mean_iou": self.mean_iou,
        }

    def to_dict(self) -> dict[str, Any]:
        """The headline figures with their intervals, for `metrics.json`."""
        values: dict[str, Any] = {"images": self.images}
        for name in ("loss", *self.figures()):
            values |= interval_fields(name, getattr(self, name), getattr(self, f"{name}_ci95"))
        return values

    def to_full_dict(self) -> dict[str, Any]:
        """Everything, for `--json`: there is no more."""
        return self.to_dict()
