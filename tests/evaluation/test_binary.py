"""Thresholds, and what a class against the rest means at one."""

from __future__ import annotations

import numpy as np
import pytest

from hubel.bundle import TargetScale
from hubel.errors import ConfigError, DataError
from hubel.evaluation.binary import Rule, Threshold, choose_threshold, positive_class, read_binary
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.multilabel import MultiLabelTask
from hubel.tasks.ranking import trace
from hubel.tasks.regression import RegressionTask

CLASSES = ("healthy", "ill")


def test_rules_by_hand() -> None:
    # ill: 0.9, 0.8, 0.4; healthy: 0.7, 0.3, 0.2, 0.1. Two of three ill are above all healthy; the third above three.
    curve = trace(np.array([0.9, 0.8, 0.4]), np.array([0.7, 0.3, 0.2, 0.1]))
    # youden: at 0.8 2/3 + 1, at 0.4 1 + 3/4: the latter is greater; half-way from 0.4 to 0.3
    assert Rule.parse("youden").choose(curve) == pytest.approx(0.35)
    assert Rule.parse("f1").choose(curve) == pytest.approx(0.35)  # 6 / 7; at 0.8 it is 4 / 5
    assert Rule.parse("sensitivity=0.6").choose(curve) == pytest.approx(0.75)
    assert Rule.parse("sensitivity=0.95").choose(curve) == pytest.approx(0.35)
    assert Rule.parse("specificity=0.95").choose(curve) == pytest.approx(0.75)
    assert Rule.parse("specificity=0.75").choose(curve) == pytest.approx(0.35)


def test_a_reading_by_hand() -> None:
    scores, ill = np.array([0.9, 0.8, 0.4, 0.7, 0.3, 0.2, 0.1]), np.array([1, 1, 1, 0, 0, 0, 0]) == 1
    reading = read_binary("ill", scores, ill, Threshold(0.5))
    assert (reading.positives, reading.negatives) == (3, 4)
    assert (reading.sensitivity.right, reading.sensitivity.of) == (2, 3)
    assert (reading.specificity.right, reading.specificity.of) == (3, 4)
    assert (reading.positive_predictive_value.right, reading.positive_predictive_value.of) == (2, 3)
    assert (reading.negative_predictive_value.right, reading.negative_predictive_value.of) == (3, 4)
    assert reading.auc == pytest.approx(11 / 12)
    everything = read_binary("ill", scores, ill, Threshold(0.05))
    assert everything.negative_predictive_value.value is None
    assert everything.to_dict()["negative_predictive_value_ci95"] is None


def test_one_side_without_pictures_is_refused() -> None:
    scores = np.array([0.4, 0.6])
    with pytest.raises(DataError, match="2 of the measured pictures are of class 'ill' and 0 are not"):
        read_binary("ill", scores, np.array([True, True]), Threshold(0.5))
    with pytest.raises(DataError, match="the validation: 0 pictures of the class and 2 of the rest came"):
        choose_threshold(Rule.parse("youden"), scores, np.array([False, False]), "the validation")


def test_which_class_is_told_from_the_rest() -> None:
    task = ClassificationTask(CLASSES)
    assert positive_class(task, None) == 1
    assert positive_class(task, "healthy") == 0
    assert positive_class(ClassificationTask(("a", "b", "c")), None) is None
    labels = MultiLabelTask(("cough", "fever"), (0.5, 0.5))
    assert positive_class(labels, None) is None
    assert positive_class(labels, "fever") == 1
    with pytest.raises(ConfigError, match="unknown class 'il': did you mean ill"):
        positive_class(task, "il")
    with pytest.raises(ConfigError, match="--positive came with 'ill', but the model predicts a number"):
        positive_class(RegressionTask(TargetScale(0.0, 1.0)), "ill")


@pytest.mark.parametrize("text", ["0", "1", "-0.5", "", "sensitivity", "specificity=x", "sensitivity=1.0"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a probability between 0 and 1, youden"):
        Rule.parse(text)
    assert Rule.parse("0.25").number == 0.25
