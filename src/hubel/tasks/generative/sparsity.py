"""Penalties for codes that are not sparse, as functions of the codes."""

from __future__ import annotations

import torch
from torch import Tensor


def l1_sparsity(codes: Tensor) -> Tensor:
    """The mean over the pictures of the sum of their codes' absolute values: a scalar.

    Args:
        codes: (N, ...), of any activation.
    """
    return codes.float().abs().flatten(1).sum(dim=1).mean()


def kl_sparsity(codes: Tensor, target: float = 0.1) -> Tensor:
    """Σ KL(target ‖ mean activity) over the values of the code, in nats: a scalar, 0 where each is active so often.

    Ng 2011, Sparse autoencoder, CS294A lecture notes, section 3; Géron 2019, Hands-On Machine Learning, 2nd edition,
    chapter 17.

    Args:
        codes: (N, ...), from 0 to 1, as from `code_activation="sigmoid"`; the mean is over the batch.
        target: How active a value should be on average.

    Raises:
        ValueError: Codes are not from 0 to 1, or the target not between.
    """
    if not 0 < target < 1:
        raise ValueError(f"the target activity is {target}: expected one between 0 and 1")
    activity = codes.float().flatten(1).mean(dim=0)  # (code_size,)
    if bool((activity < 0).any()) or bool((activity > 1).any()):
        raise ValueError(
            f"the mean activities of the codes reach from {activity.min():.3g} to {activity.max():.3g}: expected 0 to "
            '1, as a network with code_activation="sigmoid" has them'
        )
    least = torch.finfo(torch.float32).eps
    activity = activity.clamp(least, 1 - least)
    goal = torch.as_tensor(target)
    divergence = goal * torch.log(goal / activity) + (1 - goal) * torch.log((1 - goal) / (1 - activity))
    return divergence.sum()
