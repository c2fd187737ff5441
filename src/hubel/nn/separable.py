"""The convolution in two steps: places first, then channels."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class DepthwiseSeparableConv2d(nn.Module):
    """A k×k convolution within each channel, then a 1×1 convolution across the channels.

    Chollet 2016, Xception, arXiv:1610.02357, section 2: depthwise before pointwise, nothing in between. It costs
    1 / C_out + 1 / k² of the ordinary convolution, in weights as in multiplications, so it saves nothing where there
    are few channels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: k.
        stride: Of the depthwise convolution.
        padding: Of the depthwise convolution.
        dilation: Of the depthwise convolution.
        bias: Whether both convolutions have a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=in_channels,
            bias=bias,
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        return cast(Tensor, self.pointwise(self.depthwise(x)))
