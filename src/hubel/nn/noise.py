"""Noise on the input of a network that learns to remove it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """Adds normal noise of standard deviation `sigma`, in training alone; in evaluation it is the identity.

    Vincent et al. 2010, Stacked Denoising Autoencoders, JMLR 11, section 3.2: the additive isotropic kind.

    Args:
        sigma: In the units of the input.

    Raises:
        ValueError: It is negative.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        if sigma < 0:
            raise ValueError(f"the noise has a standard deviation of {sigma}: expected at least 0")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and dtype as `x`."""
        if not self.training or self.sigma == 0:
            return x
        return x + self.sigma * torch.randn_like(x)

    def extra_repr(self) -> str:
        """What `print(network)` says of it."""
        return f"sigma={self.sigma:g}"
