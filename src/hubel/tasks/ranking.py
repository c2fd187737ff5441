"""One class against the rest by a score: the ROC and precision-recall curves, the areas under them, their intervals.

Everything here takes two arrays of scores, those of the pictures of the class ("positives") and those of all others
("negatives"); a greater score speaks for the class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubel.results import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]

# The normal distribution's 97.5 % quantile, for intervals of 95 %.
_Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Curve:
    """What every threshold would do; a picture is taken for the class if its score is at least the threshold.

    Attributes:
        thresholds: float64 of shape (T + 1,), falling: infinity, then every score that occurs.
        true_positives: int64 of shape (T + 1,): positives at or above each threshold.
        false_positives: int64 of shape (T + 1,): negatives at or above each threshold.
        positives: How many there are.
        negatives: How many there are.
    """

    thresholds: Scores
    true_positives: npt.NDArray[np.int64]
    false_positives: npt.NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> Scores:
        """The share of the positives that is found (recall, true positive rate), at each threshold."""
        return self.true_positives / self.positives

    @property
    def specificity(self) -> Scores:
        """The share of the negatives that is left alone (1 - false positive rate), at each threshold."""
        return 1 - self.false_positives / self.negatives

    @property
    def precision(self) -> Scores:
        """The share of those found that are positives, at each threshold; 1 where none is found."""
        found = self.true_positives + self.false_positives
        return np.where(found > 0, self.true_positives / np.maximum(found, 1), 1.0)

    @property
    def f1(self) -> Scores:
        """The harmonic mean of precision and recall, at each threshold."""
        return 2 * self.true_positives / (self.true_positives + self.false_positives + self.positives)

    def halfway(self, at: int) -> float:
        """A threshold that does the same as the one at a position, half-way to the next lower score, or to 0."""
        lower = self.thresholds[at + 1] if at + 1 < len(self.thresholds) else 0.0
        return float((min(self.thresholds[at], 1.0) + lower) / 2)


def trace(positives: Scores, negatives: Scores) -> Curve:
    """The curve of all thresholds."""
    thresholds = np.unique(np.concatenate([positives, negatives]))[::-1]
    return Curve(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0], _at_least(positives, thresholds)]),
        np.concatenate([[0], _at_least(negatives, thresholds)]),
        len(positives),
        len(negatives),
    )


def _at_least(scores: Scores, thresholds: Scores) -> npt.NDArray[np.int64]:
    """How many scores reach each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def roc_auc(positives: Scores, negatives: Scores) -> tuple[float, Interval]:
    """The area under the ROC curve: how often a positive has a greater score than a negative, ties counting half.

    Returns:
        The area and its 95 % interval. It is that of DeLong (`delong_variance`) on the logit scale, with what
        `_guarded_interval` adds for few pictures. Where all pairs are right, or all wrong, DeLong's variance is 0,
        and the interval is the score interval of Newcombe 2006 (Statistics in Medicine 25:559, method 5).

    Raises:
        ValueError: There are no positives or no negatives.
    """
    many, few = len(positives), len(negatives)
    if not many or not few:
        raise ValueError(f"{many} positives and {few} negatives came: expected at least one of each")
    area, variance = delong_variance(positives, negatives)
    if not 0 < area < 1:
        return area, _newcombe_interval(area, many, few)
    return area, _guarded_interval(area, variance, min(many, few))


def delong_variance(positives: Scores, negatives: Scores) -> tuple[float, float]:
    """The area under the ROC curve and its variance (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).

    By the midranks of Sun and Xu 2014 (IEEE Signal Processing Letters 21:1389), in N log N steps.
    """
    from scipy.stats import rankdata

    many, few = len(positives), len(negatives)
    ranks = rankdata(np.concatenate([positives, negatives]))
    # For each positive, the share of negatives below it; for each negative, the share of positives above it.
    of_positives = (ranks[:many] - rankdata(positives)) / few
    of_negatives = 1 - (ranks[many:] - rankdata(negatives)) / many
    parts = (of_positives, of_negatives)
    return float(of_positives.mean()), sum(float(part.var(ddof=1)) / len(part) for part in parts if len(part) > 1)


def average_precision(positives: Scores, negatives: Scores) -> tuple[float, Interval]:
    """The mean precision over the positives, each at its own score: the area under the precision-recall steps.

    Returns:
        The average precision as scikit-learn defines it, and its 95 % interval: the jackknife's variance on the logit
        scale, with what `_guarded_interval` adds for few pictures. (A bootstrap's percentiles are too narrow an
        interval: Boyd, Eng and Page 2013, ECML PKDD.) Where no negative is above a positive, the interval is as if
        half a positive were.

    Raises:
        ValueError: There are no positives or no negatives.
    """
    many, few = len(positives), len(negatives)
    if not many or not few:
        raise ValueError(f"{many} positives and {few} negatives came: expected at least one of each")
    curve = trace(positives, negatives)
    hits, misses = np.diff(curve.true_positives), np.diff(curve.false_positives)  # at each score, falling
    value = float((hits * curve.precision[1:]).sum() / many)
    if value == 1:
        almost = (many + 0.5) / (many + 1)
        return value, (_guarded_interval(almost, 0.0, min(many, few))[0], 1.0)
    return value, _guarded_interval(value, _jackknife_variance(hits, misses), min(many, few))


def _jackknife_variance(hits: npt.NDArray[np.int64], misses: npt.NDArray[np.int64]) -> float:
    """The variance of the average precision by leaving out each positive and each negative once (Tukey 1958).

    Args:
        hits: int64 of shape (T,): how many positives have each score, falling.
        misses: The same of the negatives.
    """
    without_positive, without_negative = leave_one_out(hits, misses)

    def spread(values: Scores, times: npt.NDArray[np.int64]) -> float:
        count = int(times.sum())
        mean = (times * values).sum() / count
        return float((count - 1) / count * (times * (values - mean) ** 2).sum())

    return spread(without_positive, hits) + spread(without_negative, misses)


def leave_one_out(hits: npt.NDArray[np.int64], misses: npt.NDArray[np.int64]) -> tuple[Scores, Scores]:
    """The average precision without one of the positives at each score, and without one of the negatives at each.

    Args:
        hits: int64 of shape (T,): how many positives have each score, falling.
        misses: The same of the negatives.

    Returns:
        Both float64 of shape (T,); 0 without the only positive, meaningless where there is no picture to leave out.
    """
    true, false = hits.cumsum(), misses.cumsum()
    many = int(true[-1])

    def above(terms: Scores) -> Scores:
        """The sum of all terms before each."""
        before: Scores = np.concatenate([[0.0], terms.cumsum()[:-1]])
        return before

    def below(terms: Scores) -> Scores:
        """The sum of all terms after each."""
        after: Scores = terms.sum() - terms.cumsum()
        return after

    whole = hits * true / (true + false)
    fewer_true = (true - 1) / np.maximum(true - 1 + false, 1)  # precision where a positive above is missing
    fewer_false = hits * true / np.maximum(true + false - 1, 1)
    without_positive = (above(whole) + (hits - 1) * fewer_true + below(hits * fewer_true)) / max(many - 1, 1)
    without_negative = (above(whole) + fewer_false + below(fewer_false)) / many
    return without_positive, without_negative


def _guarded_interval(value: float, variance: float, fewest: int) -> Interval:
    """A 95 % interval on the logit scale of a figure between 0 and 1, from its estimated variance.

    Of few pictures of one side, often all are easy, and an estimated variance is then far too small: with 12 positives
    and an area of 0.96, DeLong's interval holds the truth in less than 90 % of samples. So the greatest variance that
    one more picture could have brought is added, and the quantile is Student's. Where there are hundreds, neither
    matters. `tests/tasks/test_coverage.py` simulates both.

    Args:
        value: The figure.
        variance: As estimated.
        fewest: How many pictures the smaller side has.
    """
    return logit_interval(value, variance + value * (1 - value) / fewest**2, fewest - 1)


def logit_interval(value: float, variance: float, freedom: int) -> Interval:
    """A 95 % interval on the logit scale of a figure between 0 and 1, by Student's t with some degrees of freedom."""
    from scipy.special import stdtrit

    slope = value * (1 - value)
    centre = math.log(value / (1 - value))
    half = float(stdtrit(max(freedom, 1), 0.975)) * math.sqrt(variance) / slope
    low, high = (1 / (1 + math.exp(-min(max(end, -700.0), 700.0))) for end in (centre - half, centre + half))
    return low, high


def _newcombe_interval(area: float, many: int, few: int) -> Interval:
    """All areas whose distance to the observed one, 0 or 1, is at most 1.96 of their own standard errors."""
    from scipy.optimize import bisect

    balance = (many + few) / 2 - 1

    def beyond(supposed: float) -> float:
        spread = 1 + balance * ((1 - supposed) / (2 - supposed) + supposed / (1 + supposed))
        return abs(area - supposed) - _Z95 * math.sqrt(supposed * (1 - supposed) * spread / (many * few))

    if area == 1:
        return float(bisect(beyond, 0.0, 1 - 1e-12)), 1.0
    return 0.0, float(bisect(beyond, 1e-12, 1.0))
