"""What the Inception networks are made of: normalised convolutions, and branches whose maps become one."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


def normalized_convolution(
    in_channels: int, out_channels: int, kernel_size: int | tuple[int, int], stride: int = 1, *, valid: bool = False
) -> nn.Sequential:
    """A convolution without bias, BatchNorm (ε = 0.001) and ReLU, as all Inception networks but the first have it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: The kernel's side, or height and width; odd.
        stride: Of the convolution.
        valid: Without padding; else the map keeps its size but for the stride.
    """
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    padding = (0, 0) if valid else (height // 2, width // 2)
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(in_channels, out_channels, (height, width), stride=stride, padding=padding, bias=False)),
        ("norm", nn.BatchNorm2d(out_channels, eps=0.001)),
        ("relu", nn.ReLU(inplace=True)),
    ]
    return nn.Sequential(OrderedDict(layers))


class Concatenation(nn.Module):
    """Modules that take the same map; what they make of it lies side by side, in their order.

    Args:
        branches: By name, each from a map (N, C, H, W) to (N, C_out, H_out, W_out), or to (N, outputs).
    """

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, the sum of all C_out, H_out, W_out), or to (N, the sum of all outputs)."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)
