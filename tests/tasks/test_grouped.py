from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from hubel.tasks.grouped import accuracy_interval, drawn_groups, macro_f1_interval, roc_auc_interval


def test_intervals_agree_with_drawing_the_groups_pictures_one_by_one() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), generator.integers(1, 9, 12))
    labels = generator.integers(0, 2, len(groups))
    scores = np.round(generator.normal(labels + generator.normal(0, 1, 12)[groups], 1), 1)  # with ties
    predicted = (scores > 0.5).astype(np.int64)
    drawn = drawn_groups(groups, seed=3)
    assert drawn.shape == (1000, 12)
    assert (drawn.sum(axis=1) == 12).all()
    accuracies, f1s, areas = [], [], []
    for times in drawn:
        indices = np.repeat(np.arange(len(groups)), times[groups])
        accuracies.append((labels[indices] == predicted[indices]).mean())
        present = np.unique(labels[indices])
        f1s.append(f1_score(labels[indices], predicted[indices], labels=present, average="macro", zero_division=0))
        if len(present) == 2:
            areas.append(roc_auc_score(labels[indices], scores[indices]))
    for ours, theirs in (
        (accuracy_interval(labels == predicted, groups, drawn), accuracies),
        (macro_f1_interval(labels, predicted, groups, drawn), f1s),
        (roc_auc_interval(scores, labels == 1, groups, drawn), areas),
    ):
        assert ours == pytest.approx(tuple(np.quantile(theirs, [0.025, 0.975])))


def test_a_single_group_has_no_interval() -> None:
    """Resamples of it are all the same, which says nothing of others."""
    one = np.zeros(4, np.int64)
    right, drawn = np.array([True, True, False, True]), drawn_groups(one)
    assert accuracy_interval(right, one, drawn) is None
    assert macro_f1_interval(right.astype(np.int64), np.ones(4, np.int64), one, drawn) is None
    assert roc_auc_interval(np.arange(4.0), right, one, drawn) is None


def test_pictures_of_a_group_that_agree_widen_the_interval() -> None:
    right = np.repeat(np.random.default_rng(1).random(30) < 0.8, 20)  # 600 pictures, but only 30 outcomes
    together = np.repeat(np.arange(30), 20)
    alone = np.arange(600)
    low, high = accuracy_interval(right, together, drawn_groups(together))
    tight_low, tight_high = accuracy_interval(right, alone, drawn_groups(alone))
    assert high - low > 3 * (tight_high - tight_low)  # √20 = 4.5 times
