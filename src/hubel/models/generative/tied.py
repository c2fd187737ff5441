"""Layers of a decoder that use the weights of the encoder, transposed, and have only a bias of their own.

So a symmetric autoencoder has half the weights, and a linear one is bound to be a projection (Vincent et al. 2010,
Stacked Denoising Autoencoders, JMLR 11, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TiedLinear(nn.Module):
    """From (N, layer.out_features) back to (N, layer.in_features), by the transposed weights of a dense layer.

    Args:
        layer: Whose weights are used. It stays the encoder's: neither its parameters nor its place are this layer's.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self._of = (layer,)  # in a tuple, so that it is no child of this module
        self.out_features = layer.in_features
        self.bias = nn.Parameter(torch.zeros(layer.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Of x and the encoder's W (out_features, in_features): x W + b."""
        return F.linear(x, self._of[0].weight.t(), self.bias)

    def multiplications(self, output: Sequence[int]) -> int:
        """As many as the encoder's layer has."""
        return self._of[0].weight.numel()


class TiedConvTranspose2d(nn.Module):
    """A transposed convolution that undoes the shapes of a convolution, by that one's weights.

    Args:
        layer: Whose weights, stride and padding are used.
        output_padding: Rows and columns that the convolution's stride skipped at the end.
        bias: Whether to add one.
    """

    def __init__(self, layer: nn.Conv2d, output_padding: tuple[int, int], *, bias: bool = True) -> None:
        super().__init__()
        self._of = (layer,)
        self.output_padding = output_padding
        self.bias = nn.Parameter(torch.zeros(layer.in_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, layer.out_channels, h, w) to (N, layer.in_channels, H, W)."""
        layer = self._of[0]
        padding = cast(tuple[int, int], layer.padding)
        return F.conv_transpose2d(x, layer.weight, self.bias, layer.stride, padding, self.output_padding)

    def multiplications(self, output: Sequence[int]) -> int:
        """The kernel at each place of its input, which has one place for each stride of the output."""
        layer = self._of[0]
        down, across = layer.stride
        return layer.weight.numel() * (output[2] // down) * (output[3] // across)
