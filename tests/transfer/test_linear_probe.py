"""The probes themselves: scikit-learn's optimum, folds that keep classes and copies together, no leak."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from hubel.transfer.linear_probe import (
    FOLDS,
    IDENTITY,
    LOGISTIC,
    SOFTMAX,
    LinearProbe,
    cross_validated_probabilities,
    stratified_folds,
)


def gaussians(
    rows: int, features: int, classes: int, distance: float, seed: int = 0
) -> tuple[torch.Tensor, np.ndarray]:
    """Classes as spheres around random centres, each feature with a scale of its own."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = generator.normal(0, distance, (classes, features))
    values = (centres[labels] + generator.normal(size=(rows, features))) * generator.uniform(0.1, 10, features)
    return torch.from_numpy(values.astype(np.float32)), labels


def one_hot(labels: np.ndarray) -> torch.Tensor:
    return torch.eye(int(labels.max()) + 1)[torch.from_numpy(labels)]


def rightly_told(features: torch.Tensor, labels: np.ndarray, copies: list[str], seed: int = 0) -> np.ndarray:
    """Which rows a probe gets right when it has not seen them."""
    return cross_validated_probabilities(features, labels, copies, seed).argmax(axis=1) == labels


def names(rows: int) -> list[str]:
    return [str(row) for row in range(rows)]


@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_the_optimum_is_scikit_learns(strength: float) -> None:
    features, labels = gaussians(120, 12, 3, 0.4)
    probe = LinearProbe(features, one_hot(labels), SOFTMAX)
    weights = probe.fit([strength], 1000)[0]
    standardised = ((features - features.mean(dim=0)) / features.std(dim=0, correction=0) / 12**0.5).numpy()
    oracle = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit(standardised, labels)
    np.testing.assert_allclose(weights[:-1].T.numpy(), oracle.coef_, atol=0.02)
    assert (probe.predict(features, weights).argmax(dim=1).numpy() == oracle.predict(standardised)).all()


def test_several_labels_are_as_many_logistic_regressions() -> None:
    features, labels = gaussians(120, 8, 4, 0.4)
    has = np.stack([labels % 2, labels // 2], axis=1)
    probe = LinearProbe(features, torch.from_numpy(has).float(), LOGISTIC)
    weights = probe.fit([10.0], 1000)[0]
    standardised = ((features - features.mean(dim=0)) / features.std(dim=0, correction=0) / 8**0.5).numpy()
    for label in (0, 1):
        oracle = LogisticRegression(C=10.0, tol=1e-8, max_iter=10_000).fit(standardised, has[:, label])
        np.testing.assert_allclose(weights[:-1, label].numpy(), oracle.coef_[0], atol=0.02)


def test_a_number_is_ridge_regression() -> None:
    features, labels = gaussians(120, 8, 4, 0.4)
    values = torch.from_numpy(labels[:, None]).float()
    probe = LinearProbe(features, values, IDENTITY)
    weights = probe.fit([10.0], 1000)[0]
    standardised = ((features - features.mean(dim=0)) / features.std(dim=0, correction=0) / 8**0.5).numpy()
    oracle = Ridge(alpha=1 / 10).fit(standardised, labels)
    np.testing.assert_allclose(weights[:-1, 0].numpy(), oracle.coef_, atol=0.02)
    np.testing.assert_allclose(probe.predict(features, weights)[:, 0].numpy(), oracle.predict(standardised), atol=0.01)


def test_weights_of_growing_strength_are_those_of_a_fresh_start() -> None:
    features, labels = gaussians(60, 5, 2, 0.4)
    probe = LinearProbe(features, one_hot(labels), SOFTMAX)
    warm, fresh = probe.fit([0.1, 1.0, 10.0], 500)[-1], probe.fit([10.0], 500)[0]
    torch.testing.assert_close(warm, fresh, atol=0.02, rtol=0)


def test_classes_that_are_apart_are_told_and_noise_is_not() -> None:
    features, labels = gaussians(100, 20, 5, 3)
    assert rightly_told(features, labels, names(100)).all()
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(400, 20)).astype(np.float32))
    right = rightly_told(noise, np.arange(400) % 4, names(400))
    assert 0.15 < right.mean() < 0.35  # chance is 0.25, four standard errors are 0.09


def test_constant_features_do_no_harm() -> None:
    features, labels = gaussians(60, 8, 2, 3)
    expected = rightly_told(features, labels, names(60))
    more = torch.cat([features, torch.full((60, 1), 7.0)], dim=1)
    assert (rightly_told(more, labels, names(60)) == expected).all()
    assert expected.all()


def test_the_same_seed_gives_the_same_rows() -> None:
    features, labels = gaussians(80, 6, 4, 0.5)
    first, again = (rightly_told(features, labels, names(80), seed=3) for _ in range(2))
    assert (first == again).all()
    assert any((first != rightly_told(features, labels, names(80), seed=seed)).any() for seed in range(4, 9))


def test_copies_stay_in_one_fold() -> None:
    # Every row twice: whoever has seen the copy knows the label, which is random.
    generator = np.random.default_rng(0)
    once = torch.from_numpy(generator.normal(size=(60, 100)).astype(np.float32))
    labels = generator.integers(0, 2, 60)
    twice, both = torch.cat([once, once]), np.concatenate([labels, labels])
    assert rightly_told(twice, both, names(120)).mean() > 0.75  # a fifth of the copies shares a fold by chance
    assert rightly_told(twice, both, names(60) * 2).mean() < 0.65


def test_every_class_is_spread_over_the_folds() -> None:
    labels = np.repeat([0, 1, 2], [20, 7, 2])
    fold_of = stratified_folds(labels, np.arange(29), FOLDS, np.random.default_rng(0))
    for label, (least, most) in {0: (4, 4), 1: (1, 2), 2: (0, 1)}.items():
        counts = np.bincount(fold_of[labels == label], minlength=FOLDS)
        assert (counts.min(), counts.max()) == (least, most)
    assert set(np.bincount(fold_of)) == {5, 6}


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_two_rows_of_each_class_are_enough(classes: int) -> None:
    features, labels = gaussians(2 * classes, 30, classes, 5)
    assert rightly_told(features, labels, names(2 * classes)).mean() > 0.7
