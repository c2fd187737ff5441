"""What policies do to colours beyond affine maps. Pictures are (n, C, h, w), float32 of whole values from 0 to 255.

They are those of Pillow's ImageOps and ImageEnhance, which RandAugment's code took (arXiv:1909.13719).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SMOOTH_CENTRE, _SMOOTH_SUM = 5.0, 13.0  # Pillow's filter SMOOTH: 1 around, 5 in the middle


def apply_operation(name: str, images: Tensor, values: Tensor) -> Tensor:
    """Do one operation of `hubel.data.augmentation.policies` to pictures, each with its own value (n,)."""
    amounts = values.to(images.dtype)[:, None, None, None]
    match name:
        case "posterize":
            return posterized(images, amounts)
        case "solarize":
            return torch.where(images >= amounts, 255 - images, images)
        case "autocontrast":
            return autocontrasted(images)
        case "equalize":
            return equalized(images)
        case "sharpness":
            return sharpened(images, 1 + amounts)
    raise ValueError(f"no operation on colours is called {name!r}")


def posterized(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest `bits` of each value."""
    step = 2 ** (8 - bits)
    return torch.floor(images / step) * step


def autocontrasted(images: Tensor) -> Tensor:
    """Stretch each channel's values to 0..255; a channel of one value stays."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    stretched = torch.round((images - low) * (255 / (high - low).clamp(min=1)))
    return torch.where(high > low, stretched, images)


def equalized(images: Tensor) -> Tensor:
    """Make each channel's histogram as even as a look-up table can, exactly as Pillow does."""
    count, channels, height, width = images.shape
    values = images.long().reshape(count * channels, height * width)
    histogram = torch.zeros(count * channels, 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(1, values, torch.ones_like(values))
    last = 255 - (histogram.flip(1) > 0).long().argmax(dim=1, keepdim=True)  # the greatest value there is
    step = (histogram.sum(dim=1, keepdim=True) - histogram.gather(1, last)) // 255
    before = histogram.cumsum(dim=1) - histogram
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device))
    return table.gather(1, values).reshape(images.shape).to(images.dtype)


def sharpened(images: Tensor, factors: Tensor) -> Tensor:
    """Blend with a smoothed copy, or away from it: 0 is smooth, 1 the picture, 2 sharp. The outermost pixels stay."""
    if min(images.shape[2:]) < 3:
        return images
    around = F.avg_pool2d(images, 3, stride=1) * 9
    inner = images[:, :, 1:-1, 1:-1]
    smooth = torch.round((around + (_SMOOTH_CENTRE - 1) * inner) / _SMOOTH_SUM)
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = torch.round(smooth + factors * (inner - smooth)).clamp(0, 255)
    return result
