"""What `hubel.evaluate` gives: figures with their intervals, what they are compared with, and on which pictures."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.labels import label_text
from hubel.data.store import Unreadable
from hubel.evaluation.binary import BinaryReading
from hubel.evaluation.outputs import Cost
from hubel.results import ClassificationMetrics
from hubel.tasks.baselines import Baseline
from hubel.tasks.calibration import CalibrationError, Reliability, reliability
from hubel.tasks.paired import PairedDifference

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.data.sources import Sample


@dataclass(frozen=True, eq=False)
class Member:
    """One of several models, measured alone.

    Attributes:
        name: As it was given.
        metrics: Its figures.
        against: It against the first model (where models are compared), or what all of them together are against it
            (where they are averaged); None for the first of those compared.
    """

    name: str
    metrics: ClassificationMetrics
    against: PairedDifference | None


@dataclass(frozen=True, eq=False)
class ViewsGain:
    """What test-time augmentation gains over the plain prediction of the same pictures, and what it costs.

    Attributes:
        name: Of the views.
        count: Views of each picture.
        plain: The figures without them.
        gain: Accuracy with them minus accuracy without.
        cost: Seconds a picture.
    """

    name: str
    count: int
    plain: ClassificationMetrics
    gain: PairedDifference
    cost: Cost


@dataclass(frozen=True)
class TemperatureFit:
    """A temperature that was fitted and written into a bundle.

    Attributes:
        temperature: It.
        chosen_on: On which pictures.
        images: How many they were.
        before: The calibration error of the measured pictures with the uncalibrated model.
        after: The same with the temperature.
    """

    temperature: float
    chosen_on: str
    images: int
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured, on which pictures.

    Attributes:
        metrics: The figures: of the model, of the average of several, or of the first of those compared.
        samples: The pictures, in order.
        probabilities: float64 of shape (N, num_classes), in the same order.
        classes: The classes' names, in the model's order.
        split: Which part of the folder was measured: `test`, `validation`, `train` or `all`.
        notes: What a reader should know of the choice of pictures.
        unreadable: The pictures left out.
        average: What was averaged over views and models.
        baselines: What a model should beat, on the same pictures.
        calibration: The calibration error, and what it would be by chance.
        members: Each of several models alone; empty for one model.
        compared: Whether the models were compared instead of averaged.
        views: What test-time augmentation gains and costs; None without it.
        binary: One class against the rest; None where none is named and there are more than two.
        temperature: The temperature fitted now; None where none was asked for.
    """

    metrics: ClassificationMetrics
    samples: tuple[Sample, ...]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    split: str
    notes: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    average: str
    baselines: tuple[Baseline, ...]
    calibration: CalibrationError
    members: tuple[Member, ...] = ()
    compared: bool = False
    views: ViewsGain | None = None
    binary: BinaryReading | None = None
    temperature: TemperatureFit | None = None

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The pictures' true classes, int64 of shape (N,)."""
        return np.array([sample.label for sample in self.samples], dtype=np.int64)

    def reliability(self) -> Reliability:
        """The reliability diagram."""
        return reliability(self.probabilities, self.labels)

    def best_member(self) -> Member:
        """The most accurate of several models; it is the best on these very pictures, which flatters it."""
        return max(self.members, key=lambda member: member.metrics.accuracy)

    def to_csv(self) -> str:
        """Every picture with its class, the predicted class and that one's probability, as CSV text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "label", "predicted", "probability"])
        for sample, row in zip(self.samples, self.probabilities, strict=True):
            best = int(row.argmax())
            writer.writerow(
                [sample.location, label_text(sample.label, self.classes), self.classes[best], f"{row[best]:.6f}"]
            )
        return text.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, for JSON."""
        values: dict[str, Any] = {
            "split": self.split,
            "notes": list(self.notes),
            **self.metrics.to_full_dict(),
            "baselines": [baseline.to_dict() for baseline in self.baselines],
            "calibration": {**vars(self.calibration)},
        }
        if self.members:
            values["average"] = None if self.compared else self.average
            values["models"] = [
                {"name": m.name, **m.metrics.to_dict(), "against": m.against and m.against.to_dict()}
                for m in self.members
            ]
        if self.views is not None:
            values["tta"] = {
                "name": self.views.name,
                "views": self.views.count,
                "average": self.average,
                "plain": self.views.plain.to_dict(),
                "gain": self.views.gain.to_dict(),
                "seconds_per_picture": {"plain": self.views.cost.plain, "views": self.views.cost.views},
            }
        if self.binary is not None:
            values["binary"] = self.binary.to_dict()
        if self.temperature is not None:
            values["temperature"] = {**vars(self.temperature)}
        return values
