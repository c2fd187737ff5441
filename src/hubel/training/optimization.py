"""Optimisers and learning-rate schedules, plain torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from hubel.config import OptimizerConfig, Phase


def build_optimizer(
    groups: Sequence[Sequence[nn.Module]], settings: OptimizerConfig, phase: Phase
) -> torch.optim.Optimizer:
    """An optimiser over layer groups, the last of which is the head's.

    A group's highest learning rate is the phase's, divided by `phase.ratio` once for each later group. Weight decay
    does not touch one-dimensional parameters: biases and the scale and shift of normalisation. Each parameter group
    carries its highest rate as `peak_lr`.
    """
    members: dict[tuple[float, float], list[nn.Parameter]] = {}  # by highest rate and weight decay: few, for speed
    for depth, modules in enumerate(reversed(groups)):
        peak = phase.learning_rate / phase.ratio**depth
        for parameter in (p for module in modules for p in module.parameters() if p.requires_grad):
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            members.setdefault((peak, decay), []).append(parameter)
    parameter_groups = [
        {"params": parameters, "lr": peak, "peak_lr": peak, "weight_decay": decay}
        for (peak, decay), parameters in members.items()
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(
            parameter_groups,
            lr=phase.learning_rate,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            fused=True,
        )
    return torch.optim.AdamW(parameter_groups, lr=phase.learning_rate, fused=True)


def schedule(step: int, steps: int, warmup: float) -> float:
    """The share of the highest learning rate at a step: a linear rise, then a cosine to 0.

    Loshchilov and Hutter 2017 (arXiv:1608.03983, equation 5) for the cosine; Goyal et al. 2017 (arXiv:1706.02677,
    section 2.2) for the warm-up.

    Args:
        step: From 0.
        steps: Of the whole phase.
        warmup: The share of the steps in which the rate rises.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))


def set_learning_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Give every parameter group the same share of its own highest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * share
