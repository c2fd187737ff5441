"""ResNet with pre-activation, for inputs of about 224×224.

K. He, X. Zhang, S. Ren, J. Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv:1603.05027.

BatchNorm and ReLU come before each convolution instead of behind it (figure 1b, figure 4e), and nothing behind the
addition, so that the shortcuts are the identity from the first block of a stage to its last. The counts of blocks and
the widths are those of ResNet (arXiv:1512.03385, table 1). For an input of 224×224:

| stage | layers | map | 50 | 101 | 152 |
| --- | --- | --- | --- | --- | --- |
| `conv1` | 7×7, 64, stride 2 | (N, 64, 112, 112) | | | |
| `conv2` | max pool, bottlenecks | (N, 256, 56, 56) | 3 blocks | 3 | 3 |
| `conv3` | bottlenecks | (N, 512, 28, 28) | 4 blocks | 4 | 8 |
| `conv4` | bottlenecks | (N, 1024, 14, 14) | 6 blocks | 23 | 36 |
| `conv5` | bottlenecks, BatchNorm, ReLU | (N, 2048, 7, 7) | 3 blocks | 3 | 3 |
| `head` | average pool, linear | (N, num_classes) | | | |

The first block of a stage has a projection, a 1×1 convolution of the activated map, as in the authors' code
(github.com/KaimingHe/resnet-1k-layers); it has no BatchNorm.

Variant: what can be loaded, timm's `resnetv2_50`, `resnetv2_101` and `resnetv2_152`. It departs from the paper in two
places, for each of which there is an argument:

- Where a block halves the map, its 3×3 convolution has the stride; the authors' code has it on the first 1×1
  (`stride_on="1x1"`).
- The first BatchNorm and ReLU come behind the max pool, in the first block; the paper adopts "the first activation
  right after conv1" (`first_activation="conv1"`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack, cast, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.classification.resnet import StrideOn, check_option
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions, pooled_linear_head

FirstActivation = Literal["block1", "conv1"]

SOURCE = "He et al. 2016, arXiv:1603.05027, figure 4e"


class PreActivationBottleneck(nn.Module):
    """1×1 to fewer channels, 3×3, 1×1 to four times as many, each behind BatchNorm and ReLU, beside a shortcut.

    Args:
        in_channels: Channels of the input.
        width: Channels of the 3×3 convolution; the output has four times as many.
        stride: The block's stride.
        projects: Whether the shortcut is a projection of the activated input, as it must be where the shape changes;
            else it is the input itself.
        activates: Whether the input meets BatchNorm and ReLU here, and not before.
        stride_on: Which convolution has the stride.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        *,
        projects: bool,
        activates: bool = True,
        stride_on: StrideOn = "3x3",
    ) -> None:
        super().__init__()
        stride1, stride2 = (stride, 1) if stride_on == "1x1" else (1, stride)
        out_channels = width * self.expansion
        self.norm1 = nn.BatchNorm2d(in_channels) if activates else None
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride=stride1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride2, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False) if projects else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, 4 width, H / stride, W / stride)."""
        active = x if self.norm1 is None else F.relu(self.norm1(x), inplace=True)
        shortcut = x if self.projection is None else self.projection(active)
        out = F.relu(self.norm2(self.conv1(active)), inplace=True)  # (N, width, H, W), stride on the 3×3
        out = F.relu(self.norm3(self.conv2(out)), inplace=True)  # (N, width, H / stride, W / stride)
        return cast(Tensor, self.conv3(out)).add_(shortcut)  # (N, 4 width, H / stride, W / stride)


class ResNetV2(ClassificationNetwork):
    """The network of the table above; convolutions start as He et al. 2015 (arXiv:1502.01852) draw them.

    Args:
        counts: How many blocks conv2, conv3, conv4 and conv5 have.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        stride_on: Which convolution of a bottleneck has the stride; `"1x1"` is that of the authors' code.
        first_activation: Where the first BatchNorm and ReLU are: in the first block, behind the max pool (`"block1"`),
            or right behind the first convolution (`"conv1"`), as in the paper.

    Raises:
        ValueError: An option is unknown.
    """

    def __init__(
        self,
        counts: Sequence[int],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        stride_on: StrideOn = "3x3",
        first_activation: FirstActivation = "block1",
    ) -> None:
        check_option("stride_on", stride_on, get_args(StrideOn))
        check_option("first_activation", first_activation, get_args(FirstActivation))
        stages: dict[str, OrderedDict[str, nn.Module]] = {"conv1": OrderedDict()}
        stages["conv1"]["conv"] = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        if first_activation == "conv1":
            stages["conv1"]["norm"] = nn.BatchNorm2d(64)
            stages["conv1"]["relu"] = nn.ReLU(inplace=True)
        channels = [64]
        for number, (count, width) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), start=2):
            layers: OrderedDict[str, nn.Module] = OrderedDict()
            if number == 2:
                layers["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
            block_channels = channels[-1]
            for index in range(count):
                layers[f"block{index + 1}"] = PreActivationBottleneck(
                    block_channels,
                    width,
                    2 if index == 0 and number > 2 else 1,
                    projects=index == 0,
                    activates=(number, index) != (2, 0) or first_activation == "block1",
                    stride_on=stride_on,
                )
                block_channels = width * PreActivationBottleneck.expansion
            stages[f"conv{number}"] = layers
            channels.append(block_channels)
        stages["conv5"]["norm"] = nn.BatchNorm2d(channels[-1])
        stages["conv5"]["relu"] = nn.ReLU(inplace=True)
        super().__init__(
            {name: nn.Sequential(layers) for name, layers in stages.items()},
            pooled_linear_head(channels[-1], num_classes),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32),
            out_channels=channels,
        )
        kaiming_normal_convolutions(self)


class Options(TypedDict, total=False):
    """What every builder below takes; see `ResNetV2`."""

    num_classes: int
    in_channels: int
    stride_on: StrideOn
    first_activation: FirstActivation


@register("resnetv2_50", source=SOURCE, input_size=(3, 224, 224), summary="16 pre-activation bottlenecks")
def resnetv2_50(**options: Unpack[Options]) -> ResNetV2:
    """Pre-activation ResNet-50: 25,549,352 parameters."""
    return ResNetV2((3, 4, 6, 3), **options)


@register("resnetv2_101", source=SOURCE, input_size=(3, 224, 224), summary="33 pre-activation bottlenecks")
def resnetv2_101(**options: Unpack[Options]) -> ResNetV2:
    """Pre-activation ResNet-101: 44,541,480 parameters."""
    return ResNetV2((3, 4, 23, 3), **options)


@register("resnetv2_152", source=SOURCE, input_size=(3, 224, 224), summary="50 pre-activation bottlenecks")
def resnetv2_152(**options: Unpack[Options]) -> ResNetV2:
    """Pre-activation ResNet-152: 60,185,128 parameters."""
    return ResNetV2((3, 8, 36, 3), **options)
