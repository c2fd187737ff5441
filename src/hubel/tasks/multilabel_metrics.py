"""The figures of several labels, as functions of probabilities and labels, both of shape (N, num_classes).

A label's average precision is as scikit-learn defines it: pictures of equal probability count together. Labels that no
picture has are left out of every mean over labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hubel.results import Interval, LabelScores, MultiLabelMetrics
from hubel.tasks.classification import class_scores, loss_interval, wilson_interval
from hubel.tasks.ranking import average_precision, leave_one_out, logit_interval, trace
from hubel.tasks.resampling import middle, resamples

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.tasks.task import Floats, Labels

    Booleans = npt.NDArray[np.bool_]
    Integers = npt.NDArray[np.int64]


def measure(
    probabilities: Floats, labels: Labels, classes: Sequence[str], thresholds: Sequence[float]
) -> MultiLabelMetrics:
    """Measure a model of several labels on one split.

    Args:
        probabilities: float64 of shape (N, num_classes).
        labels: Of the same shape, 1 where a picture has a label and 0 elsewhere.
        classes: The labels' names.
        thresholds: The probability from which on a picture is given each label.

    Raises:
        ValueError: There is no picture, or the shapes do not agree.
    """
    if len(labels) == 0 or probabilities.shape != labels.shape or labels.shape[1] != len(classes):
        raise ValueError(
            f"probabilities of shape {probabilities.shape} came with labels of shape {labels.shape}: expected "
            f"(N, {len(classes)}) twice and at least one picture"
        )
    has = labels > 0
    given = probabilities >= np.asarray(thresholds)
    likelihood = np.maximum(np.where(has, probabilities, 1 - probabilities), np.finfo(np.float64).tiny)
    losses = -np.log(likelihood).mean(axis=1)
    exact = int((has == given).all(axis=1).sum())
    value, value_ci95 = mean_average_precision(probabilities, has)
    macro, micro = _f1(np.ones((1, len(has))), has, given)
    drawn = [_f1(weights, has, given) for weights in resamples(len(has))]
    return MultiLabelMetrics(
        images=len(has),
        loss=float(losses.mean()),
        loss_ci95=loss_interval(losses),
        mean_average_precision=value,
        mean_average_precision_ci95=value_ci95,
        macro_f1=float(macro[0]),
        macro_f1_ci95=middle(np.concatenate([macros for macros, _ in drawn]), len(has)),
        micro_f1=float(micro[0]),
        micro_f1_ci95=middle(np.concatenate([micros for _, micros in drawn]), len(has)),
        subset_accuracy=exact / len(has),
        subset_accuracy_ci95=wilson_interval(exact, len(has)),
        per_label=tuple(
            _of_label(name, probabilities[:, at], has[:, at], given[:, at], thresholds[at])
            for at, name in enumerate(classes)
        ),
    )


def mean_average_precision(
    probabilities: Floats, has: Booleans, groups: Integers | None = None
) -> tuple[float | None, Interval | None]:
    """The mean of the labels' average precisions over the labels that a picture has, and its 95 % interval.

    The interval is the jackknife's over pictures on the logit scale, which knows that the labels of a picture go
    together; for the few pictures of a label, the guard of `hubel.tasks.ranking` is added. (The percentiles of a
    bootstrap lie too high: a picture that is drawn twice stands beside itself.)

    Args:
        probabilities: float64 of shape (N, num_classes).
        has: bool of the same shape.
        groups: int64 of shape (N,): the group of each picture, where those of a group are right or wrong together; what
            they add to the variance is then added up first.

    Returns:
        None twice where no picture has any label; no interval where every picture has all labels that occur.
    """
    seen = has.any(axis=0)
    if not seen.any():
        return None, None
    values = np.array([_average_precision(probabilities[:, at], has[:, at]) for at in np.flatnonzero(seen)])
    value = float(values.mean())
    every = np.arange(len(has)) if groups is None else groups
    positives, negatives = _groups_with(has[:, seen], every), _groups_with(~has[:, seen], every)
    telling = negatives > 0
    if not telling.any():
        return value, None
    # A label that is told without a mistake counts as if half a positive were one.
    doubted = np.where(telling, np.minimum(values, (positives + 0.5) / (positives + 1)), values)
    fewest = np.minimum(positives, negatives)[telling]
    guard = float(((doubted * (1 - doubted))[telling] / fewest**2).sum()) / len(values) ** 2
    added = np.bincount(every, weights=pseudo_values(probabilities, has) - value) / len(has)
    variance = float((added**2).sum()) * len(added) / max(len(added) - 1, 1)
    low, high = logit_interval(float(doubted.mean()) if value == 1 else value, variance + guard, int(fewest.sum()) - 1)
    return value, (low, 1.0 if value == 1 else high)


def pseudo_values(probabilities: Floats, labels: Labels) -> Floats:
    """What each picture adds to the mean average precision: the jackknife's pseudo-values (Tukey 1958), (N,).

    They are moved so that their mean is the figure itself, and their spread tells how far chance moves it.
    """
    has = labels > 0
    count, present = len(has), np.flatnonzero(has.any(axis=0))
    added, total = np.zeros(count), 0.0
    for at in present:
        scores, of_label = probabilities[:, at], has[:, at]
        curve = trace(scores[of_label], scores[~of_label])
        hits, misses = np.diff(curve.true_positives), np.diff(curve.false_positives)
        without_positive, without_negative = leave_one_out(hits, misses)
        place = len(hits) - 1 - np.searchsorted(curve.thresholds[:0:-1], scores)  # among the scores, falling
        added -= (count - 1) * np.where(of_label, without_positive[place], without_negative[place])
        total += float((hits * curve.precision[1:]).sum() / hits.sum())
    pseudo: Floats = (added - added.mean() + total) / max(len(present), 1)
    return pseudo


def best_f1_thresholds(probabilities: Floats, labels: Labels, otherwise: Sequence[float]) -> tuple[float, ...]:
    """Each label's threshold with the highest F1, half-way between the probabilities that it parts.

    Args:
        probabilities: float64 of shape (N, num_classes), of validation pictures.
        labels: Of the same shape.
        otherwise: The thresholds of the labels that no picture has.
    """
    chosen = list(otherwise)
    for at in np.flatnonzero((labels > 0).any(axis=0)):
        scores, of_label = probabilities[:, at], labels[:, at] > 0
        curve = trace(scores[of_label], scores[~of_label])
        chosen[at] = curve.halfway(int(curve.f1.argmax()))
    return tuple(chosen)


def grouped_intervals(
    probabilities: Floats, labels: Labels, thresholds: Sequence[float], groups: Integers
) -> dict[str, Interval | None]:
    """The 95 % intervals of all figures where pictures of a group are right or wrong together.

    Of the figures at thresholds, whole groups are drawn (the cluster bootstrap).

    Args:
        probabilities: float64 of shape (N, num_classes).
        labels: Of the same shape.
        thresholds: Of each label.
        groups: int64 of shape (N,): the group of each picture, 0 to G - 1.
    """
    has, given = labels > 0, probabilities >= np.asarray(thresholds)
    exact = (has == given).all(axis=1)
    drawn: dict[str, list[Floats]] = {}
    for weights in resamples(len(has), groups):
        macro, micro = _f1(weights, has, given)
        figures = {
            "macro_f1": macro,
            "micro_f1": micro,
            "subset_accuracy": weights @ exact / weights.sum(axis=1),
        }
        for name, values in figures.items():
            drawn.setdefault(name, []).append(values)
    _, ends = mean_average_precision(probabilities, has, groups)
    return {"mean_average_precision": ends} | {
        name: middle(np.concatenate(of), int(groups.max()) + 1) for name, of in drawn.items()
    }


def _groups_with(chosen: Booleans, groups: Integers) -> Integers:
    """How many groups have a picture that is chosen: bool (N, K) to int64 (K,)."""
    return np.array([len(np.unique(groups[column])) for column in chosen.T])


def _average_precision(scores: Floats, of_label: Booleans) -> float:
    curve = trace(scores[of_label], scores[~of_label])
    return float((np.diff(curve.true_positives) * curve.precision[1:]).sum() / curve.positives)


def _of_label(name: str, scores: Floats, has: Booleans, given: Booleans, threshold: float) -> LabelScores:
    hits, support, predicted = int((has & given).sum()), int(has.sum()), int(given.sum())
    both = 0 < support < len(has)
    value, ci95 = average_precision(scores[has], scores[~has]) if both else (1.0 if support else None, None)
    return LabelScores(class_scores(name, hits, support, predicted), threshold, value, ci95)


def _f1(weights: Floats, has: Booleans, given: Booleans) -> tuple[Floats, Floats]:
    """Macro and micro F1, both of shape (R,), of pictures that come as often as weights (R, N) say."""
    hits, support, predicted = (weights @ of.astype(np.float64) for of in (has & given, has, given))  # (R, num_classes)
    present = support > 0
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    macro = (f1 * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    micro = 2 * hits.sum(axis=1) / np.maximum((support + predicted).sum(axis=1), 1)
    return macro, micro
