"""Transposed convolutions that start as an interpolation."""

from __future__ import annotations

import torch
from torch import nn


def bilinear_upsampling(channels: int, factor: int, *, learnable: bool = True) -> nn.ConvTranspose2d:
    """A transposed convolution that enlarges every channel by bilinear interpolation, until it learns something else.

    Long et al. 2015, Fully Convolutional Networks for Semantic Segmentation, arXiv:1411.4038, section 3.3. Away from
    the border it is `F.interpolate(x, scale_factor=factor, mode="bilinear")`; within `factor` pixels of the border the
    missing neighbours count as zeros, where the interpolation repeats the last pixel.

    Args:
        channels: Channels, each enlarged on its own.
        factor: How many times as high and as wide.
        learnable: Whether the kernels train; otherwise it stays the interpolation.

    Returns:
        A layer from (N, channels, H, W) to (N, channels, factor H, factor W).
    """
    if channels < 1 or factor < 1:
        raise ValueError(f"channels is {channels} and factor {factor}: expected at least 1")
    kernel = 2 * factor - factor % 2
    layer = nn.ConvTranspose2d(
        channels, channels, kernel, stride=factor, padding=factor // 2, groups=channels, bias=False
    )
    distance = torch.arange(kernel, dtype=layer.weight.dtype) - (kernel - 1) / 2
    tent = 1 - distance.abs() / factor  # what an input pixel gives to an output pixel at that distance
    with torch.no_grad():
        layer.weight.copy_(torch.outer(tent, tent))
    return layer.requires_grad_(learnable)
