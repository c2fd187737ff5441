"""What training, prediction and evaluation ask of a task. It has no loop and knows no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch

from hubel.data.labels import Labelling
from hubel.results import Difference, Interval, Metrics, Result
from hubel.tasks.baselines import Baseline

if TYPE_CHECKING:
    from hubel.bundle import Bundle
    from hubel.config import TrainConfig

Floats = npt.NDArray[np.float64]
# Of a store: int64 (N,), float32 (N, num_classes) or float32 (N,), as `hubel.data.labels.label_array` makes them.
Labels = npt.NDArray[Any]


class Task(Protocol):
    """A kind of question about pictures, with all that is needed to answer it.

    A network's outputs are float tensors of shape (N, `outputs`); predictions are float64 arrays of the same shape, in
    the units in which results are given, and may be averaged over views and models.

    Attributes:
        name: As the bundle and the configuration have it.
        labelling: Which labels its pictures have.
        score_name: What `score` adds up, as a mean over pictures.
        calibrates: Whether one of several classes is predicted, so that confidence and a temperature have a meaning.
    """

    name: ClassVar[str]
    labelling: ClassVar[Labelling]
    score_name: ClassVar[str]
    calibrates: ClassVar[bool]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes or labels; none for a number."""

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The probability from which on a picture is given each label; none where nothing is decided by one."""

    @property
    def outputs(self) -> int:
        """How many outputs a network has for it."""

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

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""

    def score(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over a batch of what `score_name` is the mean of: a scalar on the batch's device."""

    def sampling_groups(self, labels: Labels) -> npt.NDArray[np.int64]:
        """The group of each picture, int64 (N,), of which a balanced epoch has all equally often."""

    def predictions(self, outputs: torch.Tensor) -> Floats:
        """What outputs (N, `outputs`) mean: float64 of the same shape."""

    def results(self, predictions: Floats, paths: Sequence[str | None]) -> Sequence[Result]:
        """A result for each picture."""

    def measure(self, predictions: Floats, labels: Labels) -> Metrics:
        """The figures of predictions against labels."""

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """What makes one epoch better than another: the greater tuple is."""

    def tuned(self, predictions: Floats, labels: Labels) -> Self:
        """The task with what the settings want chosen on validation pictures when training has ended."""

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """The task with other thresholds, one for each label.

        Raises:
            ConfigError: It has none.
        """

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """What a model should beat on the same pictures.

        Args:
            labels: Of the measured pictures.
            training_labels: Of the training pictures, which the baselines know; None: they are not known, and the
                measured pictures' own are taken, which no honest guess can beat.
        """

    def compare(self, first: Floats, second: Floats, labels: Labels) -> Difference:
        """The headline figure of the first predictions minus that of the second ones, on the same pictures."""

    def grouped_intervals(
        self, predictions: Floats, labels: Labels, groups: npt.NDArray[np.int64]
    ) -> dict[str, Interval | None]:
        """The figures' 95 % intervals by name, where pictures of one group, int64 (N,), are right or wrong together."""

    def has(self, labels: Labels, position: int) -> npt.NDArray[np.bool_]:
        """Which pictures are of the class at a position, bool (N,)."""
