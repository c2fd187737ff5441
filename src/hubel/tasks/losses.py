"""Losses of one class and of several labels, and what they do about classes of unequal size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

FOCAL_GAMMA = 2.0  # what Lin et al. 2017 (arXiv:1708.02002) took


def classification_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
    focal_gamma: float = 0.0,
) -> torch.Tensor:
    """The mean over a batch of w[y] · (1 - p[y])^γ · cross entropy, in nats.

    Here p[y] is the probability of the picture's class y, w the class's weight and γ the exponent of the focal loss
    (Lin et al. 2017, arXiv:1708.02002, equation 4; with weights, equation 5, whose α they are). With label smoothing,
    the cross entropy is that of the smoothed labels; p[y] is of the class itself.

    The mean divides by the number of pictures and not by the sum of their weights: so a picture counts the same in
    whatever company it comes, and over an epoch every class with weights of `inverse_frequencies` counts the same.

    Args:
        logits: Float of shape (N, num_classes).
        labels: int64 of shape (N,).
        label_smoothing: Share of the probability that is spread over all classes.
        class_weights: One for each class; None: 1.
        focal_gamma: γ; 0: no focal loss.

    Returns:
        A float32 scalar.
    """
    logits = logits.float()
    if class_weights is None and not focal_gamma:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    losses = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")  # (N,)
    if focal_gamma:
        right = logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)  # (N,)
        losses = (1 - right) ** focal_gamma * losses
    if class_weights is not None:
        losses = torch.tensor(class_weights, device=logits.device)[labels] * losses
    return losses.mean()


def multilabel_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    positive_weights: Sequence[float] | None = None,
    focal_gamma: float = 0.0,
) -> torch.Tensor:
    """The mean over pictures and labels of w · (1 - p[y])^γ · binary cross entropy, in nats.

    Here p[y] is the probability of what is true of a picture and a label, γ the exponent of the focal loss (Lin et al.
    2017, arXiv:1708.02002, equation 4), and w the label's weight where the picture has it, 1 elsewhere. With label
    smoothing ε, the targets of the cross entropy are ε / 2 and 1 - ε / 2 instead of 0 and 1.

    Args:
        logits: Float of shape (N, num_classes).
        labels: Float of the same shape; between 0 and 1 where pictures are mixed.
        label_smoothing: ε.
        positive_weights: One for each label; None: 1.
        focal_gamma: γ; 0: no focal loss.

    Returns:
        A float32 scalar.
    """
    logits, labels = logits.float(), labels.float()
    targets = labels * (1 - label_smoothing) + label_smoothing / 2
    weights = None if positive_weights is None else torch.tensor(positive_weights, device=logits.device)
    losses = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")
    if focal_gamma:
        probabilities = logits.sigmoid()
        right = labels * probabilities + (1 - labels) * (1 - probabilities)
        losses = (1 - right) ** focal_gamma * losses
    return losses.mean()


def negatives_per_positive(counts: Sequence[float], pictures: int) -> tuple[float, ...]:
    """A weight for each label's positives: w[c] = (N - n[c]) / n[c] for n[c] of N pictures.

    Both sides of every label then count the same. Labels that all pictures have keep weight 1.

    Raises:
        ValueError: No picture has a label.
    """
    if min(counts) < 1:
        raise ValueError(f"the labels have {', '.join(map(str, counts))} pictures: expected at least one of each")
    return tuple((pictures - count) / count if count < pictures else 1.0 for count in counts)


def inverse_frequencies(counts: Sequence[int]) -> tuple[float, ...]:
    """A weight for each class: w[c] = N / (K · n[c]) for K classes, n[c] pictures of class c and N pictures in all.

    Their mean over the pictures is 1, so that the loss and the learning rate keep their scale (King and Zeng 2001,
    Political Analysis 9:137; scikit-learn's "balanced").

    Raises:
        ValueError: A class has no pictures.
    """
    if min(counts) < 1:
        raise ValueError(f"the classes have {', '.join(map(str, counts))} pictures: expected at least one of each")
    return tuple(sum(counts) / (len(counts) * count) for count in counts)
