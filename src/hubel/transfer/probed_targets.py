"""What a linear probe learns of each task's labels, and the figure that tells how well it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.decoded.store import PictureStore
from hubel.errors import DataError
from hubel.results import Interval
from hubel.tasks.classification import wilson_interval
from hubel.tasks.multilabel_metrics import mean_average_precision, pseudo_values
from hubel.tasks.regression import intervals
from hubel.tasks.task import Floats, Labels, LabelTask
from hubel.transfer.linear_probe import IDENTITY, LOGISTIC, SOFTMAX, Link

Integers = npt.NDArray[np.int64]

_TENTHS = 10
_FEWEST_NUMBERS = 20


@dataclass(frozen=True, eq=False)
class Reading:
    """How well the probe of one stage reads the labels of pictures that it has not seen.

    Attributes:
        value: The figure.
        ci95: Its 95 % interval.
        added: Of shape (N,): what each picture adds to it; the mean is the figure. Bool where a picture is right or
            wrong, else float64.
    """

    value: float
    ci95: Interval
    added: npt.NDArray[Any]


@dataclass(frozen=True)
class ProbedTargets:
    """What is probed of a task's labels.

    Attributes:
        figure: The figure's name: `accuracy`, `mean_average_precision` or `r2`.
        amount: What `counts` counts pictures per.
        link: Of the probe.
        targets: From labels (N, ...) to targets (N, K).
        strata: From labels to int64 (N,): what every fold should have as much of.
        counts: From the training pictures to how many there are of each class, label or tenth of the values; copies
            count once, and too few are refused.
        read: From predictions (N, K) and labels to the figure.
        baseline: The figure of a guess that never looks at a picture.
    """

    figure: str
    amount: str
    link: Link
    targets: Callable[[Labels, int], npt.NDArray[np.float32]]
    strata: Callable[[Labels], Integers]
    counts: Callable[[PictureStore, LabelTask], tuple[int, ...]]
    read: Callable[[Floats, Labels], Reading]
    baseline: Callable[[Labels], float]


def probed_targets(task: LabelTask) -> ProbedTargets:
    """What is probed for a task."""
    return _OF_TASK[task.name]


def _right(predictions: Floats, labels: Labels) -> Reading:
    right = predictions.argmax(axis=1) == labels
    value = float(right.mean())
    low, high = wilson_interval(int(right.sum()), len(right))
    return Reading(value, (min(low, value), max(high, value)), right)  # at 0 and 1, rounding would part them


def _precise(predictions: Floats, labels: Labels) -> Reading:
    value, ends = mean_average_precision(predictions, labels > 0)
    assert value is not None  # `_counts_of_labels` has seen to it
    return Reading(value, ends or (value, value), pseudo_values(predictions, labels))


def _explained(predictions: Floats, labels: Labels) -> Reading:
    """R², of which each picture adds one minus its squared error over the mean squared distance from the mean."""
    values = labels.astype(np.float64)
    added = 1 - (predictions[:, 0] - _standardised(values)) ** 2
    value = float(added.mean())
    deviation = values.std()
    ends = intervals(predictions[:, 0] * deviation + values.mean(), values)["r2"]
    return Reading(value, ends or (value, value), added)


def _standardised(values: Floats) -> Floats:
    standardised: Floats = (values - values.mean()) / (values.std() or 1.0)
    return standardised


def _counts_of_classes(store: PictureStore, task: LabelTask) -> tuple[int, ...]:
    different = {(sample.label, sample.digest) for sample in store.samples}
    counted = Counter(label for label, _ in different)
    counts = tuple(counted[label] for label in range(len(task.classes)))
    if len(task.classes) < 2:
        raise DataError(f"a probe tells classes apart, but there is one only, '{task.classes[0]}': add another class")
    if min(counts) < 2:
        lacking = task.classes[counts.index(min(counts))]
        raise DataError(
            f"a probe needs two different training pictures of every class, to learn from one and be asked for the "
            f"other: class '{lacking}' has {min(counts)}; add some"
        )
    return counts


def _counts_of_labels(store: PictureStore, task: LabelTask) -> tuple[int, ...]:
    pictures = {sample.digest: row for sample, row in zip(store.samples, store.labels, strict=True)}
    has = np.stack(list(pictures.values())) > 0
    counts = has.sum(axis=0)
    if not ((counts >= 2) & (len(has) - counts >= 2)).any():
        raise DataError(
            "a probe needs a label that at least two different training pictures have and two lack: "
            f"{', '.join(task.classes)} are on {', '.join(map(str, counts))} of {len(has)}; add some"
        )
    return tuple(int(count) for count in counts if count)


def _counts_of_numbers(store: PictureStore, task: LabelTask) -> tuple[int, ...]:
    different = len({sample.digest for sample in store.samples})
    if different < _FEWEST_NUMBERS:
        raise DataError(
            f"a probe of a number needs at least {_FEWEST_NUMBERS} different training pictures: {different} came; "
            "add some"
        )
    return (different // _TENTHS,) * _TENTHS


_OF_TASK: Mapping[str, ProbedTargets] = {
    "classification": ProbedTargets(
        figure="accuracy",
        amount="class",
        link=SOFTMAX,
        targets=lambda labels, classes: np.eye(classes, dtype=np.float32)[labels],
        strata=lambda labels: labels,
        counts=_counts_of_classes,
        read=_right,
        baseline=lambda labels: float(np.bincount(labels).max() / len(labels)),
    ),
    "multilabel": ProbedTargets(
        figure="mean_average_precision",
        amount="label",
        link=LOGISTIC,
        targets=lambda labels, classes: labels,
        strata=lambda labels: np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64),
        counts=_counts_of_labels,
        read=_precise,
        baseline=lambda labels: float(labels[:, labels.any(axis=0)].mean(axis=0, dtype=np.float64).mean()),
    ),
    "regression": ProbedTargets(
        figure="r2",
        amount="tenth of the values",
        link=IDENTITY,
        targets=lambda labels, classes: _standardised(labels.astype(np.float64))[:, None].astype(np.float32),
        strata=lambda labels: labels.argsort(kind="stable").argsort(kind="stable") * _TENTHS // len(labels),
        counts=_counts_of_numbers,
        read=_explained,
        baseline=lambda labels: 0.0,
    ),
}
