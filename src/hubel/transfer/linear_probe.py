"""Linear probes: how much of the labels a linear model reads from features (Alain and Bengio 2016, 1610.01644).

The model is a generalised linear one with an L2 penalty: multinomial logistic regression for classes, a logistic
regression for each of several labels, linear regression for numbers; as scikit-learn's, but its arithmetic stays in
float32 on the features' device. Its figures are those of cross-validation; in every fold, the strength of the penalty
is chosen on folds of the fold's own training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Link:
    """What a linear probe's outputs mean and what it minimises: the canonical link of a generalised linear model.

    So the slope of the loss over the outputs is the predictions minus the targets, whichever link it is.

    Attributes:
        predictions: From outputs (N, K) to predictions (N, K).
        loss: The sum over all rows, of outputs and targets, both (N, K).
        score: How good predictions (N, K) of rows that were not seen are for targets (N, K); the greater the better.
    """

    predictions: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]


SOFTMAX = Link(
    predictions=lambda outputs: outputs.softmax(dim=1),
    loss=lambda outputs, targets: -(torch.log_softmax(outputs, dim=1) * targets).sum(),
    score=lambda predictions, targets: (predictions.argmax(dim=1) == targets.argmax(dim=1)).sum(),
)
LOGISTIC = Link(
    predictions=torch.sigmoid,
    loss=lambda outputs, targets: F.binary_cross_entropy_with_logits(outputs, targets, reduction="sum"),
    score=lambda predictions, targets: -F.binary_cross_entropy(predictions, targets, reduction="sum"),
)
IDENTITY = Link(
    predictions=lambda outputs: outputs,
    loss=lambda outputs, targets: (outputs - targets).square().sum() / 2,
    score=lambda predictions, targets: -(predictions - targets).square().sum(),
)


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
        Probabilities, float32 of shape (N, K) for labels up to K - 1; next to 0 for classes that a fold's training rows
        lack.
    """
    targets = F.one_hot(torch.from_numpy(labels)).to(features)
    return cross_validated_predictions(features, targets, labels, copies, SOFTMAX, seed)


def cross_validated_predictions(
    features: Tensor, targets: Tensor, strata: Integers, copies: Sequence[str], link: Link, seed: int = 0
) -> npt.NDArray[np.float32]:
    """What a linear probe says of rows that it has not seen.

    Args:
        features: float32 of shape (N, D), as they come.
        targets: float32 of shape (N, K), on the same device.
        strata: int64 of shape (N,): what is spread evenly over the folds.
        copies: N names; rows of the same name are copies of one picture and stay in the same fold.
        link: From the probe's outputs to its predictions.
        seed: Of the folds.

    Returns:
        Predictions, float32 of shape (N, K).
    """
    groups = np.unique(np.asarray(copies), return_inverse=True)[1].astype(np.int64)
    generator = np.random.default_rng(seed)
    fold_of = stratified_folds(strata, groups, FOLDS, generator)
    predictions = np.zeros(targets.shape, dtype=np.float32)
    for fold in np.unique(fold_of):
        held, kept = _rows(fold_of == fold), _rows(fold_of != fold)
        inner = stratified_folds(strata[kept], groups[kept], _INNER_FOLDS, generator)
        strength = _chosen_strength(features[kept], targets[kept], inner, link)
        probe = LinearProbe(features[kept], targets[kept], link)
        predictions[held] = probe.predict(features[held], *probe.fit([strength])).cpu().numpy()
    return predictions


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


def _chosen_strength(features: Tensor, targets: Tensor, fold_of: Integers, link: Link) -> float:
    """The strength whose predictions of held-out folds score best; of equals, the smoothest."""
    scores = np.zeros(len(STRENGTHS))
    for fold in np.unique(fold_of):
        held, kept = _rows(fold_of == fold), _rows(fold_of != fold)
        if len(kept):
            probe, unseen = LinearProbe(features[kept], targets[kept], link), features[held]
            found = probe.fit(STRENGTHS, _FEW_ITERATIONS)
            scores += [float(link.score(probe.predict(unseen, weights), targets[held])) for weights in found]
    return STRENGTHS[int(scores.argmax())]


class LinearProbe:
    """Linear models that some rows have taught.

    Args:
        features: float32 of shape (N, D).
        targets: float32 of shape (N, K): one-hot classes, labels of 0 and 1, or a number.
        link: From outputs to predictions.
    """

    def __init__(self, features: Tensor, targets: Tensor, link: Link) -> None:
        self._mean = features.mean(dim=0)
        deviation = features.std(dim=0, correction=0)
        self._scale = torch.where(deviation > 0, deviation, 1.0) * features.shape[1] ** 0.5
        self._features = self._standardised(features)
        self._targets, self._link = targets, link

    def fit(self, strengths: Sequence[float], iterations: int = _ITERATIONS) -> list[Tensor]:
        """Weights (D + 1, K), biases last, for each of some growing strengths; each search begins at the last's end."""
        found = [self._features.new_zeros(self._features.shape[1] + 1, self._targets.shape[1])]
        for strength in strengths:
            found.append(self._minimised(found[-1], strength, iterations))
        return found[1:]

    def predict(self, features: Tensor, weights: Tensor) -> Tensor:
        """The predictions, float32 of shape (N, K), that weights of `fit` give rows (N, D)."""
        return self._link.predictions(self._standardised(features) @ weights[:-1] + weights[-1])

    def _standardised(self, features: Tensor) -> Tensor:
        standardised: Tensor = (features - self._mean) / self._scale
        return standardised

    def _minimised(self, start: Tensor, strength: float, iterations: int) -> Tensor:
        """Weights (D + 1, K) with the least mean loss + |weights|² / (2 N strength); biases are free."""
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
            outputs = self._features @ matrix + weights[-1]
            error = (self._link.predictions(outputs) - self._targets) / rows
            slope = self._features.T @ error + matrix / (strength * rows)
            weights.grad = torch.cat([slope, error.sum(dim=0, keepdim=True)])
            penalty = matrix.square().sum() / (2 * strength * rows)
            return penalty + self._link.loss(outputs, self._targets) / rows

        search.step(loss)  # type: ignore[no-untyped-call]
        return weights.detach()


def _rows(wanted: Booleans) -> Integers:
    return np.flatnonzero(wanted)
