"""Reliability, calibration error, temperature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from hubel.errors import DataError
from hubel.tasks.calibration import calibration_error, expected_calibration_error, fit_temperature, reliability


def two_classes(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of pictures with these confidences, right or wrong."""
    sure = np.array(confidence)
    return np.column_stack([sure, 1 - sure]), np.array([0 if good else 1 for good in right])


def test_the_error_by_hand() -> None:
    # two bins: (0.8, 0.866...] has 0.81 and 0.85, one of two right; (0.933..., 1] has 0.95, right
    probabilities, labels = two_classes([0.81, 0.85, 0.95], [True, False, True])
    diagram = reliability(probabilities, labels)
    assert diagram.counts[12] == 2
    assert diagram.confidence[12] == pytest.approx(0.83)
    assert diagram.accuracy[12] == 0.5
    assert diagram.error == pytest.approx((2 * 0.33 + 1 * 0.05) / 3)
    # bins of equally many: 0.81 and 0.85 fall into one of two, 0.95 into the other
    adaptive = expected_calibration_error(probabilities, labels, bins=2, adaptive=True)
    assert adaptive == pytest.approx((abs(-0.81 - 0.85 + 1) + 0.05) / 3)


def test_an_edge_belongs_to_the_bin_below_and_certainty_to_the_last() -> None:
    probabilities, labels = two_classes([0.6, 1.0], [True, True])
    counts = reliability(probabilities, labels, bins=5).counts
    assert counts.tolist() == [0, 0, 1, 0, 1]


def test_the_error_of_a_loop_over_the_bins() -> None:
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet(np.ones(4), size=300)
    labels = generator.integers(4, size=300)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (sure > low) & (sure <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_a_calibrated_model_exceeds_the_limit_of_chance_in_five_percent_of_samples() -> None:
    generator = np.random.default_rng(30)
    exceeded, repetitions = 0, 1000
    for _ in range(repetitions):
        probabilities = softmax(generator.normal(0, 2, (150, 3)), axis=1)
        labels = (probabilities.cumsum(axis=1) > generator.random((150, 1))).argmax(axis=1)
        found = calibration_error(probabilities, labels, samples=199, seed=int(generator.integers(2**31)))
        exceeded += found.error > found.by_chance_95
    assert 0.03 <= exceeded / repetitions <= 0.07


def test_the_temperature_that_labels_were_drawn_with_is_found() -> None:
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 3, (20_000, 5))
    probabilities = softmax(logits / 2.5, axis=1)
    labels = (probabilities.cumsum(axis=1) > generator.random((len(logits), 1))).argmax(axis=1)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(2.5, rel=0.03)
    before = expected_calibration_error(softmax(logits, axis=1), labels)
    after = expected_calibration_error(softmax(logits / temperature, axis=1), labels)
    assert before > 0.15
    assert after < 0.015
    assert fit_temperature(logits / temperature, labels) == pytest.approx(1, rel=1e-3)


def test_no_temperature_fits_pictures_that_are_all_right() -> None:
    with pytest.raises(DataError, match="no temperature fits 10 pictures: expected some"):
        fit_temperature(np.eye(2)[[0] * 10] * 3, np.zeros(10, dtype=np.int64))
