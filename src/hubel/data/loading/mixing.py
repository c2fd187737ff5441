"""Pictures of a batch mixed with each other, and their labels alike.

Mixup: Zhang et al. 2018, arXiv:1710.09412, equation 1. CutMix: Yun et al. 2019, arXiv:1905.04899, equations 1 and 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Mixed(NamedTuple):
    """A mixed batch.

    Attributes:
        images: (N, C, H, W), as they came but mixed.
        labels: The labels of each picture itself, (N,).
        others: The labels of what is mixed into it, (N,).
        share: How much of each picture is itself, 0 to 1; the loss is `share` of that for `labels` and the rest of that
            for `others`.
    """

    images: Tensor
    labels: Tensor
    others: Tensor
    share: float


def mix(images: Tensor, labels: Tensor, *, mixup: float, cutmix: float, seed: tuple[int, ...]) -> Mixed:
    """Mix every picture with another one of its batch, by mixup or CutMix; where both are on, either by a coin's throw.

    Args:
        images: Float (N, C, H, W).
        labels: int64 (N,).
        mixup: The α of mixup's Beta(α, α); 0: no mixup.
        cutmix: The α of CutMix's; 0: no CutMix.
        seed: Of the draw: the same numbers give the same mixture.
    """
    generator = np.random.default_rng(seed)
    kinds = [alpha for alpha in (mixup, cutmix) if alpha]
    cutting = bool(cutmix) and (not mixup or generator.random() < 0.5)
    share = float(generator.beta(*(cutmix if cutting else kinds[0],) * 2))
    order = torch.from_numpy(generator.permutation(len(images))).to(images.device)
    if not cutting:
        return Mixed(images.lerp(images[order], 1 - share), labels, labels[order], share)
    top, bottom, left, right = _box(images.shape[2], images.shape[3], share, generator)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[order, :, top:bottom, left:right]
    covered = (bottom - top) * (right - left) / (images.shape[2] * images.shape[3])
    return Mixed(mixed, labels, labels[order], 1 - covered)


def _box(height: int, width: int, share: float, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """A box of `1 - share` of the area around a point anywhere, as far as it lies in the picture."""
    half_height, half_width = (round(side * np.sqrt(1 - share)) // 2 for side in (height, width))
    y, x = int(generator.integers(height)), int(generator.integers(width))
    return max(0, y - half_height), min(height, y + half_height), max(0, x - half_width), min(width, x + half_width)
