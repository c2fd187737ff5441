"""Heads of classification networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn


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


class SideBySide(nn.Module):
    """Heads that take the same map; their outputs lie side by side.

    Args:
        heads: By name, each from a map (N, C, H, W) to (N, outputs), or to (N, outputs, H_out, W_out).
    """

    def __init__(self, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, head in heads.items():
            self.add_module(name, head)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, the sum of all outputs), in the order of the heads."""
        return torch.cat([head(x) for head in self.children()], dim=1)
