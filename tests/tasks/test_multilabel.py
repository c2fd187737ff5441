"""Several labels: figures against scikit-learn, losses and thresholds by hand, what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from hubel.config import TrainConfig
from hubel.errors import ConfigError, DataError
from hubel.tasks.losses import multilabel_loss
from hubel.tasks.multilabel import MultiLabelTask
from hubel.tasks.multilabel_metrics import (
    best_f1_thresholds,
    grouped_intervals,
    mean_average_precision,
    measure,
    pseudo_values,
)

NAMES = ("cough", "fever", "rash")


def pictures(count: int, labels: int, seed: int, *, decimals: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, with ties where they are rounded, and labels that they tell a little of."""
    generator = np.random.default_rng(seed)
    has = (generator.random((count, labels)) < np.linspace(0.1, 0.7, labels)).astype(np.float32)
    logits = generator.normal(size=(count, labels)) + has - 0.5
    return np.round(1 / (1 + np.exp(-logits)), decimals), has


@settings(max_examples=30)
@given(
    count=st.integers(1, 60),
    labels=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
    decimals=st.sampled_from([1, 16]),
)
def test_figures_equal_those_of_scikit_learn(count: int, labels: int, seed: int, decimals: int) -> None:
    probabilities, has = pictures(count, labels, seed, decimals=decimals)
    probabilities = probabilities.clip(0.01, 0.99)
    given_ = probabilities >= 0.5
    ours = measure(probabilities, has, [str(at) for at in range(labels)], (0.5,) * labels)
    seen = has.any(axis=0)

    assert ours.subset_accuracy == pytest.approx(oracle.accuracy_score(has, given_))
    each = [oracle.log_loss(has[:, at], probabilities[:, at], labels=[0, 1]) for at in range(labels)]
    assert ours.loss == pytest.approx(np.mean(each))
    f1 = oracle.f1_score(has, given_, average=None, zero_division=0)
    assert [of.at_threshold.f1 for of in ours.per_label] == pytest.approx(list(f1))
    assert ours.micro_f1 == pytest.approx(oracle.f1_score(has, given_, average="micro", zero_division=0))
    assert ours.unseen == tuple(str(at) for at in np.flatnonzero(~seen))
    if not seen.any():
        assert ours.mean_average_precision is None
        assert ours.figures()["mean_average_precision"] == 0
        return
    assert ours.macro_f1 == pytest.approx(f1[seen].mean())
    precision = oracle.average_precision_score(has[:, seen], probabilities[:, seen], average="macro")
    assert ours.mean_average_precision == pytest.approx(precision)
    for of, is_seen, truth, scores in zip(ours.per_label, seen, has.T, probabilities.T, strict=True):
        expected = oracle.average_precision_score(truth, scores) if is_seen else None
        assert of.average_precision == pytest.approx(expected)
    if ours.mean_average_precision_ci95 is not None:
        low, high = ours.mean_average_precision_ci95
        assert 0 <= low <= ours.mean_average_precision <= high <= 1


def test_of_a_single_picture_resamples_tell_no_interval() -> None:
    """They are all the same, which says nothing of others."""
    has = np.array([[True, False, True]])
    figures = measure(np.array([[0.9, 0.2, 0.4]]), has, list("abc"), (0.5,) * 3).to_dict()
    assert figures["micro_f1"] == pytest.approx(2 / 3)
    assert {name for name, ends in figures.items() if name.endswith("_ci95") and ends is not None} == {
        "subset_accuracy_ci95"  # Wilson's, which is wide
    }


def test_pseudo_values_are_those_of_leaving_each_picture_out() -> None:
    probabilities, has = pictures(25, 3, 5, decimals=1)
    whole = oracle.average_precision_score(has, probabilities)
    expected = []
    for at in range(25):
        kept = np.arange(25) != at
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a label that loses its only picture
            without = oracle.average_precision_score(has[kept], probabilities[kept])
        expected.append(25 * whole - 24 * without)
    ours = pseudo_values(probabilities, has)
    assert ours.mean() == pytest.approx(whole)
    assert ours - ours.mean() == pytest.approx(np.array(expected) - np.mean(expected))


def test_labels_that_all_pictures_have_tell_nothing() -> None:
    has = np.ones((4, 2), dtype=np.float32)
    assert mean_average_precision(np.full((4, 2), 0.3), has > 0) == (1.0, None)


def test_a_model_without_a_mistake_is_not_certain() -> None:
    has = np.zeros((40, 2), dtype=np.float32)
    has[:4, 0] = has[10:30, 1] = 1
    value, ends = mean_average_precision(has * 0.8 + 0.1, has > 0)
    assert value == 1
    assert ends is not None
    assert 0.3 < ends[0] < 0.95
    assert ends[1] == 1


def test_the_loss_by_hand() -> None:
    logits, labels = torch.tensor([[0.0, np.log(3.0)]]), torch.tensor([[1.0, 0.0]])  # probabilities 1/2 and 3/4
    task = MultiLabelTask(("a", "b"), (0.5, 0.5))
    assert task.loss(logits, labels).item() == pytest.approx((np.log(2) + np.log(4)) / 2)
    weighted = multilabel_loss(logits, labels, positive_weights=(3.0, 7.0)).item()
    assert weighted == pytest.approx((3 * np.log(2) + np.log(4)) / 2)
    focal = multilabel_loss(logits, labels, focal_gamma=2).item()
    assert focal == pytest.approx((0.25 * np.log(2) + 0.75**2 * np.log(4)) / 2)
    smoothed = multilabel_loss(logits, labels, label_smoothing=0.2).item()  # targets 0.9 and 0.1
    assert smoothed == pytest.approx((np.log(2) - 0.1 * np.log(0.75) - 0.9 * np.log(0.25)) / 2)


def test_the_loss_of_mixed_labels_is_the_mixture_of_the_losses() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    one, other = torch.eye(3).repeat(2, 1), torch.eye(3).flip(0).repeat(2, 1)
    blended = multilabel_loss(logits, 0.3 * one + 0.7 * other).item()
    parts = 0.3 * multilabel_loss(logits, one) + 0.7 * multilabel_loss(logits, other)
    assert blended == pytest.approx(parts.item())


def test_thresholds_have_the_highest_f1() -> None:
    probabilities, has = pictures(60, 3, 3)
    has[:, 2] = 0
    chosen = best_f1_thresholds(probabilities, has, (0.5, 0.5, 0.25))
    assert chosen[2] == 0.25
    for at in (0, 1):
        every = [oracle.f1_score(has[:, at], probabilities[:, at] >= limit) for limit in np.linspace(0, 1, 2001)]
        assert oracle.f1_score(has[:, at], probabilities[:, at] >= chosen[at]) == pytest.approx(max(every))


def test_results_are_labels_above_their_thresholds() -> None:
    task = MultiLabelTask(NAMES, (0.5, 0.9, 0.2))
    first, second = task.results(task.predictions(torch.tensor([[2.0, 2.0, 0.0], [-3.0, -3.0, -3.0]])), ["x.png", None])
    assert (first.labels, first.path) == (("cough", "rash"), "x.png")
    assert second.labels == ()
    assert first.to_dict(1) == {
        "path": "x.png",
        "labels": ["cough", "rash"],
        "probabilities": {"cough": 1 / (1 + np.exp(-2))},
    }
    assert first.csv_rows(1)[0]["labels"] == "cough|rash"
    assert second.table_row(2)["labels"] == "–"
    assert task.score(torch.tensor([[2.0, 2.0, 0.0]]), torch.tensor([[1.0, 0.0, 1.0]])).item() == 1


def test_a_balanced_epoch_counts_a_picture_under_its_rarest_label() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]], dtype=np.float32)
    assert MultiLabelTask(NAMES, (0.5,) * 3).sampling_groups(labels).tolist() == [1, 0, 0, 3, 2]


def test_the_baseline_says_every_labels_share() -> None:
    labels = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], dtype=np.float32)
    baseline = MultiLabelTask(("a", "b"), (0.1, 0.9)).baselines(labels, labels)[0]
    assert baseline.name == "always the share of the training pictures that has each label"
    assert baseline.figures["mean_average_precision"][0] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert baseline.figures["subset_accuracy"][0] == pytest.approx(2 / 4)  # always a, never b


def test_intervals_of_groups_are_those_of_pictures_where_each_is_alone_and_wider_for_copies() -> None:
    probabilities, has = pictures(150, 3, 8)
    alone = grouped_intervals(probabilities, has, (0.5,) * 3, np.arange(150))
    plain = measure(probabilities, has, NAMES, (0.5,) * 3)
    copies = grouped_intervals(
        np.repeat(probabilities, 4, axis=0), np.repeat(has, 4, axis=0), (0.5,) * 3, np.repeat(np.arange(150), 4)
    )
    for name in ("mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy"):
        low, high = alone[name]
        expected = getattr(plain, f"{name}_ci95")
        assert (low, high) == pytest.approx(expected, abs=0.035), name
        assert copies[name] == pytest.approx((low, high), abs=0.02), name  # four copies are no four pictures


def test_what_a_comparison_says() -> None:
    probabilities, has = pictures(200, 3, 1)
    better = 0.7 * probabilities + 0.3 * has
    difference = MultiLabelTask(NAMES, (0.5,) * 3).compare(better, probabilities, has)
    gain = oracle.average_precision_score(has, better) - oracle.average_precision_score(has, probabilities)
    assert difference.difference == pytest.approx(gain)
    assert difference.distinguishable
    assert difference.p_value < 0.001
    same = MultiLabelTask(NAMES, (0.5,) * 3).compare(probabilities, probabilities, has)
    assert (same.difference, same.distinguishable) == (0, False)
    assert "not distinguishable" in same.text()


def make(labels: np.ndarray, **fields: object) -> MultiLabelTask:
    return MultiLabelTask.for_training(NAMES[: labels.shape[1]], labels, TrainConfig.from_values(dict(fields)))


def test_settings_become_the_task() -> None:
    _, has = pictures(40, 3, 2)
    assert make(has).label_smoothing == 0
    assert make(has).watch == "mean_average_precision"
    weighted = make(has, imbalance="weights")
    assert weighted.positive_weights == pytest.approx((40 - has.sum(axis=0)) / has.sum(axis=0))
    assert weighted.watch == "macro_f1"
    assert make(has, imbalance="focal").focal_gamma == 2
    assert make(has, label_threshold=0.3).thresholds == (0.3,) * 3
    tuned = make(has, label_threshold="f1").tuned(*pictures(40, 3, 2))
    assert tuned.thresholds != (0.5,) * 3


def test_labels_that_tell_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="each of the labels cough, fever is on all training pictures or on none"):
        make(np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32))
    with pytest.raises(ConfigError, match="imbalance is weights, but no training picture has the label 'fever'"):
        make(np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32), imbalance="weights")
