"""Two models on the same pictures: the difference of their figures, its interval, and a test.

Two classifiers decide on the same pictures, so only those count on which one is right and the other wrong. Comparing
the two accuracies' own intervals would throw that away, and would call clear differences unclear. Other figures
are compared by what each picture adds to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubel.results import Interval
from hubel.results.base import interval_fields
from hubel.results.naming import ERRORS, TITLES, counted, number_text
from hubel.tasks.resampling import middle

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_SIGNIFICANCE = 0.05
# The normal distribution's 97.5 % quantile, for intervals of 95 %.
_Z95 = 1.959963984540054
_TINY = 1e-300


@dataclass(frozen=True)
class PairedDifference:
    """The accuracy of one way to classify, minus that of another, on the same pictures.

    Attributes:
        images: How many pictures there were.
        only_first: Pictures that the first one alone has right.
        only_second: Pictures that the second one alone has right.
        difference: The first one's accuracy minus the second one's.
        ci95: Its 95 % score interval for pairs (Tango 1998).
        p_value: Of the exact McNemar test, two-sided: how often two equally accurate ones would differ that much.
    """

    images: int
    only_first: int
    only_second: int
    difference: float
    ci95: Interval
    p_value: float

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves 0 out, and the exact test agrees."""
        return not self.ci95[0] <= 0 <= self.ci95[1] and self.p_value < _SIGNIFICANCE

    def text(self) -> str:
        """`+1.34 points (95 % interval -0.3 to 3.0, exact McNemar p = 0.18): not distinguishable`."""
        low, high = (100 * end for end in self.ci95)
        verdict = "distinguishable" if self.distinguishable else "not distinguishable"
        if not self.distinguishable and not low <= 0 <= high:
            verdict += " by the exact test, which is the stricter one"
        interval = f"95 % interval {low:+.1f} to {high:+.1f}, exact McNemar {_p_text(self.p_value)}"
        return f"{100 * self.difference:+.2f} points ({interval}): {verdict}"

    def aside(self, first: str, second: str) -> str:
        """`3 pictures only the one has right, 5 only the other`."""
        return f"{counted(self.only_first, 'picture')} only {first} has right, {self.only_second} only {second}"

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {
            "difference": self.difference,
            "difference_ci95": list(self.ci95),
            "p_value": self.p_value,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "distinguishable": self.distinguishable,
        }


@dataclass(frozen=True)
class MeanDifference:
    """A mean over pictures of one model, minus that of another on the same pictures.

    Attributes:
        figure: Of what, such as `mae`.
        images: How many pictures there were.
        difference: The first one's mean minus the second one's.
        ci95: Its 95 % interval (Student's t of the differences picture by picture); None for a single picture.
        p_value: Of the paired t-test, two-sided; 1 for a single picture.
    """

    figure: str
    images: int
    difference: float
    ci95: Interval | None
    p_value: float

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.ci95 is not None and not self.ci95[0] <= 0 <= self.ci95[1]

    def text(self) -> str:
        """`-0.31 mean absolute error, less is better (95 % interval -0.52 to -0.1, paired t-test p = 0.0041): ...`."""
        what = f"{TITLES[self.figure]}{', less is better' if self.figure in ERRORS else ''}"
        difference = number_text(self.difference, 3, sign="+")
        if self.ci95 is None:
            return f"{difference} {what} on a single picture"
        low, high = (number_text(end, 3, sign="+") for end in self.ci95)
        verdict = "distinguishable" if self.distinguishable else "not distinguishable"
        interval = f"95 % interval {low} to {high}, paired t-test {_p_text(self.p_value)}"
        return f"{difference} {what} ({interval}): {verdict}"

    def aside(self, first: str, second: str) -> str:
        """Nothing."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {
            "figure": self.figure,
            **interval_fields("difference", self.difference, self.ci95),
            "p_value": self.p_value,
            "distinguishable": self.distinguishable,
        }


@dataclass(frozen=True)
class BootstrapDifference:
    """A figure of all pictures of one model, minus that of another on the same pictures.

    Attributes:
        figure: Which, such as `mean_iou`.
        images: How many pictures there were.
        difference: The first one's minus the second one's.
        ci95: Its 95 % interval, from pictures drawn anew for both together; None for a single picture.
    """

    figure: str
    images: int
    difference: float
    ci95: Interval | None

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.ci95 is not None and not self.ci95[0] <= 0 <= self.ci95[1]

    def text(self) -> str:
        """`+0.013 mean IoU (95 % interval +0.004 to +0.021, paired bootstrap over pictures): distinguishable`."""
        if self.ci95 is None:
            return f"{self.difference:+.4f} {TITLES[self.figure]} on a single picture"
        verdict = "distinguishable" if self.distinguishable else "not distinguishable"
        interval = f"95 % interval {self.ci95[0]:+.4f} to {self.ci95[1]:+.4f}, paired bootstrap over pictures"
        return f"{self.difference:+.4f} {TITLES[self.figure]} ({interval}): {verdict}"

    def aside(self, first: str, second: str) -> str:
        """Nothing."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {
            "figure": self.figure,
            **interval_fields("difference", self.difference, self.ci95),
            "distinguishable": self.distinguishable,
        }


def _p_text(p_value: float) -> str:
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"


def mean_difference(figure: str, first: Floats, second: Floats) -> MeanDifference:
    """Compare two models by what each picture adds to a mean.

    Args:
        figure: The mean's name.
        first: float64 of shape (N,): what each picture adds to the first one's mean.
        second: The same of the second one, picture by picture.

    Raises:
        ValueError: The shapes differ, or there is no picture.
    """
    from scipy.special import stdtr, stdtrit

    if first.shape != second.shape or first.size == 0:
        raise ValueError(
            f"shapes {first.shape} and {second.shape} came: expected one shape twice, and at least one picture"
        )
    differences = first - second
    count, mean = len(differences), float(differences.mean())
    if count == 1:
        return MeanDifference(figure, 1, mean, None, 1.0)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    half = float(stdtrit(count - 1, 0.975)) * error
    p_value = float(2 * stdtr(count - 1, -abs(mean) / error)) if error else float(mean == 0)
    return MeanDifference(figure, count, mean, (mean - half, mean + half), p_value)


def bootstrap_difference(figure: str, difference: float, drawn: Floats, images: int) -> BootstrapDifference:
    """Compare two models by a figure that is no mean over pictures, such as a mean IoU or a mean average precision.

    Args:
        figure: Its name.
        difference: Of all pictures, the first model's minus the second one's.
        drawn: float64 (R,): the same in resamples of the pictures, each drawn for both models together.
        images: How many pictures there are.
    """
    ci95 = middle(drawn, images) if images > 1 else None
    return BootstrapDifference(figure, images, difference, ci95)


def paired_difference(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> PairedDifference:
    """Compare two classifiers by what each has right.

    Args:
        first: bool of shape (N,): whether the first one has each picture right.
        second: The same of the second one, picture by picture.

    Raises:
        ValueError: The shapes differ, or there is no picture.
    """
    if first.shape != second.shape or first.size == 0:
        raise ValueError(
            f"shapes {first.shape} and {second.shape} came: expected one shape twice, and at least one picture"
        )
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return PairedDifference(
        images=first.size,
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / first.size,
        ci95=tango_interval(only_first, only_second, first.size),
        p_value=exact_mcnemar(only_first, only_second),
    )


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's test by the binomial distribution, without approximation.

    Were both equally accurate, each picture on which they differ would be right in either with probability 1/2.
    """
    from scipy.stats import binomtest

    differing = only_first + only_second
    return float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0


def tango_interval(only_first: int, only_second: int, count: int) -> Interval:
    """The 95 % score interval of a difference of paired proportions (Tango 1998, Statistics in Medicine 17:891).

    All differences that a score test at 5 % would not reject: no corrections, and it holds for few pairs that differ.
    """
    from scipy.optimize import bisect

    difference = (only_first - only_second) / count

    def statistic(supposed: float) -> float:
        """How many standard errors the observed difference lies above a supposed one."""
        # The likeliest probability of `only_second` if the difference is the supposed one: equation 5 there.
        b = -only_first - only_second + (2 * count - only_first + only_second) * supposed
        c = -only_second * supposed * (1 - supposed)
        likeliest = (math.sqrt(max(b * b - 8 * count * c, 0.0)) - b) / (4 * count)
        variance = count * (2 * likeliest + supposed * (1 - supposed))
        above = count * (difference - supposed)
        return above / math.sqrt(max(variance, _TINY)) if above else 0.0

    def end(side: float) -> float:
        """Where the statistic is the 97.5 % quantile, between the observed difference and the end of the scale."""
        if difference == -side:
            return -side
        return float(bisect(lambda supposed: statistic(supposed) - side * _Z95, difference, -side, xtol=1e-10))

    return end(1.0), end(-1.0)
