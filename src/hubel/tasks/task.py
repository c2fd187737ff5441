"""What training, prediction and evaluation ask of a task. It has no loop and knows no network.

There are two kinds. The answer of a `LabelTask` is a row of numbers for each picture, which a network gives at once:
they are averaged as they are, and thresholds and temperatures apply to them. The answer of a `PlaceTask` lies in the
picture (boxes, a mask, another picture): what it is, how a network's outputs become it, and how several of them become
one is the task's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hubel.data.labels import Labelling
from hubel.errors import ConfigError
from hubel.results import Difference, Interval, Metrics, Result
from hubel.tasks.baselines import Baseline

if TYPE_CHECKING:
    from PIL import Image

    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.preprocessing import Preprocess
    from hubel.tasks.views import Views

Floats = npt.NDArray[np.float64]
# Of a store, as `hubel.data.labels.label_array` makes them.
Labels = npt.NDArray[Any]
# Of all pictures of a split: `Floats` (N, outputs) of a `LabelTask`, a list with an entry a picture of a `PlaceTask`.
Predictions = Any


class Task(Protocol):
    """A kind of question about pictures, with all that is needed to answer it.

    Attributes:
        name: As the bundle and the configuration have it.
        labelling: Which labels its pictures have.
        score_name: What the score of a training step adds up, as a mean over pictures.
    """

    name: ClassVar[str]
    labelling: ClassVar[Labelling]
    score_name: ClassVar[str]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes or labels; none where there are none."""

    @property
    def outputs(self) -> int:
        """The `num_classes` of a network for it."""

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run, from the training pictures' labels and the settings.

        Raises:
            ConfigError: A setting makes no sense for this task.
            DataError: There is nothing to learn.
        """

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task that a trained model was made for."""

    def in_bundle(self) -> Mapping[str, Any]:
        """The fields of a bundle that `of_bundle` reads, beside the task's name."""

    def describe(self) -> str:
        """What the pictures are of, such as `of 10 classes`."""

    def results(self, predictions: Any, paths: Sequence[str | None]) -> Sequence[Result]:
        """A result for each picture."""

    def measure(self, predictions: Any, labels: Labels) -> Metrics:
        """The figures of predictions against labels."""

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """What makes one epoch better than another: the greater tuple is."""

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """What a model should beat on the same pictures.

        Args:
            labels: Of the measured pictures.
            training_labels: Of the training pictures, which the baselines know; None: they are not known, and the
                measured pictures' own are taken, which no honest guess can beat.
        """

    def compare(self, first: Any, second: Any, labels: Labels) -> Difference:
        """The headline figure of the first predictions minus that of the second ones, on the same pictures."""


@runtime_checkable
class LabelTask(Task, Protocol):
    """A task whose answer is a row of numbers: classes, labels, a number.

    A network's outputs are float tensors of shape (N, `outputs`); predictions are float64 arrays of the same shape, in
    the units in which results are given, and may be averaged over views and models. Its labels are int64 (N,), float32
    (N, num_classes) or float32 (N,).

    Attributes:
        calibrates: Whether one of several classes is predicted, so that confidence and a temperature have a meaning.
    """

    calibrates: ClassVar[bool]

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The probability from which on a picture is given each label; none where nothing is decided by one."""

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""

    def score(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over a batch of what `score_name` is the mean of: a scalar on the batch's device."""

    def sampling_groups(self, labels: Labels) -> npt.NDArray[np.int64]:
        """The group of each picture, int64 (N,), of which a balanced epoch has all equally often."""

    def predictions(self, outputs: torch.Tensor) -> Floats:
        """What outputs (N, `outputs`) mean: float64 of the same shape."""

    def tuned(self, predictions: Floats, labels: Labels) -> Self:
        """The task with what the settings want chosen on validation pictures when training has ended."""

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """The task with other thresholds, one for each label.

        Raises:
            ConfigError: It has none.
        """

    def grouped_intervals(
        self, predictions: Floats, labels: Labels, groups: npt.NDArray[np.int64]
    ) -> dict[str, Interval | None]:
        """The figures' 95 % intervals by name, where pictures of one group, int64 (N,), are right or wrong together."""

    def has(self, labels: Labels, position: int) -> npt.NDArray[np.bool_]:
        """Which pictures are of the class at a position, bool (N,)."""


@runtime_checkable
class PlaceTask(Task, Protocol):
    """A task whose answer lies in the picture: a box, boxes, a mask, a picture.

    Its labels are an object array (N,); the targets of a training step are what `hubel.data.loading` makes of them: one
    tensor for the batch, or a list with an entry a picture. A prediction is any value, in pixels of the upright
    original.
    """

    def loss(self, network: nn.Module, images: torch.Tensor, targets: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss of a batch, and the sum over its pictures of what `score_name` is the mean of: two scalars.

        Args:
            network: In the mode that the phase wants.
            images: Normalised, float (N, C, H, W).
            targets: Of the batch, on the same device.
        """

    def predict(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        pictures: Sequence[npt.NDArray[np.uint8]],
        sizes: Sequence[tuple[int, int]],
        views: Views | None = None,
    ) -> list[Any]:
        """A prediction for each picture.

        Args:
            network: In evaluation mode, on any device.
            preprocess: By which the pictures were brought to size.
            pictures: uint8 (h, w, C) each, as a store for evaluation has them; their shapes may differ.
            sizes: Height and width of each upright original, in whose pixels the predictions are.
            views: Test-time augmentation; None: one view.

        Raises:
            ConfigError: The views have no meaning for this task.
        """

    def average(self, of_models: Sequence[Sequence[Any]]) -> list[Any]:
        """One prediction for each picture from those of several models (N each)."""

    def truth(self, labels: Labels, paths: Sequence[str | None]) -> Sequence[Result]:
        """The result of a model that is right, for each picture: what `draw` shows beside the predicted one."""

    def draw(self, image: Image.Image, result: Result) -> Image.Image:
        """The upright picture with a result drawn on it."""


@runtime_checkable
class ScheduledTask(Protocol):
    """A `PlaceTask` whose loss changes in the course of training."""

    def at_step(self, step: int) -> PlaceTask:
        """The task at a step of training, from 0."""


AnyTask = LabelTask | PlaceTask


def label_task(task: AnyTask, asked: str) -> LabelTask:
    """The task, where it is a `LabelTask`.

    Args:
        task: Of a run or a model.
        asked: What the user asked for, which is for such tasks alone.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(task, LabelTask):
        return task
    raise ConfigError(
        f"{asked} came, but the task is {task.name}: it is for tasks of classes, labels or a number; leave it out"
    )
