"""Several labels: a picture has any number of them, perhaps none, and each is a question of its own.

The metrics are functions of arrays in `hubel.tasks.multilabel_metrics`; `MultiLabelTask` is the thin shell that the
training loop and the predictor hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from hubel.data.labels import Labelling
from hubel.errors import ConfigError, DataError
from hubel.results import Interval, Metrics, MultiLabel, MultiLabelMetrics
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.losses import FOCAL_GAMMA, multilabel_loss, negatives_per_positive
from hubel.tasks.multilabel_metrics import (
    best_f1_thresholds,
    grouped_intervals,
    measure,
    pseudo_values,
)
from hubel.tasks.paired import MeanDifference, mean_difference

if TYPE_CHECKING:
    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.tasks.task import Floats, Labels

THRESHOLD = 0.5


@dataclass(frozen=True)
class MultiLabelTask:
    """What training, prediction and evaluation need to know of several labels.

    Attributes:
        classes: The labels' names.
        thresholds: The probability from which on a picture is given each label.
        label_smoothing: How far the loss pulls the targets 0 and 1 towards 1/2.
        positive_weights: Of each label's positives in the loss; None: 1.
        focal_gamma: The exponent of the focal loss; 0: binary cross entropy.
        watch: What makes one epoch better than another: `mean_average_precision`, or `macro_f1`.
        choose_thresholds: Whether `tuned` chooses each label's threshold by its F1.
    """

    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    label_smoothing: float = 0.0
    positive_weights: tuple[float, ...] | None = None
    focal_gamma: float = 0.0
    watch: Literal["mean_average_precision", "macro_f1"] = "mean_average_precision"
    choose_thresholds: bool = False

    name: ClassVar[str] = "multilabel"
    labelling: ClassVar[Labelling] = "classes"
    score_name: ClassVar[str] = "subset_accuracy"
    calibrates: ClassVar[bool] = False

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run.

        Raises:
            DataError: No training picture has one of the labels, or every one has it, and nothing else is to be told.
        """
        counts = labels.sum(axis=0)
        if not ((counts > 0) & (counts < len(labels))).any():
            raise DataError(
                f"each of the labels {', '.join(classes)} is on all training pictures or on none: expected at "
                "least one that some pictures have and others lack"
            )
        if config.imbalance == "weights" and not counts.all():
            missing = classes[int(counts.argmin())]
            raise ConfigError(
                f"imbalance is weights, but no training picture has the label '{missing}': add some, or leave it out"
            )
        choose = config.label_threshold == "f1"
        if choose and not config.data.validation_fraction:
            raise ConfigError(
                "label_threshold is f1, which is chosen on validation pictures, but data.validation_fraction is 0: "
                "leave some for validation, or give a probability such as 0.5"
            )
        threshold = THRESHOLD if config.label_threshold == "f1" else config.label_threshold
        return cls(
            classes,
            thresholds=(threshold,) * len(classes),
            label_smoothing=config.label_smoothing or 0.0,
            positive_weights=negatives_per_positive(counts.tolist(), len(labels))
            if config.imbalance == "weights"
            else None,
            focal_gamma=FOCAL_GAMMA if config.imbalance == "focal" else 0.0,
            watch="mean_average_precision" if config.imbalance == "none" else "macro_f1",
            choose_thresholds=choose,
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        return cls(bundle.classes, bundle.thresholds)

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it."""
        return {"classes": self.classes, "thresholds": self.thresholds}

    @property
    def outputs(self) -> int:
        """A logit for each label."""
        return len(self.classes)

    def describe(self) -> str:
        """`with any of 3 labels`."""
        return f"with any of {len(self.classes)} labels"

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean binary cross entropy in nats: logits and labels (N, num_classes) to a scalar."""
        return multilabel_loss(
            outputs,
            labels,
            label_smoothing=self.label_smoothing,
            positive_weights=self.positive_weights,
            focal_gamma=self.focal_gamma,
        )

    def score(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """How many pictures of a batch are given exactly their labels: int64 scalar on the batch's device."""
        limits = torch.tensor(self.thresholds, device=outputs.device)
        return ((outputs.float().sigmoid() >= limits) == (labels > 0.5)).all(dim=1).sum()

    def sampling_groups(self, labels: Labels) -> npt.NDArray[np.int64]:
        """Each picture's rarest label; one group more for the pictures that have none."""
        counts = labels.sum(axis=0)
        rarity = np.where(labels > 0, counts, np.inf)
        groups: npt.NDArray[np.int64] = np.where(labels.any(axis=1), rarity.argmin(axis=1), labels.shape[1])
        return groups

    def predictions(self, outputs: torch.Tensor) -> Floats:
        """Each label's probability, float64 (N, num_classes)."""
        probabilities: Floats = outputs.detach().cpu().double().sigmoid().numpy()
        return probabilities

    def results(self, predictions: Floats, paths: Sequence[str | None]) -> list[MultiLabel]:
        """A result for each row of probabilities (N, num_classes)."""
        return [
            MultiLabel(self.classes, row, self.thresholds, path) for row, path in zip(predictions, paths, strict=True)
        ]

    def measure(self, predictions: Floats, labels: Labels) -> MultiLabelMetrics:
        """Metrics of probabilities against labels, both (N, num_classes)."""
        return measure(predictions, labels, self.classes, self.thresholds)

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The watched figure, then the lower loss."""
        return metrics.figures()[self.watch], -metrics.loss

    def tuned(self, predictions: Floats, labels: Labels) -> Self:
        """With each label's threshold of the highest F1, where that is wanted."""
        if not self.choose_thresholds:
            return self
        return replace(self, thresholds=best_f1_thresholds(predictions, labels, self.thresholds))

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """With other thresholds, one for each label."""
        return replace(self, thresholds=tuple(thresholds))

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Saying each label's share of the pictures for every picture: the majority's decision for each label."""
        known = training_labels if training_labels is not None else labels
        shares = np.broadcast_to(known.mean(axis=0, dtype=np.float64), labels.shape)
        majority = replace(self, thresholds=(THRESHOLD,) * len(self.classes)).measure(shares, labels)
        figures = {name: (value, getattr(majority, f"{name}_ci95")) for name, value in majority.figures().items()}
        return (Baseline(f"always the share of {whose(training_labels is not None)} that has each label", figures),)

    def compare(self, first: Floats, second: Floats, labels: Labels) -> MeanDifference:
        """The difference of the mean average precisions, by the jackknife's pseudo-values of each picture."""
        ours, theirs = (pseudo_values(predictions, labels) for predictions in (first, second))
        return mean_difference("mean_average_precision", ours, theirs)

    def grouped_intervals(
        self, predictions: Floats, labels: Labels, groups: npt.NDArray[np.int64]
    ) -> dict[str, Interval | None]:
        """The intervals of all figures by the cluster bootstrap."""
        return grouped_intervals(predictions, labels, self.thresholds, groups)

    def has(self, labels: Labels, position: int) -> npt.NDArray[np.bool_]:
        """Which pictures have a label."""
        return np.asarray(labels[:, position] > 0)
