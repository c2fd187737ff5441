"""Thresholds, and what a class against the rest means at one."""

from __future__ import annotations

import numpy as np
import pytest

from hubel.errors import ConfigError, DataError
from hubel.evaluation.binary import Rule, Threshold, choose_threshold, positive_class, read_binary
from hubel.tasks.ranking import trace

CLASSES = ("healthy", "ill")


def two_columns(scores: list[float]) -> np.ndarray:
    return np.column_stack([1 - np.array(scores), scores])


def test_rules_by_hand() -> None:
    # ill: 0.9, 0.8, 0.4; healthy: 0.7, 0.3, 0.2, 0.1. Two of three ill are above all healthy; the third above three.
    curve = trace(np.array([0.9, 0.8, 0.4]), np.array([0.7, 0.3, 0.2, 0.1]))
    # youden: at 0.8 2/3 + 1, at 0.4 1 + 3/4: the latter is greater; half-way from 0.4 to 0.3
    assert Rule.parse("youden").choose(curve) == pytest.approx(0.35)
    assert Rule.parse("sensitivity=0.6").choose(curve) == pytest.approx(0.75)
    assert Rule.parse("sensitivity=0.95").choose(curve) == pytest.approx(0.35)
    assert Rule.parse("specificity=0.95").choose(curve) == pytest.approx(0.75)
    assert Rule.parse("specificity=0.75").choose(curve) == pytest.approx(0.35)


def test_a_reading_by_hand() -> None:
    scores, labels = [0.9, 0.8, 0.4, 0.7, 0.3, 0.2, 0.1], np.array([1, 1, 1, 0, 0, 0, 0])
    reading = read_binary(two_columns(scores), labels, CLASSES, 1, Threshold(0.5))
    assert (reading.positives, reading.negatives) == (3, 4)
    assert (reading.sensitivity.right, reading.sensitivity.of) == (2, 3)
    assert (reading.specificity.right, reading.specificity.of) == (3, 4)
    assert (reading.positive_predictive_value.right, reading.positive_predictive_value.of) == (2, 3)
    assert (reading.negative_predictive_value.right, reading.negative_predictive_value.of) == (3, 4)
    assert reading.auc == pytest.approx(11 / 12)
    everything = read_binary(two_columns(scores), labels, CLASSES, 1, Threshold(0.05))
    assert everything.negative_predictive_value.value is None
    assert everything.to_dict()["negative_predictive_value_ci95"] is None


def test_one_side_without_pictures_is_refused() -> None:
    probabilities = two_columns([0.4, 0.6])
    with pytest.raises(DataError, match="2 of the measured pictures are of class 'ill' and 0 are not"):
        read_binary(probabilities, np.array([1, 1]), CLASSES, 1, Threshold(0.5))
    with pytest.raises(DataError, match="the validation: 0 pictures of the class and 2 others came"):
        choose_threshold(Rule.parse("youden"), probabilities, np.array([0, 0]), 1, "the validation")


def test_which_class_is_told_from_the_rest() -> None:
    assert positive_class(CLASSES, None) == 1
    assert positive_class(CLASSES, "healthy") == 0
    assert positive_class(("a", "b", "c"), None) is None
    with pytest.raises(ConfigError, match="unknown class 'il': did you mean ill"):
        positive_class(CLASSES, "il")


@pytest.mark.parametrize("text", ["0", "1", "-0.5", "", "sensitivity", "specificity=x", "sensitivity=1.0"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a probability between 0 and 1, youden"):
        Rule.parse(text)
    assert Rule.parse("0.25").number == 0.25
