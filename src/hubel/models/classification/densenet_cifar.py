"""DenseNet for CIFAR-10: Huang et al. 2016, arXiv:1608.06993, section 3 (implementation details).

For an input of 32×32 and depth L; three blocks of (L - 4) / 3 layers, half of that with bottlenecks:

| stage | layers | map of L = 40, k = 12, basic | of L = 100, k = 12, BC |
| --- | --- | --- | --- |
| `conv` | 3×3, 16; 2k for DenseNet-BC | (N, 16, 32, 32) | (N, 24, 32, 32) |
| `block1` | dense block | (N, 160, 32, 32) | (N, 216, 32, 32) |
| `block2` | transition, dense block | (N, 304, 16, 16) | (N, 300, 16, 16) |
| `block3` | transition, dense block, BatchNorm, ReLU | (N, 448, 8, 8) | (N, 342, 8, 8) |
| `head` | average pool, linear | (N, num_classes) | the same |

Departures: none. Blocks and stages are made as in `hubel.models.classification.densenet`.
"""

from __future__ import annotations

from typing import Unpack

from torch import nn

from hubel.models.classification.densenet import Options, dense_stages
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions, pooled_linear_head

SOURCE = "Huang et al. 2016, arXiv:1608.06993, section 3 and table 2"


class CifarDenseNet(ClassificationNetwork):
    """The network of section 3 for CIFAR; convolutions start as He et al. 2015 (arXiv:1502.01852) draw them.

    Args:
        depth: Its weight layers, 3n + 4, with bottlenecks 6n + 4.
        growth_rate: Channels that each layer makes, k.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        bottleneck: As for `DenseLayer`.
        compression: Which share of its channels a transition keeps; 1 is the basic DenseNet's.
        dropout: As for `DenseNet`.
        recompute: As for `DenseNet`.

    Raises:
        ValueError: No network has this depth, or the compression or the dropout is out of range.
    """

    def __init__(
        self,
        depth: int,
        *,
        growth_rate: int = 12,
        num_classes: int = 10,
        in_channels: int = 3,
        bottleneck: bool = False,
        compression: float = 1.0,
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        step = 6 if bottleneck else 3
        count, rest = divmod(depth - 4, step)
        if rest or count < 1:
            raise ValueError(f"depth is {depth}: expected {step}n + 4, such as 40 or 100")
        width = 2 * growth_rate if bottleneck and compression < 1 else 16
        blocks, channels = dense_stages(
            width,
            (count,) * 3,
            growth_rate,
            bottleneck=bottleneck,
            compression=compression,
            dropout=dropout,
            recompute=recompute,
        )
        super().__init__(
            {
                "conv": nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
                **{name: nn.Sequential(layers) for name, layers in blocks.items()},
            },
            pooled_linear_head(channels[-1], num_classes),
            in_channels=in_channels,
            strides=(1, 1, 2, 4),
            out_channels=(width, *channels),
            smallest=4,  # so that two transitions leave 1
        )
        kaiming_normal_convolutions(self)


@register("densenet40_cifar", source=SOURCE, input_size=(3, 32, 32), summary="36 basic dense layers, k = 12")
def densenet40_cifar(**options: Unpack[Options]) -> CifarDenseNet:
    """DenseNet (basic, L = 40, k = 12) for CIFAR-10: 1,019,722 parameters."""
    return CifarDenseNet(40, **options)


@register("densenet100_cifar", source=SOURCE, input_size=(3, 32, 32), summary="48 dense layers, k = 12")
def densenet100_cifar(**options: Unpack[Options]) -> CifarDenseNet:
    """DenseNet-BC (L = 100, k = 12) for CIFAR-10: 769,162 parameters.

    The basic one of table 2, of 6,979,642 parameters, is `bottleneck=False, compression=1.0`.
    """
    chosen: Options = {"bottleneck": True, "compression": 0.5, **options}
    return CifarDenseNet(100, **chosen)
