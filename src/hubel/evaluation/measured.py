"""What `hubel.evaluate` gives: figures with their intervals, what they are compared with, and on which pictures."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubel.data.decoded.store import Unreadable
from hubel.data.labels import COLUMN_OF, label_text
from hubel.errors import ConfigError
from hubel.evaluation.binary import BinaryReading
from hubel.evaluation.outputs import Cost
from hubel.results import Difference, Metrics
from hubel.results.naming import counted, headline
from hubel.tasks.baselines import Baseline
from hubel.tasks.calibration import CalibrationError, Reliability, reliability
from hubel.tasks.task import AnyTask, Labels, LabelTask, Predictions, label_task

if TYPE_CHECKING:
    from hubel.data.sources import Sample


@dataclass(frozen=True, eq=False)
class Member:
    """One of several models, measured alone.

    Attributes:
        name: As it was given.
        metrics: Its figures.
        against: The headline figure of it against the first model (where models are compared), or of all of them
            together against it (where they are averaged); None for the first of those compared.
    """

    name: str
    metrics: Metrics
    against: Difference | None


@dataclass(frozen=True, eq=False)
class ViewsGain:
    """What test-time augmentation gains over the plain prediction of the same pictures, and what it costs.

    Attributes:
        name: Of the views.
        count: Views of each picture.
        plain: The figures without them.
        gain: The headline figure with them minus that without.
        cost: Seconds a picture.
    """

    name: str
    count: int
    plain: Metrics
    gain: Difference
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
        task: What the model was trained for.
        metrics: The figures: of the model, of the average of several, or of the first of those compared.
        samples: The pictures, in order.
        labels: Theirs, as `hubel.data.labels.label_array` makes them of `samples`.
        predictions: In the same order, as the task has them: float64 of shape (N, outputs), probabilities of classes or
            numbers; or a list with an entry for each picture.
        split: Which part of the folder was measured: `test`, `validation`, `train` or `all`.
        notes: What a reader should know of the choice of pictures.
        unreadable: The pictures left out.
        average: What was averaged over views and models.
        baselines: What a model should beat, on the same pictures.
        calibration: The calibration error, and what it would be by chance; None where the task has no confidence.
        members: Each of several models alone; empty for one model.
        compared: Whether the models were compared instead of averaged.
        views: What test-time augmentation gains and costs; None without it.
        binary: One class against the rest; None where none is named and there are more than two.
        temperature: The temperature fitted now; None where none was asked for.
    """

    task: AnyTask
    metrics: Metrics
    samples: tuple[Sample, ...]
    labels: Labels
    predictions: Predictions
    split: str
    notes: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    average: str
    baselines: tuple[Baseline, ...]
    calibration: CalibrationError | None
    members: tuple[Member, ...] = ()
    compared: bool = False
    views: ViewsGain | None = None
    binary: BinaryReading | None = None
    temperature: TemperatureFit | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, in the model's order; none for a number."""
        return self.task.classes

    def reliability(self) -> Reliability:
        """The reliability diagram of a classifier.

        Raises:
            ConfigError: The task is another one.
        """
        if not label_task(self.task, "a reliability diagram").calibrates:
            raise ConfigError(f"a reliability diagram is of one class of several, the model's task is {self.task.name}")
        return reliability(self.predictions, self.labels)

    def best_member(self) -> Member:
        """The best of several models by the headline figure; it is the best on these very pictures, which flatters."""
        return max(self.members, key=lambda member: self.task.rank(member.metrics))

    def to_csv(self) -> str:
        """What is predicted for every picture as CSV text; beside its label where that is a class, labels, a number."""
        results = self.task.results(self.predictions, [sample.location for sample in self.samples])
        rows = []
        for sample, result in zip(self.samples, results, strict=True):
            for row in result.csv_rows(1):
                if isinstance(self.task, LabelTask):
                    (_, path), (_, predicted), *others = row.items()
                    label = {COLUMN_OF[self.task.labelling]: label_text(sample.label, self.classes)}
                    row = {"path": path, **label, "predicted": predicted, **dict(others)}
                rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def __repr__(self) -> str:
        """The headline and what to know of it: a notebook would show thousands of pictures."""
        what = [headline(self.metrics.to_dict()), self.split, counted(len(self.samples), "picture")]
        if self.members:
            what.append(f"{len(self.members)} models {'compared' if self.compared else 'averaged'}")
        return f"Evaluation({'; '.join([', '.join(what), *self.notes])})"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, for JSON."""
        values: dict[str, Any] = {
            "split": self.split,
            "notes": list(self.notes),
            **self.metrics.to_full_dict(),
            "baselines": [baseline.to_dict() for baseline in self.baselines],
        }
        if self.calibration is not None:
            values["calibration"] = {**vars(self.calibration)}
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
