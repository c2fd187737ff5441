"""Curves and the areas under them, against scikit-learn and against every pair counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from hubel.tasks.ranking import _jackknife_variance, average_precision, delong_variance, roc_auc, trace


@settings(max_examples=40)
@given(
    many=st.integers(1, 40), few=st.integers(1, 40), steps=st.sampled_from([3, 1000]), seed=st.integers(0, 2**32 - 1)
)
def test_areas_and_curves_equal_those_of_scikit_learn(many: int, few: int, steps: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    positives = generator.integers(1, steps + 1, many) / steps  # few steps: many ties
    negatives = generator.integers(0, steps, few) / steps
    labels, scores = np.repeat([1, 0], [many, few]), np.concatenate([positives, negatives])
    area, (low, high) = roc_auc(positives, negatives)
    assert area == pytest.approx(oracle.roc_auc_score(labels, scores))
    assert 0 <= low <= area <= high <= 1
    precision, (low, high) = average_precision(positives, negatives)
    assert precision == pytest.approx(oracle.average_precision_score(labels, scores))
    assert 0 <= low <= precision <= high <= 1
    curve = trace(positives, negatives)
    false, true, thresholds = oracle.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.sensitivity, true)
    np.testing.assert_allclose(1 - curve.specificity, false)
    ours = np.column_stack([curve.precision, curve.sensitivity])[1:]
    theirs = np.column_stack(oracle.precision_recall_curve(labels, scores)[:2])[:-1][::-1]
    np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("steps", [4, 1000])
def test_the_variance_is_that_of_all_pairs_counted(steps: int) -> None:
    generator = np.random.default_rng(steps)
    positives, negatives = generator.integers(1, steps, 23) / steps, generator.integers(0, steps, 31) / steps
    pairs = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    area, variance = delong_variance(positives, negatives)
    assert area == pytest.approx(pairs.mean())
    assert variance == pytest.approx(pairs.mean(axis=1).var(ddof=1) / 23 + pairs.mean(axis=0).var(ddof=1) / 31)


@pytest.mark.parametrize("steps", [5, 1000])
def test_the_jackknife_is_that_of_leaving_each_picture_out(steps: int) -> None:
    generator = np.random.default_rng(steps)
    positives, negatives = generator.integers(1, steps, 17) / steps, generator.integers(0, steps, 29) / steps
    curve = trace(positives, negatives)
    ours = _jackknife_variance(np.diff(curve.true_positives), np.diff(curve.false_positives))

    def precision(some: np.ndarray, others: np.ndarray) -> float:
        labels = np.repeat([1, 0], [len(some), len(others)])
        return float(oracle.average_precision_score(labels, np.concatenate([some, others])))

    of_positives = np.array([precision(np.delete(positives, i), negatives) for i in range(17)])
    of_negatives = np.array([precision(positives, np.delete(negatives, i)) for i in range(29)])
    expected = 16 / 17 * ((of_positives - of_positives.mean()) ** 2).sum()
    expected += 28 / 29 * ((of_negatives - of_negatives.mean()) ** 2).sum()
    assert ours == pytest.approx(expected)


def test_of_hundreds_the_interval_is_delongs() -> None:
    generator = np.random.default_rng(0)
    positives, negatives = generator.normal(1, 1, 900), generator.normal(0, 1, 900)
    area, variance = delong_variance(positives, negatives)
    low, high = roc_auc(positives, negatives)[1]
    assert (low, high) == pytest.approx((area - 1.96 * variance**0.5, area + 1.96 * variance**0.5), abs=0.001)


def test_a_perfect_ranking_still_has_an_interval() -> None:
    few, many = np.arange(5, dtype=float), np.arange(200, dtype=float)
    for figure in (roc_auc, average_precision):
        value, (low_of_few, high) = figure(few + 1000, few)
        assert (value, high) == (1, 1)
        assert 0.3 < low_of_few < 0.9
        assert low_of_few < figure(many + 1000, many)[1][0] < 1
    assert roc_auc(few, few + 10)[1] == pytest.approx((0, 1 - roc_auc(few + 10, few)[1][0]))


def test_one_side_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="0 positives and 3 negatives came"):
        roc_auc(np.zeros(0), np.ones(3))
    with pytest.raises(ValueError, match="2 positives and 0 negatives came"):
        average_precision(np.ones(2), np.zeros(0))
