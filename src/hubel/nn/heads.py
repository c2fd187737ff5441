"""Heads of classification networks."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


def pooled_linear_head(channels: int, num_classes: int, *, dropout: float | None = None) -> nn.Sequential:
    """Global average pooling and one linear layer, as in Lin et al. 2013 (arXiv:1312.4400) and every ResNet.

    Args:
        channels: Channels of the last map.
        num_classes: Number of logits.
        dropout: Probability to drop a value before the linear layer, as in the Inception networks; None: no such layer.

    Returns:
        A module from a map (N, channels, H, W) of any size to logits (N, num_classes), with the layers
        `pool`, `flatten`, perhaps `dropout`, and `out`.

    Raises:
        ValueError: `dropout` is no probability below 1.
    """
    if dropout is not None and not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}: expected at least 0 and less than 1")
    layers: list[tuple[str, nn.Module]] = [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten(1)),
        *([] if dropout is None else [("dropout", nn.Dropout(dropout))]),
        ("out", nn.Linear(channels, num_classes)),
    ]
    return nn.Sequential(OrderedDict(layers))
