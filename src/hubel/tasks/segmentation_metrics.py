"""How well masks are predicted: figures of a confusion matrix of pixels, with intervals over the pictures.

Pixels of one picture are right or wrong together, so what is drawn anew for an interval are whole pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.results import Interval
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


@dataclass(frozen=True)
class SegmentationMetrics:
    """A model's masks measured against the true ones.

    Attributes:
        classes: Their names.
        confusion: int64 (K, K), pixels of all pictures; a row for each true class.
        iou: Of each class, the intersection of its true and its predicted pixels over their union, all pictures
            together; None where the class is in no mask and no prediction.
        dice: Likewise 2 · intersection / (true + predicted pixels).
        mean_iou: The mean of `iou` over the classes that have one.
        mean_dice: Likewise.
        pixel_accuracy: The share of pixels whose class is right.
        intervals: The figures' 95 % intervals: `mean_iou`, `mean_dice`, `pixel_accuracy`, and `iou` and `dice` of each
            class (`iou/NAME`); percentile bootstrap over the pictures, None where one picture alone was measured.
        images: How many pictures were measured.
    """

    classes: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    iou: tuple[float | None, ...]
    dice: tuple[float | None, ...]
    mean_iou: float
    mean_dice: float
    pixel_accuracy: float
    intervals: dict[str, Interval | None]
    images: int

    def figures(self) -> dict[str, float]:
        """The figures that an epoch is judged by, the headline first."""
        return {"mean_iou": self.mean_iou, "mean_dice": self.mean_dice, "pixel_accuracy": self.pixel_accuracy}

    def to_dict(self) -> dict[str, Any]:
        """The figures with their intervals, and a row for each class, for JSON."""
        fields: dict[str, Any] = {"images": self.images}
        for name, value in self.figures().items():
            fields |= {name: value, f"{name}_ci95": _listed(self.intervals[name])}
        fields["classes"] = {
            name: {
                **{"iou": self.iou[number], "iou_ci95": _listed(self.intervals[f"iou/{name}"])},
                **{"dice": self.dice[number], "dice_ci95": _listed(self.intervals[f"dice/{name}"])},
                "pixels": int(self.confusion[number].sum()),
            }
            for number, name in enumerate(self.classes)
        }
        return fields


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

    def add(self, truth: Integers, predicted: Integers) -> None:
        """Count a picture.

        Raises:
            ValueError: As for `confusion_matrix`.
        """
        matrix = confusion_matrix(truth, predicted, len(self.classes), ignore_index=self.ignore_index)
        self.confusion += matrix
        self._pictures.append(np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)]))

    def measure(self) -> SegmentationMetrics:
        """The figures of all pictures so far.

        Raises:
            ValueError: No pixel was counted.
        """
        if not self.confusion.any():
            raise ValueError("no pixel was counted: expected at least one picture with a pixel that is not ignored")
        pictures = np.stack(self._pictures).astype(np.float64)  # (N, 3, K)
        whole = _figures(pictures.sum(axis=0)[None])
        names = ["mean_iou", "mean_dice", "pixel_accuracy"]
        names += [f"{figure}/{name}" for figure in ("iou", "dice") for name in self.classes]
        drawn = _drawn_figures(pictures) if len(pictures) > 1 else None
        intervals = {name: None if drawn is None else middle(drawn[:, number]) for number, name in enumerate(names)}
        values = whole[0].tolist()
        each = [None if np.isnan(value) else value for value in values[3:]]
        return SegmentationMetrics(
            classes=self.classes,
            confusion=self.confusion.copy(),
            iou=tuple(each[: len(self.classes)]),
            dice=tuple(each[len(self.classes) :]),
            mean_iou=values[0],
            mean_dice=values[1],
            pixel_accuracy=values[2],
            intervals=intervals,
            images=len(pictures),
        )


def _drawn_figures(pictures: Floats) -> Floats:
    """The figures of each resample of the pictures, (R, 3 + 2 K)."""
    flat = pictures.reshape(len(pictures), -1)
    return np.concatenate(
        [_figures((weights @ flat).reshape(-1, *pictures.shape[1:])) for weights in resamples(len(flat))]
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


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
