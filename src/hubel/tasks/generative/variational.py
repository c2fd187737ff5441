"""What variational autoencoders are trained on and measured by: the divergence of codes, the ELBO, a tighter bound.

Kingma and Welling 2014, arXiv:1312.6114; Higgins et al. 2017 (beta), openreview Sy2fzU9gl; Sønderby et al. 2016
(warm-up), arXiv:1602.02282; Kingma et al. 2016 (free bits), arXiv:1606.04934; Burda et al. 2016 (importance weights),
arXiv:1509.00519. Everything is in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from hubel.models.generative import GaussianCode, VariationalAutoencoder, VariationalOutput
from hubel.tasks.generative.likelihoods import LOG_2_PI, bernoulli_log_likelihood, gaussian_log_likelihood


class VariationalLoss(NamedTuple):
    """A batch's loss and what it consists of.

    Attributes:
        total: A scalar to be trained on: the mean over the batch of -log p(x|z) + beta · KL, with free bits.
        elbo: The evidence lower bound of each picture, (N,), without beta or free bits.
        log_likelihood: log p(x|z) of each picture, (N,).
        kl: The divergence of each picture's code from the prior, (N,).
    """

    total: Tensor
    elbo: Tensor
    log_likelihood: Tensor
    kl: Tensor


def kl_to_standard_normal(code: GaussianCode) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) = ½ (mean² + variance - log variance - 1) of each value of each code.

    Kingma and Welling 2014, appendix B.

    Returns:
        float32 (N, code_size).
    """
    mean, log_variance = code.mean.float(), code.log_variance.float()
    return 0.5 * (mean.square() + torch.exp(log_variance) - log_variance - 1)


def log_likelihood(network: VariationalAutoencoder, outputs: Tensor, images: Tensor) -> Tensor:
    """The log likelihood p(x|z) under the network's likelihood, in nats.

    Args:
        network: Which says which likelihood, and the Gaussian's variance.
        outputs: Its raw values (..., C, H, W).
        images: From 0 to 1, (..., C, H, W).
    """
    if network.likelihood == "bernoulli":
        return bernoulli_log_likelihood(outputs, images)
    return gaussian_log_likelihood(outputs, images, network.pixel_log_variance)


def variational_loss(
    network: VariationalAutoencoder,
    output: VariationalOutput,
    images: Tensor,
    *,
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> VariationalLoss:
    """The negative ELBO of a batch, with what keeps codes from being given up.

    Args:
        network: That made the output.
        output: In training mode, so that codes are drawn.
        images: (N, C, H, W), from 0 to 1.
        beta: The weight of the divergence; 1: the ELBO itself. During warm-up of `warmed_up`.
        free_bits: Nats that each value of the code has for nothing: its divergence, as the mean over the batch, counts
            as this much at least (Kingma et al. 2016, equation 15).
    """
    likelihood = log_likelihood(network, output.outputs, images)  # (N,)
    of_values = kl_to_standard_normal(output.code)  # (N, code_size)
    kl = of_values.sum(dim=1)
    counted = of_values.mean(dim=0).clamp(min=free_bits).sum() if free_bits else kl.mean()
    return VariationalLoss(beta * counted - likelihood.mean(), likelihood - kl, likelihood, kl)


def warmed_up(beta: float, step: int, steps: int) -> float:
    """The weight of the divergence at a step of training: it rises from 0 to `beta` in equal parts.

    Args:
        beta: What it rises to.
        step: From 0.
        steps: How many it takes; 0: none.
    """
    return beta if step >= steps else beta * step / steps


def elbo(network: VariationalAutoencoder, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The evidence lower bound of each picture from one code each: log p(x|z) - KL in closed form.

    Args:
        network: In evaluation mode, unless batch statistics are wanted.
        images: (N, C, H, W), from 0 to 1.
        generator: For the codes, on the device of `images`.

    Returns:
        float32 (N,), in nats.
    """
    code = network.posterior(images)
    outputs = network.outputs(code.draw(generator))
    return log_likelihood(network, outputs, images) - kl_to_standard_normal(code).sum(dim=1)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """The logarithm of the mean of K importance weights p(x, z) / q(z|x), in nats (Burda et al. 2016, equation 8).

    With one weight it is the ELBO by sampling; on average it grows with K towards log p(x).

    Args:
        log_weights: (K, N).

    Returns:
        (N,).
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def log_importance_weights(
    network: VariationalAutoencoder, images: Tensor, samples: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draw codes z from q(z|x) and weigh each by log p(x|z) + log p(z) - log q(z|x), in nats.

    Args:
        network: In evaluation mode.
        images: (N, C, H, W), from 0 to 1.
        samples: K, codes of each picture.
        generator: For the codes, on the device of `images`.

    Returns:
        float32 (samples, N).
    """
    code = network.posterior(images)
    rows = []
    for _ in range(samples):  # one by one, so that memory is that of a batch
        z = code.draw(generator)
        likelihood = log_likelihood(network, network.outputs(z), images)
        prior = normal_log_density(z, GaussianCode(torch.zeros_like(z), torch.zeros_like(z)))
        rows.append(likelihood + prior - normal_log_density(z, code))
    return torch.stack(rows)


def normal_log_density(z: Tensor, code: GaussianCode) -> Tensor:
    """The log density N(z; mean, variance), summed over the values of each code: float32 (N,), in nats."""
    z, mean, log_variance = z.float(), code.mean.float(), code.log_variance.float()
    squares = (z - mean).square() * torch.exp(-log_variance)
    return -0.5 * (squares + log_variance + LOG_2_PI).sum(dim=-1)
