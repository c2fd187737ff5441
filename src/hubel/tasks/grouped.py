"""Intervals for pictures that come in groups: of one patient, they are right or wrong together.

An interval that took them for independent would be too narrow. Here whole groups are drawn with replacement, with all
their pictures (the cluster bootstrap: Field and Welsh 2007, JRSS B 69:369). Of a single group all resamples are the
same, which says nothing of others: there is no interval, None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubel.results import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

_RESAMPLES = 1000


def drawn_groups(groups: Integers, seed: int = 0) -> Integers:
    """How often each group comes in each resample: int64 of shape (1000, G).

    Args:
        groups: int64 of shape (N,): the group of each picture, 0 to G - 1.
        seed: Of the draw.
    """
    count = int(groups.max()) + 1
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)


def accuracy_interval(right: npt.NDArray[np.bool_], groups: Integers, drawn: Integers) -> Interval | None:
    """The 95 % interval of the share of pictures that are right: bool of shape (N,)."""
    hits, sizes = (np.bincount(groups, weights=of, minlength=drawn.shape[1]) for of in (right, np.ones(len(right))))
    return _middle((drawn @ hits) / (drawn @ sizes), drawn.shape[1])


def macro_f1_interval(labels: Integers, predicted: Integers, groups: Integers, drawn: Integers) -> Interval | None:
    """The 95 % interval of the mean F1 over the classes that a resample has pictures of; all int64 of shape (N,)."""
    every = int(max(labels.max(), predicted.max())) + 1
    count = drawn.shape[1]

    def of_classes(classes: Integers, weights: Floats | None = None) -> Floats:
        """Pictures of each class in each resample, shape (1000, K)."""
        table = np.bincount(groups * every + classes, weights=weights, minlength=count * every)
        return np.asarray(drawn @ table.reshape(count, every), dtype=np.float64)

    support, given = of_classes(labels), of_classes(predicted)
    f1 = 2 * of_classes(labels, (labels == predicted).astype(np.float64)) / np.maximum(support + given, 1)
    present = support > 0
    return _middle((f1 * present).sum(axis=1) / present.sum(axis=1), count)


def roc_auc_interval(
    scores: Floats, positive: npt.NDArray[np.bool_], groups: Integers, drawn: Integers
) -> Interval | None:
    """The 95 % interval of the area under the ROC curve, over the resamples that have pictures of both kinds.

    Args:
        scores: float64 of shape (N,); a greater one speaks for a positive.
        positive: bool of shape (N,).
        groups: int64 of shape (N,).
        drawn: As `drawn_groups` gives it.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of equal scores
    groups, positive = groups[order], positive[order]
    areas = []
    for times in drawn:
        weights = times[groups].astype(np.float64)
        of_positives = np.add.reduceat(weights * positive, starts)
        of_negatives = np.add.reduceat(weights * ~positive, starts)
        pairs = of_positives.sum() * of_negatives.sum()
        if pairs:
            below = of_negatives.cumsum() - of_negatives / 2  # ties count half
            areas.append(float((of_positives * below).sum() / pairs))
    return _middle(np.array(areas), drawn.shape[1])


def _middle(values: Floats, count: int) -> Interval | None:
    if count == 1:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
