"""CSPDarknet: the backbone of YOLOX, of any width and depth.

Cross-stage partial blocks: C.-Y. Wang et al., CSPNet, 2020, arXiv:1911.11929, figure 3b. Arranged as in Z. Ge, S. Liu,
F. Wang, Z. Li, J. Sun, YOLOX, 2021, arXiv:2107.08430, sections 2.2 and 2.3 (which takes it from YOLOv5).

With a width w and a depth d (1 and 1 is the large one), for images (N, C, H, W):

| stage | map | layers |
| --- | --- | --- |
| `stem` | (N, 64 w, H/2, W/2) | 3×3, stride 2 |
| `dark2` | (N, 128 w, H/4, W/4) | 3×3, stride 2; a CSP block of 3 d bottlenecks |
| `dark3` | (N, 256 w, H/8, W/8) | 3×3, stride 2; 9 d bottlenecks |
| `dark4` | (N, 512 w, H/16, W/16) | 3×3, stride 2; 9 d bottlenecks |
| `dark5` | (N, 1024 w, H/32, W/32) | 3×3, stride 2; pooling over 5, 9, 13 pixels; 3 d bottlenecks without shortcuts |

Departures: YOLOX begins with a slicing ("Focus") and a 3×3 convolution at stride 1, here it is a 3×3 at stride 2, as
in PP-YOLOE and in YOLOv8; the three max poolings are three of 5×5 in a row, which are the same ones; the running
statistics' momentum is 0.1, not 0.03, at which they lag behind in runs of a few hundred steps.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.network import ClassificationNetwork
from hubel.nn import pooled_linear_head

WIDTHS = (64, 128, 256, 512, 1024)
DEPTHS = (3, 9, 9, 3)


class ConvNormAct(nn.Sequential):
    """A convolution that keeps the size or divides it by its stride, BatchNorm, SiLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        conv = nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)
        norm = nn.BatchNorm2d(out_channels, eps=1e-3)
        super().__init__(OrderedDict(conv=conv, norm=norm, act=nn.SiLU(inplace=True)))


class CSPBottleneck(nn.Module):
    """1×1 and 3×3, beside a shortcut or without one."""

    def __init__(self, width: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(width, width, 1)
        self.conv2 = ConvNormAct(width, width, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CSPBlock(nn.Module):
    """Half of the channels go through bottlenecks, half go past them; a 1×1 convolution joins them."""

    def __init__(self, in_channels: int, out_channels: int, count: int, *, shortcut: bool = True) -> None:
        super().__init__()
        half = out_channels // 2
        self.through = ConvNormAct(in_channels, half, 1)
        self.past = ConvNormAct(in_channels, half, 1)
        self.blocks = nn.Sequential(*(CSPBottleneck(half, shortcut=shortcut) for _ in range(count)))
        self.join = ConvNormAct(2 * half, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H, W)."""
        both = torch.cat((self.blocks(self.through(x)), self.past(x)), dim=1)  # (N, 2 half, H, W)
        joined: Tensor = self.join(both)
        return joined


class PyramidPooling(nn.Module):
    """Spatial pyramid pooling: the greatest values within 5, 9 and 13 pixels beside the map itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.narrow = ConvNormAct(channels, half, 1)
        self.join = ConvNormAct(4 * half, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        maps = [self.narrow(x)]  # (N, C / 2, H, W)
        for _ in range(3):
            maps.append(F.max_pool2d(maps[-1], 5, stride=1, padding=2))  # two of 5 reach as far as one of 9
        joined: Tensor = self.join(torch.cat(maps, dim=1))
        return joined


class CSPDarknet(ClassificationNetwork):
    """The backbone as a classification network, so that it can be trained as one.

    Args:
        width: Factor of all channels.
        depth: Factor of the bottlenecks' numbers.
        num_classes: Number of logits.
        in_channels: Channels of the input.
    """

    def __init__(self, width: float, depth: float, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        channels = [scaled_width(count, width) for count in WIDTHS]
        stages: dict[str, nn.Module] = {"stem": ConvNormAct(in_channels, channels[0], 3, stride=2)}
        for number, count in enumerate(DEPTHS, start=1):
            last = number == len(DEPTHS)
            layers: OrderedDict[str, nn.Module] = OrderedDict()
            layers["down"] = ConvNormAct(channels[number - 1], channels[number], 3, stride=2)
            if last:
                layers["pool"] = PyramidPooling(channels[number])
            blocks = scaled_depth(count, depth)
            layers["csp"] = CSPBlock(channels[number], channels[number], blocks, shortcut=not last)
            stages[f"dark{number + 1}"] = nn.Sequential(layers)
        super().__init__(
            stages,
            pooled_linear_head(channels[-1], num_classes),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32),
            out_channels=channels,
        )


def scaled_width(channels: int, width: float) -> int:
    """Channels times a factor, rounded to a multiple of 8."""
    return max(8, round(channels * width / 8) * 8)


def scaled_depth(count: int, depth: float) -> int:
    """A number of blocks times a factor, at least 1."""
    return max(1, round(count * depth))
