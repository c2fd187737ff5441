"""AlexNet, as published, and the one-column network that is usually downloaded under its name.

A. Krizhevsky, I. Sutskever, G. E. Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012,
doi:10.1145/3065386, sections 3 and 4 and figure 2.

| stage | layers, for an input of 227×227 | map | parameters |
| --- | --- | --- | --- |
| `conv1` | 11×11, 96, stride 4 (to 55×55); response normalisation; max pool | (N, 96, 27, 27) | 34,944 |
| `conv2` | 5×5, 256, 2 groups (27×27); response normalisation; max pool | (N, 256, 13, 13) | 307,456 |
| `conv3` | 3×3, 384 | (N, 384, 13, 13) | 885,120 |
| `conv4` | 3×3, 384, 2 groups | (N, 384, 13, 13) | 663,936 |
| `conv5` | 3×3, 256, 2 groups (13×13); max pool | (N, 256, 6, 6) | 442,624 |
| `head` | dense 4096 | (N, 4096) | 37,752,832 |
| | dense 4096 | (N, 4096) | 16,781,312 |
| | dense | (N, num_classes) | 4,097,000 |

60,965,224 parameters. Every convolution and every dense layer but the last has a ReLU; the pools are 3×3 with stride
2, so they overlap; dropout follows the first two dense layers.

The two groups are the paper's two GPUs: a map of conv2, conv4 or conv5 sees only the maps on its own GPU.

The second network, of A. Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014,
arXiv:1404.5997, has one column:

| stage | layers, for an input of 224×224 | map |
| --- | --- | --- |
| `conv1` | 11×11, 64, stride 4, padding 2 (to 55×55); max pool | (N, 64, 27, 27) |
| `conv2` | 5×5, 192 (27×27); max pool | (N, 192, 13, 13) |
| `conv3` | 3×3, 384 | (N, 384, 13, 13) |
| `conv4` | 3×3, 256 | (N, 256, 13, 13) |
| `conv5` | 3×3, 256 (13×13); max pool | (N, 256, 6, 6) |
| `head` | dense 4096, dense 4096, dense | (N, num_classes) |

Both networks take other sizes by an average pool to 6×6 before the first dense layer, which at the standard size is
the identity.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import LocalResponseNorm

STRIDES = (8, 16, 16, 16, 32)


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    norm: bool = False,
    pool: bool = False,
) -> nn.Sequential:
    """A convolution with ReLU, then perhaps response normalisation, then perhaps overlapping max pooling."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding, groups=groups)),
        ("relu", nn.ReLU(inplace=True)),
    ]
    if norm:
        layers.append(("norm", LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2.0)))
    if pool:
        layers.append(("pool", nn.MaxPool2d(3, stride=2)))
    return nn.Sequential(OrderedDict(layers))


class AlexNet(ClassificationNetwork):
    """The network of the paper; weights start as section 5 of the paper says.

    Departure: the input has 227×227 pixels, where the paper prints 224×224 but its first map of 55×55 needs 227.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        groups: Of conv2, conv4 and conv5; 2 is the paper's, 1 joins them (62,378,344 parameters).
        dropout: Probability to drop a value behind the first and behind the second dense layer.
    """

    def __init__(
        self, *, num_classes: int = 1000, in_channels: int = 3, groups: Literal[1, 2] = 2, dropout: float = 0.5
    ) -> None:
        if groups not in (1, 2):
            raise ValueError(f"groups is {groups}: expected 1 or 2")
        head: list[tuple[str, nn.Module]] = [
            ("pool", nn.AdaptiveAvgPool2d(6)),
            ("flatten", nn.Flatten(1)),
            ("fc6", nn.Linear(256 * 6 * 6, 4096)),
            ("relu6", nn.ReLU(inplace=True)),
            ("drop6", nn.Dropout(dropout)),
            ("fc7", nn.Linear(4096, 4096)),
            ("relu7", nn.ReLU(inplace=True)),
            ("drop7", nn.Dropout(dropout)),
            ("out", nn.Linear(4096, num_classes)),
        ]
        super().__init__(
            {
                "conv1": convolution(in_channels, 96, 11, stride=4, norm=True, pool=True),
                "conv2": convolution(96, 256, 5, padding=2, groups=groups, norm=True, pool=True),
                "conv3": convolution(256, 384, 3, padding=1),
                "conv4": convolution(384, 384, 3, padding=1, groups=groups),
                "conv5": convolution(384, 256, 3, padding=1, groups=groups, pool=True),
            },
            nn.Sequential(OrderedDict(head)),
            in_channels=in_channels,
            strides=STRIDES,
            out_channels=(96, 256, 384, 384, 256),
            smallest=67,  # 67 → 15 → 7 → 3 → 1
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights normal with deviation 0.01; biases 1 in conv2, conv4, conv5, fc6 and fc7, else 0 (section 5)."""
        biases_of_1 = {"stages.conv2.conv", "stages.conv4.conv", "stages.conv5.conv", "head.fc6", "head.fc7"}
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.constant_(module.bias, 1.0 if name in biases_of_1 else 0.0)


class OneColumnAlexNet(ClassificationNetwork):
    """The network of Krizhevsky 2014, as torchvision has it; weights start as there, as PyTorch's layers do.

    Variant: torchvision's `alexnet`. Departures from the author's own settings (github.com/akrizhevsky/cuda-convnet2,
    layers/layers-223-1gpu.cfg): no response normalisation; a padding of 2 around the input; dropout before the first
    and the second dense layer, not behind them; other initial weights.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: Probability to drop a value before the first and before the second dense layer.
    """

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        head: list[tuple[str, nn.Module]] = [
            ("pool", nn.AdaptiveAvgPool2d(6)),
            ("flatten", nn.Flatten(1)),
            ("drop6", nn.Dropout(dropout)),
            ("fc6", nn.Linear(256 * 6 * 6, 4096)),
            ("relu6", nn.ReLU(inplace=True)),
            ("drop7", nn.Dropout(dropout)),
            ("fc7", nn.Linear(4096, 4096)),
            ("relu7", nn.ReLU(inplace=True)),
            ("out", nn.Linear(4096, num_classes)),
        ]
        super().__init__(
            {
                "conv1": convolution(in_channels, 64, 11, stride=4, padding=2, pool=True),
                "conv2": convolution(64, 192, 5, padding=2, pool=True),
                "conv3": convolution(192, 384, 3, padding=1),
                "conv4": convolution(384, 256, 3, padding=1),
                "conv5": convolution(256, 256, 3, padding=1, pool=True),
            },
            nn.Sequential(OrderedDict(head)),
            in_channels=in_channels,
            strides=STRIDES,
            out_channels=(64, 192, 384, 256, 256),
            smallest=63,  # 63 and padding → 15 → 7 → 3 → 1
        )


@register(
    "alexnet",
    source="Krizhevsky et al. 2012, doi:10.1145/3065386, sections 3 and 4",
    input_size=(3, 227, 227),
    summary="AlexNet as published: two groups, response normalisation, overlapping pooling",
)
def alexnet(
    *, num_classes: int = 1000, in_channels: int = 3, groups: Literal[1, 2] = 2, dropout: float = 0.5
) -> AlexNet:
    """AlexNet as published: 60,965,224 parameters; see `AlexNet` for the arguments."""
    return AlexNet(num_classes=num_classes, in_channels=in_channels, groups=groups, dropout=dropout)


@register(
    "alexnet_owt",
    source="Krizhevsky 2014, arXiv:1404.5997, as in torchvision",
    input_size=(3, 224, 224),
    summary="AlexNet in one column, as torchvision has it",
)
def alexnet_owt(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> OneColumnAlexNet:
    """AlexNet as torchvision has it: 61,100,840 parameters; see `OneColumnAlexNet` for the arguments."""
    return OneColumnAlexNet(num_classes=num_classes, in_channels=in_channels, dropout=dropout)
