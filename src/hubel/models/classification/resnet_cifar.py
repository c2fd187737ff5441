"""The small ResNets and plain networks for CIFAR-10: He et al. 2015, arXiv:1512.03385, section 4.2.

6n + 2 weight layers, for an input of 32×32:

| stage | layers | map |
| --- | --- | --- |
| `conv1` | 3×3, 16 | (N, 16, 32, 32) |
| `conv2` | n basic blocks | (N, 16, 32, 32) |
| `conv3` | n basic blocks, the first with stride 2 | (N, 32, 16, 16) |
| `conv4` | n basic blocks, the first with stride 2 | (N, 64, 8, 8) |
| `head` | average pool, linear | (N, num_classes) |

Departures: none. Shortcuts are the identity everywhere (option A), as in the paper's experiments on CIFAR-10; plain
networks have none.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Unpack

from torch import nn

from hubel.models.classification.resnet import (
    BasicBlock,
    PlainOptions,
    ShortcutOption,
    check_shortcut,
    residual_blocks,
    zero_last_norms,
)
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions, pooled_linear_head

SOURCE = "He et al. 2015, arXiv:1512.03385, section 4.2"


class CifarResNet(ClassificationNetwork):
    """The network of section 4.2.

    Args:
        depth: Its weight layers, 6n + 2.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        shortcut: Option A, B or C, see `hubel.models.classification.resnet.shortcut_connection`; None makes
            the network plain.
        zero_init_residual: Start the last normalisation of every block at 0, so that it begins as the
            identity.
    """

    def __init__(
        self,
        depth: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: ShortcutOption | None = "A",
        zero_init_residual: bool = False,
    ) -> None:
        check_shortcut(shortcut, zero_init_residual)
        count, rest = divmod(depth - 2, 6)
        if rest or count < 1:
            raise ValueError(f"depth is {depth}: expected 6n + 2, such as 20, 32, 44, 56 or 110")
        stem: list[tuple[str, nn.Module]] = [
            ("conv", nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)),
            ("norm", nn.BatchNorm2d(16)),
            ("relu", nn.ReLU(inplace=True)),
        ]
        super().__init__(
            {
                "conv1": nn.Sequential(OrderedDict(stem)),
                "conv2": nn.Sequential(residual_blocks(BasicBlock, count, 16, 16, 1, shortcut, "3x3")),
                "conv3": nn.Sequential(residual_blocks(BasicBlock, count, 16, 32, 2, shortcut, "3x3")),
                "conv4": nn.Sequential(residual_blocks(BasicBlock, count, 32, 64, 2, shortcut, "3x3")),
            },
            pooled_linear_head(64, num_classes),
            in_channels=in_channels,
            strides=(1, 1, 2, 4),
            out_channels=(16, 16, 32, 64),
        )
        kaiming_normal_convolutions(self)
        if zero_init_residual:
            zero_last_norms(self)


class Options(PlainOptions, total=False):
    """What the builders of residual networks take; see `CifarResNet`."""

    shortcut: ShortcutOption | None
    zero_init_residual: bool


@register("resnet20_cifar", source=SOURCE, input_size=(3, 32, 32), summary="9 basic residual blocks for 32×32")
def resnet20_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-20 for CIFAR-10: 269,722 parameters."""
    return CifarResNet(20, **options)


@register("resnet32_cifar", source=SOURCE, input_size=(3, 32, 32), summary="15 basic residual blocks for 32×32")
def resnet32_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-32 for CIFAR-10: 464,154 parameters."""
    return CifarResNet(32, **options)


@register("resnet44_cifar", source=SOURCE, input_size=(3, 32, 32), summary="21 basic residual blocks for 32×32")
def resnet44_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-44 for CIFAR-10: 658,586 parameters."""
    return CifarResNet(44, **options)


@register("resnet56_cifar", source=SOURCE, input_size=(3, 32, 32), summary="27 basic residual blocks for 32×32")
def resnet56_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-56 for CIFAR-10: 853,018 parameters."""
    return CifarResNet(56, **options)


@register("resnet110_cifar", source=SOURCE, input_size=(3, 32, 32), summary="54 basic residual blocks for 32×32")
def resnet110_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-110 for CIFAR-10: 1,727,962 parameters."""
    return CifarResNet(110, **options)


@register("resnet1202_cifar", source=SOURCE, input_size=(3, 32, 32), summary="600 basic residual blocks for 32×32")
def resnet1202_cifar(**options: Unpack[Options]) -> CifarResNet:
    """ResNet-1202 for CIFAR-10: 19,421,274 parameters."""
    return CifarResNet(1202, **options)


@register("plain20_cifar", source=SOURCE, input_size=(3, 32, 32), summary="ResNet-20 for 32×32 without its shortcuts")
def plain20_cifar(**options: Unpack[PlainOptions]) -> CifarResNet:
    """The plain network of 20 layers for CIFAR-10: 269,722 parameters, as ResNet-20 has."""
    return CifarResNet(20, shortcut=None, **options)


@register("plain56_cifar", source=SOURCE, input_size=(3, 32, 32), summary="ResNet-56 for 32×32 without its shortcuts")
def plain56_cifar(**options: Unpack[PlainOptions]) -> CifarResNet:
    """The plain network of 56 layers for CIFAR-10: 853,018 parameters, as ResNet-56 has."""
    return CifarResNet(56, shortcut=None, **options)
