"""Classification: one class for each picture.

The functions work on arrays; `ClassificationTask` is the thin shell that the training loop and the predictor hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from hubel.data.labels import Labelling
from hubel.errors import ConfigError
from hubel.results import Classification, ClassificationMetrics, ClassScores, Interval, Metrics
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.calibration import expected_calibration_error
from hubel.tasks.grouped import accuracy_interval, drawn_groups, macro_f1_interval, roc_auc_interval
from hubel.tasks.losses import FOCAL_GAMMA, classification_loss, inverse_frequencies
from hubel.tasks.paired import PairedDifference, paired_difference

if TYPE_CHECKING:
    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.tasks.task import Floats, Labels

# The top-5 accuracy says little when five is half of the classes or more.
_FEWEST_CLASSES_FOR_TOP5 = 10

_LABEL_SMOOTHING = 0.1  # Szegedy et al. 2016, arXiv:1512.00567, section 7

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float32]

# The normal distribution's 97.5 % quantile, for intervals of 95 %.
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class ClassificationTask:
    """What training, prediction and evaluation need to know of classification.

    Attributes:
        classes: The classes' names; a label is a position among them.
        label_smoothing: Share of the probability that the loss spreads over all classes.
        class_weights: Of each class in the loss; None: 1.
        focal_gamma: The exponent of the focal loss; 0: cross entropy.
        watch: What makes one epoch better than another: `accuracy`, or `macro_f1`, where each class counts the same.
    """

    classes: tuple[str, ...]
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    focal_gamma: float = 0.0
    watch: Literal["accuracy", "macro_f1"] = "accuracy"

    name: ClassVar[str] = "classification"
    labelling: ClassVar[Labelling] = "class"
    score_name: ClassVar[str] = "accuracy"
    thresholds: ClassVar[tuple[float, ...]] = ()
    calibrates: ClassVar[bool] = True

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run, with the loss and the watched metric that the setting `imbalance` asks for."""
        counts = np.bincount(labels, minlength=len(classes)).tolist()
        smoothing = config.label_smoothing
        return cls(
            classes,
            label_smoothing=_LABEL_SMOOTHING if smoothing is None else smoothing,
            class_weights=inverse_frequencies(counts) if config.imbalance == "weights" else None,
            focal_gamma=FOCAL_GAMMA if config.imbalance == "focal" else 0.0,
            watch="accuracy" if config.imbalance == "none" else "macro_f1",
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        return cls(bundle.classes)

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it."""
        return {"classes": self.classes}

    @property
    def outputs(self) -> int:
        """A logit for each class."""
        return len(self.classes)

    def describe(self) -> str:
        """`of 10 classes`."""
        return f"of {len(self.classes)} classes"

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean loss in nats: logits (N, num_classes) and int64 labels (N,) to a scalar."""
        return classification_loss(
            outputs,
            labels,
            label_smoothing=self.label_smoothing,
            class_weights=self.class_weights,
            focal_gamma=self.focal_gamma,
        )

    def score(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """How many of a batch are right: int64 scalar on the batch's device."""
        return (outputs.argmax(dim=1) == labels).sum()

    def sampling_groups(self, labels: Labels) -> npt.NDArray[np.int64]:
        """Each picture's class."""
        return labels

    def predictions(self, outputs: torch.Tensor) -> Floats:
        """Probabilities (N, num_classes)."""
        return softmax(outputs)

    def results(self, predictions: Floats, paths: Sequence[str | None]) -> list[Classification]:
        """A result for each row of probabilities (N, num_classes)."""
        return [Classification(self.classes, row, path) for row, path in zip(predictions, paths, strict=True)]

    def measure(self, predictions: Floats, labels: Labels) -> ClassificationMetrics:
        """Metrics of probabilities (N, num_classes) against labels (N,)."""
        return measure(predictions, labels, self.classes)

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The watched figure, then the lower loss."""
        return metrics.figures()[self.watch], -metrics.loss

    def tuned(self, predictions: Floats, labels: Labels) -> Self:
        """Nothing is chosen when training has ended."""
        return self

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """The most probable class is taken, whatever its probability."""
        raise ConfigError(f"a threshold is for one class: name it with --positive, one of {', '.join(self.classes)}")

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Always saying the most frequent class."""
        known = training_labels if training_labels is not None else labels
        said = int(np.bincount(known, minlength=len(self.classes)).argmax())
        right = int((labels == said).sum())
        name = f"always '{self.classes[said]}', the most frequent class of {whose(training_labels is not None)}"
        return (Baseline(name, {"accuracy": (right / len(labels), wilson_interval(right, len(labels)))}),)

    def compare(self, first: Floats, second: Floats, labels: Labels) -> PairedDifference:
        """The difference of the accuracies."""
        return paired_difference(first.argmax(axis=1) == labels, second.argmax(axis=1) == labels)

    def grouped_intervals(
        self, predictions: Floats, labels: Labels, groups: npt.NDArray[np.int64]
    ) -> dict[str, Interval | None]:
        """The intervals of accuracy and macro F1, and of two classes of the area under the ROC curve."""
        drawn, predicted = drawn_groups(groups), predictions.argmax(axis=1)
        found: dict[str, Interval | None] = {
            "accuracy": accuracy_interval(predicted == labels, groups, drawn),
            "macro_f1": macro_f1_interval(labels, predicted, groups, drawn),
        }
        if len(self.classes) == 2:
            found["roc_auc"] = roc_auc_interval(predictions[:, 1], labels == 1, groups, drawn)
        return found

    def has(self, labels: Labels, position: int) -> npt.NDArray[np.bool_]:
        """Which pictures are of a class."""
        return np.asarray(labels == position)


def softmax(logits: torch.Tensor) -> npt.NDArray[np.float64]:
    """Probabilities of shape (N, num_classes) in float64."""
    probabilities: npt.NDArray[np.float64] = logits.detach().cpu().double().softmax(dim=1).numpy()
    return probabilities


def measure(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], classes: Sequence[str]
) -> ClassificationMetrics:
    """Measure a classifier on one split.

    Args:
        probabilities: float of shape (N, num_classes).
        labels: int64 of shape (N,), positions in `classes`.
        classes: The classes' names.

    Raises:
        ValueError: There is no picture, or the shapes do not agree.
    """
    count = len(labels)
    if count == 0 or probabilities.shape != (count, len(classes)):
        raise ValueError(
            f"probabilities of shape {probabilities.shape} came with {count} labels of {len(classes)} classes; "
            f"expected ({count}, {len(classes)}) and at least one picture"
        )
    true_probability = probabilities[np.arange(count), labels]
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, len(classes))
    right = int(np.trace(matrix))
    top5 = None
    if len(classes) >= _FEWEST_CLASSES_FOR_TOP5:
        rank = (probabilities > true_probability[:, None]).sum(axis=1)
        top5 = int((rank < 5).sum())
    losses = -np.log(np.maximum(true_probability, np.finfo(np.float64).tiny))
    return ClassificationMetrics(
        images=count,
        loss=float(losses.mean()),
        loss_ci95=loss_interval(losses),
        accuracy=right / count,
        accuracy_ci95=wilson_interval(right, count),
        top5_accuracy=None if top5 is None else top5 / count,
        top5_accuracy_ci95=None if top5 is None else wilson_interval(top5, count),
        macro_f1=macro_f1(matrix),
        macro_f1_ci95=bootstrap_macro_f1(matrix),
        per_class=per_class_scores(matrix, classes),
        confusion=matrix,
        calibration_error=expected_calibration_error(probabilities, labels),
    )


def confusion_matrix(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], num_classes: int
) -> npt.NDArray[np.int64]:
    """Counts of shape (num_classes, num_classes): rows are the true classes, columns the predicted."""
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def per_class_scores(matrix: npt.NDArray[np.int64], classes: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class from a confusion matrix."""
    hits, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return tuple(
        class_scores(name, int(hit), int(of_class), int(given))
        for name, hit, of_class, given in zip(classes, hits, support, predicted, strict=True)
    )


def class_scores(name: str, hits: int, support: int, predicted: int) -> ClassScores:
    """Precision, recall and F1 of a class.

    Args:
        name: The class.
        hits: How many of its pictures were given it.
        support: How many pictures are of it.
        predicted: How many pictures were given it.
    """
    return ClassScores(
        name=name,
        support=support,
        predicted=predicted,
        precision=hits / predicted if predicted else 0.0,
        recall=hits / support if support else 0.0,
        precision_ci95=wilson_interval(hits, predicted) if predicted else None,
        recall_ci95=wilson_interval(hits, support) if support else None,
        f1=2 * hits / (predicted + support) if predicted + support else 0.0,
    )


def largest_confusions(metrics: ClassificationMetrics, count: int = 15) -> list[tuple[str, str, int]]:
    """The most frequent pairs of (true class, predicted class, pictures) that differ."""
    wrong = metrics.confusion * (1 - np.eye(len(metrics.confusion), dtype=np.int64))
    cells = [divmod(int(cell), len(wrong)) for cell in (-wrong.ravel()).argsort(kind="stable")[:count]]
    names = [scores.name for scores in metrics.per_class]
    return [(names[true], names[given], int(wrong[true, given])) for true, given in cells if wrong[true, given]]


def macro_f1(matrix: npt.NDArray[np.int64]) -> float:
    """Mean F1 over the classes that have pictures, from a confusion matrix."""
    return float(_mean_f1(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)))


def _mean_f1(hits: Counts, support: Counts, predicted: Counts) -> npt.NDArray[np.float64]:
    """Mean F1 over the classes that have pictures: three counts (..., num_classes) to (...)."""
    present = support > 0
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    mean: npt.NDArray[np.float64] = (f1 * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return mean


def wilson_interval(successes: int, count: int) -> Interval:
    """The 95 % score interval of a proportion (Wilson 1927, JASA 22:209)."""
    share, z2 = successes / count, _Z95**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z95 / (1 + z2 / count) * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def loss_interval(losses: npt.NDArray[np.float64]) -> Interval | None:
    """The 95 % interval of a mean of losses (N,), positive and skewed: Student's t on the scale of the logarithm.

    Returns:
        None for a single picture, or where no loss is above 0.
    """
    from scipy.special import stdtrit

    count, mean = len(losses), float(losses.mean())
    if count < 2 or mean <= 0:
        return None
    factor = np.exp(stdtrit(count - 1, 0.975) * losses.std(ddof=1) / np.sqrt(count) / mean)
    return float(mean / factor), float(mean * factor)


def bootstrap_macro_f1(matrix: npt.NDArray[np.int64], resamples: int = 1000, seed: int = 0) -> Interval | None:
    """The 95 % percentile bootstrap interval of the macro F1 (Efron 1979).

    Drawing pictures with replacement is drawing the confusion matrix's cells from a multinomial distribution.

    Returns:
        None for a single picture, which is all that resamples show.
    """
    count, num_classes = int(matrix.sum()), len(matrix)
    if count == 1:
        return None
    rows, columns = np.nonzero(matrix)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(count, matrix[rows, columns] / count, size=resamples).astype(np.float32)
    every = np.arange(num_classes)
    support = drawn @ (rows[:, None] == every).astype(np.float32)  # (resamples, num_classes)
    predicted = drawn @ (columns[:, None] == every).astype(np.float32)
    hits = drawn @ ((rows == columns)[:, None] & (rows[:, None] == every)).astype(np.float32)
    values = _mean_f1(hits, support, predicted)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
