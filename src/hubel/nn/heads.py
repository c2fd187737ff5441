"""Heads of classification networks."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def pooled_linear_head(channels: int, num_classes: int) -> nn.Sequential:
    """Global average pooling and one linear layer, as in Lin et al. 2013 (arXiv:1312.4400) and every ResNet.

    Args:
        channels: Channels of the last map.
        num_classes: Number of logits.

    Returns:
        A module from a map (N, channels, H, W) of any size to logits (N, num_classes), with the layers
        `pool`, `flatten` and `out`.
    """
    layers: list[tuple[str, nn.Module]] = [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten(1)),
        ("out", nn.Linear(channels, num_classes)),
    ]
    return nn.Sequential(OrderedDict(layers))
