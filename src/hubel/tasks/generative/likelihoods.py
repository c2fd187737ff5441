"""How likely pictures are to a decoder, in nats per picture, and what that is in bits per dimension.

Raw outputs and pictures have shape (..., C, H, W); what comes before is kept, so that several codes of a batch,
(K, N, C, H, W), are measured at once against its pictures (N, C, H, W).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

GREY_LEVELS = 256

LOG_2_PI = math.log(2 * math.pi)


def bernoulli_log_likelihood(logits: Tensor, images: Tensor) -> Tensor:
    """The sum over a picture's values of x log p + (1 - x) log(1 - p), in nats.

    The log probability of black-and-white pictures. For grey ones it is the expected log probability of black-and-white
    pictures drawn from them, and never 0, but at most minus their binary entropy.

    Args:
        logits: Of p, (..., C, H, W).
        images: x, from 0 to 1, (..., C, H, W).

    Returns:
        float32 (...).
    """
    logits = logits.float()
    return (images.float() * logits - F.softplus(logits)).sum(dim=(-3, -2, -1))


def gaussian_log_likelihood(mean: Tensor, images: Tensor, log_variance: Tensor) -> Tensor:
    """The log density of independent normal distributions, summed over a picture's values, in nats.

    A density of pictures whose values are continuous: it may be positive, and it is only comparable between models on
    the same scale of pictures. See `bits_per_dimension`.

    Args:
        mean: (..., C, H, W).
        images: (..., C, H, W).
        log_variance: Natural logarithm of the variance; a scalar, or (..., C, H, W).

    Returns:
        float32 (...).
    """
    log_variance = log_variance.float()
    squares = (images.float() - mean.float()).square() * torch.exp(-log_variance)
    return -0.5 * (squares + log_variance + LOG_2_PI).sum(dim=(-3, -2, -1))


def dequantise(pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Pictures of uint8 as continuous values from 0 to 1: (v + u) / 256 with u uniform from 0 to 1.

    So that a density bounds the probability of the pictures as they are (Theis et al. 2016, arXiv:1511.01844, section
    3.1).

    Args:
        pixels: uint8, of any shape.
        generator: On the device of `pixels`.

    Returns:
        float32 of the same shape, below 1.
    """
    noise = torch.rand(pixels.shape, generator=generator, device=pixels.device)
    return ((pixels + noise) / GREY_LEVELS).clamp(max=1 - 2**-24)


def bits_per_dimension(log_likelihood: Tensor, dimensions: int, *, levels: int = GREY_LEVELS) -> Tensor:
    """-(log p / D) / log 2 + log2(levels): what an ideal code takes for a value of the picture, on average.

    Args:
        log_likelihood: Nats per picture, or a bound below them. With `levels` of 256 it is the log density of pictures
            that `dequantise` made, from 0 to 1; of such densities the result is a bound above the discrete model's
            figure. With 1 it is a log probability as it is, such as Bernoulli's.
        dimensions: D, values of a picture: channels · height · width.
        levels: Values that a pixel had, spread over 0 to 1.

    Returns:
        Of the shape of `log_likelihood`.
    """
    return -log_likelihood / (dimensions * math.log(2)) + math.log2(levels)
