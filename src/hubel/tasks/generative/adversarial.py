"""What generator and discriminator are trained on, by the name of the game that they play.

| name | discriminator | generator | source |
| --- | --- | --- | --- |
| `non-saturating` | cross entropy of real and generated | cross entropy of generated taken for real | Goodfellow et al. 2014, arXiv:1406.2661, section 3 |
| `least-squares` | ½ (D(x) - 1)² + ½ D(G(z))² | ½ (D(G(z)) - 1)² | Mao et al. 2017, arXiv:1611.04076, equation 9 |
| `wasserstein` | D(G(z)) - D(x), with `gradient_penalty` | -D(G(z)) | Gulrajani et al. 2017, arXiv:1704.00028, equation 3 |
| `hinge` | max(0, 1 - D(x)) + max(0, 1 + D(G(z))) | -D(G(z)) | Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17 |

D(x) are the discriminator's raw outputs, floats (N,); every loss is a mean over the batch.
"""  # noqa: E501 (a table)

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

AdversarialLoss = Literal["non-saturating", "least-squares", "wasserstein", "hinge"]

CRITIC_STEPS = 5  # of the discriminator for one of the generator, with `wasserstein` (Gulrajani et al., algorithm 1)


def discriminator_loss(kind: AdversarialLoss, real: Tensor, generated: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """The discriminator's loss, a float32 scalar.

    Args:
        kind: The game.
        real: D(x) of real pictures, (N,).
        generated: D(G(z)) of generated ones, (M,).
        smoothing: What the target of real pictures lacks to 1, for the first two games; only theirs, as that of
            generated ones would hold the generator where it is (Salimans et al. 2016, arXiv:1606.03498, section 3.4).

    Raises:
        ValueError: The game is unknown, or knows no smoothing, or it is not from 0 to below 1.
    """
    _check(kind)
    if not 0 <= smoothing < 1:
        raise ValueError(f"label smoothing is {smoothing}: expected at least 0 and below 1")
    if smoothing and kind not in ("non-saturating", "least-squares"):
        raise ValueError(f"label smoothing came with the loss '{kind}', which has no labels: leave it out")
    real, generated = real.float(), generated.float()
    if kind == "non-saturating":
        targets = torch.full_like(real, 1 - smoothing)
        return F.binary_cross_entropy_with_logits(real, targets) + F.softplus(generated).mean()
    if kind == "least-squares":
        return 0.5 * ((real - (1 - smoothing)).square().mean() + generated.square().mean())
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + generated).mean()
    return generated.mean() - real.mean()


def generator_loss(kind: AdversarialLoss, generated: Tensor) -> Tensor:
    """The generator's loss, a float32 scalar.

    Args:
        kind: The game.
        generated: D(G(z)), (M,).

    Raises:
        ValueError: The game is unknown.
    """
    _check(kind)
    generated = generated.float()
    if kind == "non-saturating":
        return F.softplus(-generated).mean()
    if kind == "least-squares":
        return 0.5 * (generated - 1).square().mean()
    return -generated.mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    generated: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The mean of (‖∇ D(x̂)‖ - 1)² at places x̂ between real and generated pictures; its weight λ is 10 in the paper.

    Gulrajani et al. 2017, arXiv:1704.00028, equation 3. The gradient is a picture's own only if the discriminator has
    no BatchNorm.

    Args:
        discriminator: From pictures (N, C, H, W) to raw outputs (N,).
        real: (N, C, H, W).
        generated: The same shape; its own gradient is not asked for.
        generator: For the places, on the device of the pictures.

    Returns:
        A scalar, with a graph to the discriminator's parameters.

    Raises:
        ValueError: The shapes differ.
    """
    if real.shape != generated.shape:
        raise ValueError(
            f"real pictures of shape {tuple(real.shape)} and generated ones of shape {tuple(generated.shape)} came: "
            "expected the same"
        )
    share = torch.rand(len(real), 1, 1, 1, generator=generator, device=real.device, dtype=real.dtype)
    between = torch.lerp(generated.detach(), real.detach(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    return (norms - 1).square().mean()


def discriminator_accuracy(kind: AdversarialLoss, real: Tensor, generated: Tensor) -> float:
    """The share of pictures on the right side: of 0, or of ½ where targets are 0 and 1.

    A critic of `wasserstein` has no side; there it is the share of pairs in which the real picture is above.
    """
    _check(kind)
    if kind == "wasserstein":
        return float((real[:, None] > generated[None, :]).float().mean())
    border = 0.5 if kind == "least-squares" else 0.0
    return float(((real > border).float().mean() + (generated <= border).float().mean()) / 2)


def _check(kind: str) -> None:
    if kind not in get_args(AdversarialLoss):
        raise ValueError(f"the loss is '{kind}': expected one of {', '.join(get_args(AdversarialLoss))}")
