"""The convolution whose filter is a small network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


def mlpconv(
    in_channels: int, widths: Sequence[int], kernel_size: int, *, stride: int = 1, padding: int = 0
) -> nn.Sequential:
    """A convolution and 1×1 convolutions, each with a ReLU: at every place the same multilayer perceptron.

    Lin et al. 2013, Network In Network, arXiv:1312.4400, section 3.1. A 1×1 convolution is a dense layer over the
    channels of one pixel; it shrinks, keeps or widens them, and adds a non-linearity even where it keeps them. The
    authors' code calls it `cccp`, cascaded cross channel parametric pooling.

    Args:
        in_channels: Channels of the input.
        widths: Channels behind each layer; the first is that of the k×k convolution.
        kernel_size: k.
        stride: Of the k×k convolution.
        padding: Of the k×k convolution.

    Returns:
        A module from (N, in_channels, H, W) to (N, widths[-1], H', W'), with the layers `conv`, `relu`, `cccp1`,
        `relu1` and so on.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(in_channels, widths[0], kernel_size, stride=stride, padding=padding)
    layers["relu"] = nn.ReLU(inplace=True)
    for index in range(1, len(widths)):
        layers[f"cccp{index}"] = nn.Conv2d(widths[index - 1], widths[index], 1)
        layers[f"relu{index}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)
