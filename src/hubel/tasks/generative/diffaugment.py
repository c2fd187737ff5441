"""Differentiable augmentation: how the discriminator of a GAN is shown pictures, real and generated ones alike.

S. Zhao, Z. Liu, J. Lin, J. Zhu, S. Han, Differentiable Augmentation for Data-Efficient GAN Training, 2020,
arXiv:2006.10738. A discriminator soon knows some thousand pictures by heart. If the real ones alone are varied, the
generator learns to vary its own; if both are, and gradients pass through, it does not.

| part | pictures are |
| --- | --- |
| `color` | brighter or darker by up to 0.5, of 0 to 2 times the saturation, of ½ to 1½ times the contrast |
| `translation` | shifted by up to an eighth of the side, with 0 beyond the edge |
| `cutout` | 0 in a square of half the side, whose centre may lie anywhere |
| `affine` | turned by up to 6°, scaled by up to 5 %, shifted by up to 5 % of the side, reflected beyond the edge |

The first three are those of the paper, section 3.3, as strong as in the authors' code
(github.com/mit-han-lab/data-efficient-gans); `affine` is hubel's, milder, for pictures in which place and tone matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_TRANSLATION = 1 / 8
_CUTOUT = 1 / 2
_TURN, _SCALE, _SHIFT = math.radians(6), 0.05, 0.05


def diffaugment(images: Tensor, parts: Sequence[str]) -> Tensor:
    """Pictures as the discriminator sees them, drawn with PyTorch's own generator.

    Args:
        images: (N, C, H, W), values from -1 to 1.
        parts: Of `color`, `translation`, `cutout` and `affine`, in the order in which they are done; none: nothing is.

    Returns:
        The same shape; gradients pass through.
    """
    for part in parts:
        images = _PARTS[part](images)
    return images


def _draw(images: Tensor, *shape: int) -> Tensor:
    """Numbers (N, *shape) from -1 to 1."""
    return 2 * torch.rand(len(images), *shape, device=images.device, dtype=images.dtype) - 1


def _color(images: Tensor) -> Tensor:
    images = images + 0.5 * _draw(images, 1, 1, 1)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (1 + _draw(images, 1, 1, 1))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + 0.5 * _draw(images, 1, 1, 1))


def _translation(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    furthest = [round(side * _TRANSLATION) for side in (height, width)]
    padded = F.pad(images, [furthest[1], furthest[1], furthest[0], furthest[0]])
    rows, columns = (
        torch.randint(2 * far + 1, (len(images), 1), device=images.device) + torch.arange(side, device=images.device)
        for far, side in zip(furthest, (height, width), strict=True)
    )  # (N, H) and (N, W)
    picture = torch.arange(len(images), device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[picture, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(images: Tensor) -> Tensor:
    inside = []
    for axis, side in enumerate(images.shape[2:]):
        centre = torch.rand(len(images), 1, device=images.device) * side
        away = (torch.arange(side, device=images.device) + 0.5 - centre).abs()
        inside.append((away < _CUTOUT * side / 2).unsqueeze(2 - axis))  # (N, H, 1), then (N, 1, W)
    return images.masked_fill((inside[0] & inside[1])[:, None], 0.0)


def _affine(images: Tensor) -> Tensor:
    angle, size = _TURN * _draw(images), 1 + _SCALE * _draw(images)
    shift = 2 * _SHIFT * _draw(images, 2, 1)  # sides are from -1 to 1 here
    cos, sin = angle.cos() * size, angle.sin() * size
    turned = torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)
    grid = F.affine_grid(torch.cat([turned, shift], dim=2), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


_PARTS = {"color": _color, "translation": _translation, "cutout": _cutout, "affine": _affine}
