"""DenseNet's blocks for prediction: the same function in fewer passes over memory.

Three things become possible when statistics no longer change:

- BatchNorm and ReLU before a 1×1 convolution are a clamp: with a scale a > 0 and a shift b per channel,
  max(a x + b, 0) = a max(x, -b / a) + b, and what is linear goes into the convolution; with a < 0, max becomes min.
- All maps of a block lie in one buffer, into which every layer writes its k channels; concatenating them anew for each
  layer copies L (L + 1) / 2 times as much.
- A transition averages before its 1×1 convolution instead of after it: both are linear, and a quarter of the
  operations is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.runtime import in_float64


class ClampedConvolution(nn.Module):
    """BatchNorm, ReLU and a 1×1 convolution in evaluation mode, as a clamp and a convolution.

    Args:
        norm: The BatchNorm; its statistics are taken as they are now.
        convolution: The convolution.
        pool: Whether a 2×2 average pooling follows; it is done before the convolution.
    """

    low: Tensor
    high: Tensor

    def __init__(self, norm: nn.BatchNorm2d, convolution: nn.Conv2d, *, pool: bool = False) -> None:
        super().__init__()
        scale, shift = scale_and_shift(norm)
        threshold = -shift / scale
        constant = ~threshold.isfinite()  # a scale of about 0: the channel is max(shift, 0) wherever one looks
        endless = torch.full_like(scale, torch.inf)
        given = convolution.weight.detach()
        low = torch.where(scale > 0, threshold, -endless).masked_fill(constant, 0)
        high = torch.where(scale > 0, endless, threshold).masked_fill(constant, 0)
        shift = torch.where(constant, shift.clamp(min=0), shift)
        self.register_buffer("low", low.to(given)[:, None, None])
        self.register_buffer("high", high.to(given)[:, None, None])
        weight = in_float64(given)
        bias = weight.flatten(1) @ shift
        if convolution.bias is not None:
            bias = bias + in_float64(convolution.bias.detach())
        self.weight = nn.Parameter((weight * scale.masked_fill(constant, 0)[:, None, None]).to(given), False)
        self.bias = nn.Parameter(bias.to(given), False)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), strided as it likes, to (N, out_channels, H, W); with pooling, to half of H and W."""
        x = torch.clamp(x, self.low, self.high)
        return F.conv2d(F.avg_pool2d(x, 2) if self.pool else x, self.weight, self.bias)


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a BatchNorm in evaluation mode multiplies by and then adds, float64 of shape (C,)."""
    mean, variance = (in_float64(cast(Tensor, buffer)) for buffer in (norm.running_mean, norm.running_var))
    scale = (variance + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * in_float64(norm.weight.detach())
        return scale, in_float64(norm.bias.detach()) - mean * scale
    return scale, -mean * scale


class PredictingDenseBlock(nn.Module):
    """A dense block with bottlenecks whose maps lie in one buffer.

    Args:
        layers: For each layer, its clamped 1×1 convolution and its 3×3 convolution, in which BatchNorm is folded.
    """

    def __init__(self, layers: Sequence[tuple[ClampedConvolution, nn.Conv2d]]) -> None:
        super().__init__()
        self.first = nn.ModuleList(first for first, _ in layers)
        self.second = nn.ModuleList(second for _, second in layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W): the input, then what each layer made."""
        count, channels, height, width = x.shape
        made = sum(cast(nn.Conv2d, second).out_channels for second in self.second)
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        shape = (count, channels + made, height, width)
        maps = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)
        maps[:, :channels] = x
        for first, second in zip(self.first, self.second, strict=True):
            out = second(F.relu(first(maps[:, :channels]), inplace=True))
            maps[:, channels : channels + out.shape[1]] = out
            channels += out.shape[1]
        return maps
