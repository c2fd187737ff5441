"""Local response normalisation."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn


class LocalResponseNorm(nn.Module):
    """Each value over a power of the sum of squares in its own and the neighbouring channels, at the same place.

    b_i = a_i / (k + α Σ a_j²)^β, with j over the n channels around i that exist (Krizhevsky et al. 2012, ImageNet
    Classification with Deep Convolutional Neural Networks, doi:10.1145/3065386, section 3.3; the defaults are that
    section's constants). Strong values damp their neighbours, which the paper compares to lateral inhibition.

    α counts the plain sum, as the paper prints it. Caffe and PyTorch divide it by n: their layer with n α is this one
    with α (BVLC/caffe#1453, pytorch/pytorch#4667).

    Half-precision values are squared and summed in float32, as float16 ends at 65,504; the result has their own type.

    Args:
        size: n, odd.
        alpha: α.
        beta: β.
        k: k, more than 0.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise ValueError(f"size is {size}: expected an odd number of channels")
        if k <= 0:
            raise ValueError(f"k is {k}: expected more than 0, so that zeros can be divided by it")
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape."""
        if torch.is_grad_enabled() and x.requires_grad:
            return cast(Tensor, _WithGradient.apply(x, self.size, self.alpha, self.beta, self.k))
        return _normalised(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The constants."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _normalised(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return (x * _power(_denominator(x, size, alpha, k), beta)).to(x.dtype)


def _denominator(x: Tensor, size: int, alpha: float, k: float) -> Tensor:
    """D = k + α Σ a_j², in float32 at least."""
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return _sum_of_neighbours(wide.square(), size).mul_(alpha).add_(k)


def _sum_of_neighbours(x: Tensor, size: int) -> Tensor:
    """The sum over the `size` channels around each."""
    total, channels = x.clone(), x.shape[1]
    for distance in range(1, min(size // 2, channels - 1) + 1):
        rest = channels - distance
        total.narrow(1, distance, rest).add_(x.narrow(1, 0, rest))
        total.narrow(1, 0, rest).add_(x.narrow(1, distance, rest))
    return total


def _power(denominator: Tensor, beta: float) -> Tensor:
    """D^-β; the usual β of 3/4 by two square roots instead of a general power."""
    return (denominator * denominator.sqrt()).rsqrt() if beta == 0.75 else denominator.pow(-beta)


class _WithGradient(torch.autograd.Function):
    """The normalisation with its gradient in closed form; only the input is kept for it.

    ∂L/∂a_i = g_i D_i^-β - 2αβ a_i Σ_j g_j a_j D_j^(-β-1), with the same sum over neighbours, as being neighbours is
    mutual.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.constants = (size, alpha, beta, k)
        return _normalised(x, size, alpha, beta, k)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        size, alpha, beta, k = ctx.constants
        denominator = _denominator(x, size, alpha, k)
        through_numerator = gradient * _power(denominator, beta)
        through_neighbours = x * _sum_of_neighbours(through_numerator * x / denominator, size)
        result = through_numerator - 2 * alpha * beta * through_neighbours
        return result.to(x.dtype), None, None, None, None
