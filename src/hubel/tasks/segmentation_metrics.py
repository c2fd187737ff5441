"""How well masks are predicted: figures of a confusion matrix of pixels, with intervals over the pictures.

Pixels of one picture are right or wrong together, so what is drawn anew for an interval are whole pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.errors import DataError
from hubel.results import Interval, SegmentationMetrics
from hubel.tasks.classification import loss_interval
from hubel.tasks.paired import BootstrapDifference, bootstrap_difference
from hubel.tasks.resampling import middle, resamples
from hubel.tasks.segmentation_losses import IGNORED

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.integer[Any]]


def confusion_matrix(
    truth: Integers, predicted: Integers, num_classes: int, *, ignore_index: int = IGNORED
) -> npt.NDArray[np.int64]:
    """How many pixels of each class were predicted as each class.

    Args:
        truth: Integers (H, W) with classes 0 to K - 1, or `ignore_index` for pixels that do not count.
        predicted: The same shape, with classes alone; on ignored pixels anything.
        num_classes: K.
        ignore_index: See `truth`.

    Returns:
        int64 (K, K): a row for each true class, a column for each predicted one.

    Raises:
        ValueError: The shapes differ, or a value is no class.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"a mask of shape {truth.shape} and a prediction of shape {predicted.shape} came")
    counts = truth != ignore_index
    rows, columns = truth[counts].astype(np.int64), predicted[counts].astype(np.int64)
    for what, values in (("mask", rows), ("prediction", columns)):
        if len(values) and not (values.min() >= 0 and values.max() < num_classes):
            wrong = values[(values < 0) | (values >= num_classes)][0]
            raise ValueError(f"the {what} has the value {wrong}: expected classes 0 to {num_classes - 1}")
    cells = np.bincount(rows * num_classes + columns, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


class MaskCounts:
    """Adds up masks and predictions picture by picture, of whatever sizes, and keeps three numbers a class of each.

    Args:
        classes: Their names, in the order of their numbers.
        ignore_index: The value in masks of pixels that do not count.
    """

    def __init__(self, classes: Sequence[str], *, ignore_index: int = IGNORED) -> None:
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.confusion = np.zeros((len(self.classes), len(self.classes)), np.int64)
        self._pictures: list[npt.NDArray[np.int64]] = []  # of each (3, K): intersection, true, predicted pixels
        self._losses: list[float] = []

    def add(self, truth: Integers, predicted: Integers, loss: float = math.nan) -> None:
        """Count a picture.

        Args:
            truth: As for `confusion_matrix`.
            predicted: Likewise.
            loss: The mean cross entropy of its pixels, in nats, where it is known.

        Raises:
            ValueError: As for `confusion_matrix`.
        """
        matrix = confusion_matrix(truth, predicted, len(self.classes), ignore_index=self.ignore_index)
        self.confusion += matrix
        self._pictures.append(np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)]))
        if matrix.any():
            self._losses.append(loss)

    def measure(self) -> SegmentationMetrics:
        """The figures of all pictures so far.

        Raises:
            DataError: No pixel was counted.
        """
        if not self.confusion.any():
            raise DataError("no pixel was counted: expected at least one mask with a pixel that is not ignored")
        counts = np.stack(self._pictures)  # (N, 3, K)
        names = ["mean_iou", "mean_dice", "pixel_accuracy"]
        names += [f"{figure}/{name}" for figure in ("iou", "dice") for name in self.classes]
        intervals: dict[str, Interval | None] = dict.fromkeys(names)
        if len(counts) > 1:
            drawn = _drawn_figures(counts)
            intervals = {name: middle(drawn[:, number], len(counts)) for number, name in enumerate(names)}
        values = _figures(counts.sum(axis=0, dtype=np.float64)[None])[0].tolist()
        each = [None if np.isnan(value) else value for value in values[3:]]
        losses = np.array(self._losses)
        return SegmentationMetrics(
            classes=self.classes,
            counts=counts,
            confusion=self.confusion.copy(),
            loss=float(losses.mean()),
            loss_ci95=None if np.isnan(losses).any() else loss_interval(losses),
            iou=tuple(each[: len(self.classes)]),
            dice=tuple(each[len(self.classes) :]),
            mean_iou=values[0],
            mean_dice=values[1],
            pixel_accuracy=values[2],
            intervals=intervals,
        )


def difference_of_mean_iou(first: SegmentationMetrics, second: SegmentationMetrics) -> BootstrapDifference:
    """The mean IoU of one model minus that of another on the same pictures, which are drawn anew for both together."""
    drawn = [_drawn_figures(metrics.counts)[:, 0] for metrics in (first, second)]  # the same draws: one seed
    return bootstrap_difference("mean_iou", first.mean_iou - second.mean_iou, drawn[0] - drawn[1], first.images)


def _drawn_figures(counts: npt.NDArray[np.int64]) -> Floats:
    """The figures of each resample of the pictures, (R, 3 + 2 K), from the counts of each picture (N, 3, K)."""
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    return np.concatenate(
        [_figures((weights @ flat).reshape(-1, *counts.shape[1:])) for weights in resamples(len(flat))]
    )


def _figures(counts: Floats) -> Floats:
    """Mean IoU, mean Dice, accuracy, IoU and Dice of each class: (R, 3 + 2 K) of counts (R, 3, K); nan: none."""
    intersection, true, predicted = counts[:, 0], counts[:, 1], counts[:, 2]
    together = true + predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = intersection / (together - intersection)
        dice = 2 * intersection / together
        accuracy = intersection.sum(axis=1, keepdims=True) / true.sum(axis=1, keepdims=True)
        occurs = (together > 0).sum(axis=1, keepdims=True)
        means = [np.where(together > 0, each, 0).sum(axis=1, keepdims=True) / occurs for each in (iou, dice)]
    return np.concatenate([*means, accuracy, iou, dice], axis=1)
