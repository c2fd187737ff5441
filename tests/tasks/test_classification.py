import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from hubel.tasks.classification import (
    ClassificationTask,
    bootstrap_macro_f1,
    confusion_matrix,
    largest_confusions,
    measure,
    wilson_interval,
)


@settings(max_examples=40)
@given(count=st.integers(1, 60), num_classes=st.integers(2, 13), seed=st.integers(0, 2**32 - 1))
def test_metrics_equal_those_of_scikit_learn(count: int, num_classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(num_classes), size=count)
    labels = generator.integers(num_classes, size=count)
    predicted, every = probabilities.argmax(axis=1), range(num_classes)
    ours = measure(probabilities, labels, [str(i) for i in every])

    assert ours.accuracy == pytest.approx(oracle.accuracy_score(labels, predicted))
    assert ours.loss == pytest.approx(oracle.log_loss(labels, probabilities, labels=list(every)))
    np.testing.assert_array_equal(ours.confusion, oracle.confusion_matrix(labels, predicted, labels=list(every)))
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        labels, predicted, labels=list(every), zero_division=0
    )
    assert [s.precision for s in ours.per_class] == pytest.approx(list(precision))
    assert [s.recall for s in ours.per_class] == pytest.approx(list(recall))
    assert [s.f1 for s in ours.per_class] == pytest.approx(list(f1))
    assert [s.support for s in ours.per_class] == list(support)
    assert ours.macro_f1 == pytest.approx(f1[support > 0].mean())
    if num_classes >= 10:
        top5 = oracle.top_k_accuracy_score(labels, probabilities, k=5, labels=list(every))
        assert ours.top5_accuracy == pytest.approx(top5)
    else:
        assert ours.top5_accuracy is None


def test_wilson_interval_against_published_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_the_bootstrap_interval_agrees_with_resampling_the_pictures() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(3, size=150)
    predicted = np.where(generator.random(150) < 0.7, labels, generator.integers(3, size=150))
    values = []
    for _ in range(1000):
        drawn = generator.integers(150, size=150)
        values.append(oracle.f1_score(labels[drawn], predicted[drawn], average="macro"))
    low, high = bootstrap_macro_f1(confusion_matrix(labels, predicted, 3))
    assert (low, high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.015)


def test_of_a_single_picture_resamples_tell_no_interval() -> None:
    """They are all the same, which says nothing of others."""
    figures = measure(np.array([[0.9, 0.1]]), np.array([0]), ["cat", "dog"]).to_dict()
    assert figures["macro_f1"] == 1
    assert figures["macro_f1_ci95"] is None
    assert figures["accuracy_ci95"] == pytest.approx([0.2065, 1], abs=1e-4)  # Wilson's: 1 / (1 + 1.96²)


def test_measuring_nothing_or_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(0, 2\) came with 0 labels of 2 classes"):
        measure(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), ["a", "b"])
    with pytest.raises(ValueError, match=r"expected \(1, 3\)"):
        measure(np.ones((1, 2)), np.zeros(1, dtype=np.int64), ["a", "b", "c"])


def test_the_loss_by_hand() -> None:
    # softmax of (0, ln 3) is (1/4, 3/4)
    logits, labels = torch.tensor([[0.0, np.log(3.0)]]), torch.tensor([1])
    assert ClassificationTask(("a", "b")).loss(logits, labels).item() == pytest.approx(-np.log(0.75))
    smoothed = ClassificationTask(("a", "b"), label_smoothing=0.2).loss(logits, labels).item()
    assert smoothed == pytest.approx(-0.9 * np.log(0.75) - 0.1 * np.log(0.25))


def test_results_are_decoded_in_order() -> None:
    task = ClassificationTask(("a", "b", "c"))
    predictions = task.predictions(torch.tensor([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]]))
    first, second = task.results(predictions, ["x.jpg", None])
    assert (first.label, first.path, second.label, second.path) == ("b", "x.jpg", "a", None)
    assert [name for name, _ in first.top(2)] == ["b", "c"]
    assert first.probabilities.sum() == pytest.approx(1)
    assert first.to_dict()["probabilities"]["b"] == first.probability


def test_epochs_are_ranked_by_accuracy_and_then_by_loss() -> None:
    task, labels = ClassificationTask(("a", "b")), np.array([0, 1])

    def rank(*rows: tuple[float, float]) -> tuple[float, ...]:
        return task.rank(measure(np.array(rows), labels, task.classes))

    right, surer, wrong = (
        rank((0.6, 0.4), (0.4, 0.6)),
        rank((0.9, 0.1), (0.1, 0.9)),
        rank((0.9, 0.1), (0.6, 0.4)),
    )
    assert surer > right > wrong


def test_the_most_frequent_confusions_come_first() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 2, 1, 2])
    metrics = measure(np.eye(3)[predicted], labels, ["a", "b", "c"])
    assert largest_confusions(metrics) == [("a", "b", 2), ("b", "c", 1)]
