"""Linear probes: how much of the classes a linear classifier reads from features (Alain and Bengio 2016, 1610.01644).

The classifier is multinomial logistic regression with an L2 penalty, as scikit-learn's, but its arithmetic stays in
float32 on the features' device. Its accuracy is that of cross-validation; in every fold, the strength of the penalty is
chosen on folds of the fold's own training rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

FOLDS = 5
_INNER_FOLDS = 3

# scikit-learn's C for features that are standardised and divided by the root of their number: the scale of the logits
# is then about the same for 16 and for 2,048 features.
STRENGTHS = (1.0, 10.0, 100.0)

# Iterations of L-BFGS: for choosing a strength, and for the probe itself; and the gradient at which it ends earlier.
_FEW_ITERATIONS, _ITERATIONS = 40, 100
_SMALL_GRADIENT = 1e-4


def cross_validated(features: Tensor, labels: Integers, copies: Sequence[str], seed: int = 0) -> Booleans:
    """Which rows a linear probe gets right when it has not seen them.

    Args:
        features: float32 of shape (N, D), as they come.
        labels: int64 of shape (N,).
        copies: N names; rows of the same name are copies of one picture and stay in the same fold.
        seed: Of the folds.

    Returns:
        bool of shape (N,).
    """
    right: Booleans = cross_validated_probabilities(features, labels, copies, seed).argmax(axis=1) == labels
    return right


def cross_validated_probabilities(
    features: Tensor, labels: Integers, copies: Sequence[str], seed: int = 0
) -> npt.NDArray[np.float32]:
    """What a linear probe says of rows that it has not seen.

    Args:
        features: float32 of shape (N, D), as they come.
        labels: int64 of shape (N,), from 0.
        copies: N names; rows of the same name are copies of one picture and stay in the same fold.
        seed: Of the folds.

    Returns:
        Probabilities, float32 of shape (N, K) for labels up to K - 1; 0 for classes that a fold's training rows lack.
    """
    groups = np.unique(np.asarray(copies), return_inverse=True)[1].astype(np.int64)
    generator = np.random.default_rng(seed)
    fold_of = stratified_folds(labels, groups, FOLDS, generator)
    probabilities = np.zeros((len(labels), int(labels.max()) + 1), dtype=np.float32)
    for fold in np.unique(fold_of):
        held, kept = fold_of == fold, fold_of != fold
        inner = stratified_folds(labels[kept], groups[kept], _INNER_FOLDS, generator)
        strength = _chosen_strength(features[_rows(kept)], labels[kept], inner)
        probe = LinearProbe(features[_rows(kept)], labels[kept])
        (weights,) = probe.fit([strength])
        probabilities[np.ix_(held, probe.classes)] = probe.probabilities(features[_rows(held)], weights)
    return probabilities


def stratified_folds(labels: Integers, groups: Integers, folds: int, generator: np.random.Generator) -> Integers:
    """Deal rows into folds so that every class, and all of them together, are spread as evenly as can be.

    Args:
        labels: int64 of shape (N,).
        groups: int64 of shape (N,); rows of one group stay together.
        folds: How many, where there are as many groups.
        generator: Of the order in which the rows of a class are dealt.

    Returns:
        int64 of shape (N,): each row's fold.
    """
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    order = generator.permutation(len(first))
    by_class = order[np.argsort(labels[first[order]], kind="stable")]
    fold_of_group = np.empty(len(first), dtype=np.int64)
    fold_of_group[by_class] = np.arange(len(first)) % folds
    return fold_of_group[group_of]


def _chosen_strength(features: Tensor, labels: Integers, fold_of: Integers) -> float:
    """The strength that gets most rows of held-out folds right; of equals, the smoothest."""
    right = np.zeros(len(STRENGTHS), dtype=np.int64)
    for fold in np.unique(fold_of):
        held, kept = fold_of == fold, fold_of != fold
        if kept.any():
            probe, unseen = LinearProbe(features[_rows(kept)], labels[kept]), features[_rows(held)]
            found = probe.fit(STRENGTHS, _FEW_ITERATIONS)
            right += [int((probe.predict(unseen, weights) == labels[held]).sum()) for weights in found]
    return STRENGTHS[int(right.argmax())]


class LinearProbe:
    """Linear classifiers that some rows have taught.

    Args:
        features: float32 of shape (N, D).
        labels: int64 of shape (N,).
    """

    def __init__(self, features: Tensor, labels: Integers) -> None:
        self.classes, targets = np.unique(labels, return_inverse=True)
        self._mean = features.mean(dim=0)
        deviation = features.std(dim=0, correction=0)
        self._scale = torch.where(deviation > 0, deviation, 1.0) * features.shape[1] ** 0.5
        self._features = self._standardised(features)
        self._targets = F.one_hot(torch.from_numpy(targets), len(self.classes)).to(self._features)

    def fit(self, strengths: Sequence[float], iterations: int = _ITERATIONS) -> list[Tensor]:
        """Weights (D + 1, K), biases last, for each of some growing strengths; each search begins at the last's end."""
        found = [self._features.new_zeros(self._features.shape[1] + 1, len(self.classes))]
        for strength in strengths:
            found.append(self._minimised(found[-1], strength, iterations))
        return found[1:]

    def predict(self, features: Tensor, weights: Tensor) -> Integers:
        """The classes, int64 of shape (N,), that weights of `fit` give rows (N, D)."""
        predicted: Integers = self.classes[self._logits(features, weights).argmax(dim=1).cpu().numpy()]
        return predicted

    def probabilities(self, features: Tensor, weights: Tensor) -> npt.NDArray[np.float32]:
        """The probabilities, float32 of shape (N, K), of `classes`."""
        probabilities: npt.NDArray[np.float32] = self._logits(features, weights).softmax(dim=1).cpu().numpy()
        return probabilities

    def _logits(self, features: Tensor, weights: Tensor) -> Tensor:
        return self._standardised(features) @ weights[:-1] + weights[-1]

    def _standardised(self, features: Tensor) -> Tensor:
        standardised: Tensor = (features - self._mean) / self._scale
        return standardised

    def _minimised(self, start: Tensor, strength: float, iterations: int) -> Tensor:
        """Weights (D + 1, K) with the least mean cross entropy + |weights|² / (2 N strength); biases are free."""
        weights = start.clone().requires_grad_()
        rows = len(self._features)
        search = torch.optim.LBFGS(
            [weights],
            max_iter=iterations,
            tolerance_grad=_SMALL_GRADIENT,
            tolerance_change=1e-9,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        @torch.no_grad()
        def loss() -> Tensor:
            matrix = weights[:-1]
            log_probabilities = torch.log_softmax(self._features @ matrix + weights[-1], dim=1)
            error = (log_probabilities.exp() - self._targets) / rows
            slope = self._features.T @ error + matrix / (strength * rows)
            weights.grad = torch.cat([slope, error.sum(dim=0, keepdim=True)])
            penalty = matrix.square().sum() / (2 * strength * rows)
            return penalty - (log_probabilities * self._targets).sum() / rows

        search.step(loss)  # type: ignore[no-untyped-call]
        return weights.detach()


def _rows(wanted: Booleans) -> Tensor:
    return torch.from_numpy(np.flatnonzero(wanted))
