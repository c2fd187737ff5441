"""Two classifiers on the same pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from hubel.tasks.paired import exact_mcnemar, paired_difference, tango_interval


def test_the_interval_against_published_values() -> None:
    # Fagerland, Lydersen and Laake 2014 (Statistics in Medicine 33:2850), airway data: 1, 1, 7, 12.
    assert tango_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    # Without a pair that differs, the ends are z² / (n + z²): the equation of Tango 1998 solved by hand.
    assert tango_interval(0, 0, 50) == pytest.approx((-3.8415 / 53.8415, 3.8415 / 53.8415), abs=1e-5)


@settings(max_examples=40)
@given(counts=st.tuples(*[st.integers(0, 30)] * 3).filter(lambda counts: sum(counts) > 0))
def test_the_interval_is_what_the_score_test_leaves(counts: tuple[int, int, int]) -> None:
    first, second, _ = counts
    count = sum(counts)
    low, high = tango_interval(first, second, count)
    assert -1 <= low <= (first - second) / count <= high <= 1
    for end in (low, high):
        if abs(end) < 1 - 1e-6:
            assert abs(_score(first, second, count, end)) == pytest.approx(1.959964, abs=1e-3)
    mirrored = tango_interval(second, first, count)
    assert (-mirrored[1], -mirrored[0]) == pytest.approx((low, high), abs=1e-8)


def _score(first: int, second: int, count: int, supposed: float) -> float:
    """The score statistic, its nuisance parameter found by maximising the likelihood numerically."""

    def unlikely(q: float) -> float:
        cells = ((first, q + supposed), (second, q), (count - first - second, 1 - 2 * q - supposed))
        return -sum(times * math.log(max(p, 1e-300)) for times, p in cells if times)

    low, high = max(0.0, -supposed), (1 - supposed) / 2
    q = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (first - second - count * supposed) / math.sqrt(count * (2 * q + supposed - supposed**2))


def test_mcnemar_by_hand() -> None:
    # 1 of 8: two tails of the binomial distribution, 2 · (1 + 8) / 2⁸
    assert exact_mcnemar(1, 7) == exact_mcnemar(7, 1) == pytest.approx(18 / 256)
    assert exact_mcnemar(0, 5) == pytest.approx(2 / 32)
    assert exact_mcnemar(4, 4) == exact_mcnemar(0, 0) == 1


def test_only_pictures_that_tell_the_two_apart_count() -> None:
    first = np.array([True] * 90 + [False] * 10)
    second = np.array([True] * 80 + [False] * 20)
    result = paired_difference(first, second)
    assert (result.only_first, result.only_second, result.difference) == (10, 0, pytest.approx(0.1))
    assert result.p_value == pytest.approx(2 / 2**10)
    assert result.distinguishable
    swapped = paired_difference(second, first)
    assert swapped.difference == -result.difference
    assert swapped.ci95 == pytest.approx((-result.ci95[1], -result.ci95[0]))
    assert not paired_difference(first, first).distinguishable
    assert result.to_dict()["distinguishable"] is True


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\) came"):
        paired_difference(np.ones(2, dtype=bool), np.ones(3, dtype=bool))
