"""Inception-ResNet-v2, for inputs of about 299×299: Inception modules as residuals of identity shortcuts.

C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi, Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, 2016, arXiv:1602.07261 (beside Inception-v4, `hubel.models.classification.inception_v4`).

The network that everybody downloads is not the one that the paper prints. `layout="released"`, the default, is that
of the weights which the authors' group released with TF-Slim in August 2016, as in Keras and as timm's
`inception_resnet_v2`; `layout="paper"` is figure 15 with the blocks of figures 3, 16, 7, 17, 18 and 19. For an input
of 299×299:

| stage | released | paper | figure |
| --- | --- | --- | --- |
| `stem` | (N, 320, 35, 35), straight, then an inception module | (N, 384, 35, 35) | 3 |
| `inception_resnet_a` | (N, 320, 35, 35), 10 blocks | (N, 384, 35, 35), 5 blocks | 16 |
| `reduction_a` | (N, 1088, 17, 17) | (N, 1152, 17, 17) | 7 |
| `inception_resnet_b` | (N, 1088, 17, 17), 20 blocks | (N, 1152, 17, 17), 10 blocks | 17 |
| `reduction_b` | (N, 2080, 8, 8) | (N, 2144, 8, 8) | 18 |
| `inception_resnet_c` | (N, 2080, 8, 8), 10 blocks | (N, 2144, 8, 8), 5 blocks | 19 |
| `projection` | (N, 1536, 8, 8), 1×1 convolution | none | |
| `head` | average pool, dropout (keep 0.8), linear | the same | 15 |

Both have k, l, m, n = 256, 256, 384, 384 in `reduction_a` (table 1).

The released network's departures from the paper: stem, numbers of blocks and `projection` as above, and the last block
adds its residual unscaled and ends without ReLU. Departures of `layout="paper"`: figure 17 widens to 1154 channels and
figure 19 to 2048, which cannot be added to the 1152 and 2144 that come in, so here the blocks keep what comes in; the
sizes in figure 15 are those of Inception-ResNet-v1.

Residuals are scaled before they are added (section 3.3: by 0.1 to 0.3); in both layouts by the released network's
0.17, 0.10 and 0.20. The layer that widens them has a bias and neither BatchNorm nor ReLU ("Linear" in the figures);
what else the paper leaves open is as in `inception_v4`: BatchNorm with 0.001 added to the variance, a scale and a
momentum of 0.1 (TF-Slim: no scale, 0.0003), average pooling that leaves the padding out, no auxiliary classifier
(TF-Slim trains with one), PyTorch's own initial weights.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.classification import inception_v4
from hubel.models.classification.inception_v4 import (
    blocks,
    concatenation,
    halving_pool,
    pooled_convolution,
    reduction_a,
)
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import Concatenation, pooled_linear_head
from hubel.nn import normalized_convolution as convolution

Layout = Literal["released", "paper"]


class ScaledResidual(nn.Module):
    """A map plus a scaled residual, which an inception module computes; then ReLU (figure 20).

    Args:
        channels: Channels of the map.
        branches: From the map to the residual's inner channels.
        inner_channels: How many `branches` returns.
        scale: What the residual is multiplied by.
        relu: Whether ReLU follows the addition.
    """

    def __init__(
        self, channels: int, branches: Concatenation, inner_channels: int, *, scale: float, relu: bool = True
    ) -> None:
        super().__init__()
        self.branches = branches
        self.linear = nn.Conv2d(inner_channels, channels, 1)
        self.scale = scale
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        residual = self.linear(self.branches(x))
        out = torch.add(x, residual, alpha=self.scale)
        return F.relu(out, inplace=True) if self.relu else out


def released_stem(in_channels: int) -> nn.Sequential:
    """From the image to (N, 320, 35, 35): the stem of Inception-v3 and a first inception module."""
    first_module = concatenation(
        convolution(192, 96, 1),
        nn.Sequential(convolution(192, 48, 1), convolution(48, 64, 5)),
        nn.Sequential(convolution(192, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3)),
        pooled_convolution(192, 64),
    )
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", convolution(in_channels, 32, 3, stride=2, valid=True)),  # (N, 32, 149, 149)
        ("conv2", convolution(32, 32, 3, valid=True)),  # (N, 32, 147, 147)
        ("conv3", convolution(32, 64, 3)),  # (N, 64, 147, 147)
        ("pool1", halving_pool()),  # (N, 64, 73, 73)
        ("conv4", convolution(64, 80, 1)),  # (N, 80, 73, 73)
        ("conv5", convolution(80, 192, 3, valid=True)),  # (N, 192, 71, 71)
        ("pool2", halving_pool()),  # (N, 192, 35, 35)
        ("inception", first_module),  # (N, 320, 35, 35)
    ]
    return nn.Sequential(OrderedDict(layers))


def inception_resnet_a(channels: int) -> ScaledResidual:
    """(N, channels, H, W) to the same shape (figure 16)."""
    branches = concatenation(
        convolution(channels, 32, 1),
        nn.Sequential(convolution(channels, 32, 1), convolution(32, 32, 3)),
        nn.Sequential(convolution(channels, 32, 1), convolution(32, 48, 3), convolution(48, 64, 3)),
    )
    return ScaledResidual(channels, branches, 128, scale=0.17)


def inception_resnet_b(channels: int) -> ScaledResidual:
    """(N, channels, H, W) to the same shape (figure 17)."""
    branches = concatenation(
        convolution(channels, 192, 1),
        nn.Sequential(convolution(channels, 128, 1), convolution(128, 160, (1, 7)), convolution(160, 192, (7, 1))),
    )
    return ScaledResidual(channels, branches, 384, scale=0.10)


def reduction_b(in_channels: int) -> Concatenation:
    """(N, C_in, H, W) to (N, 992 + C_in, (H - 1) / 2, (W - 1) / 2) (figure 18)."""
    return concatenation(
        nn.Sequential(convolution(in_channels, 256, 1), convolution(256, 384, 3, stride=2, valid=True)),
        nn.Sequential(convolution(in_channels, 256, 1), convolution(256, 288, 3, stride=2, valid=True)),
        nn.Sequential(
            convolution(in_channels, 256, 1), convolution(256, 288, 3), convolution(288, 320, 3, stride=2, valid=True)
        ),
        halving_pool(),
    )


def inception_resnet_c(channels: int, *, scale: float = 0.20, relu: bool = True) -> ScaledResidual:
    """(N, channels, H, W) to the same shape (figure 19)."""
    branches = concatenation(
        convolution(channels, 192, 1),
        nn.Sequential(convolution(channels, 192, 1), convolution(192, 224, (1, 3)), convolution(224, 256, (3, 1))),
    )
    return ScaledResidual(channels, branches, 448, scale=scale, relu=relu)


class InceptionResNetV2(ClassificationNetwork):
    """The network of figure 15, as released or as printed.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        layout: `"released"`: that of the published weights; `"paper"`: that of the paper's figures.
        dropout: What share of the pooled values is dropped in training; the paper keeps 0.8.

    Raises:
        ValueError: `layout` is unknown, or `dropout` is no probability below 1.
    """

    def __init__(
        self, *, num_classes: int = 1000, in_channels: int = 3, layout: Layout = "released", dropout: float = 0.2
    ) -> None:
        if layout not in get_args(Layout):
            raise ValueError(f"layout is '{layout}': expected {' or '.join(get_args(Layout))}")
        released = layout == "released"
        a, repeats = (320, 2) if released else (384, 1)
        b, c = a + 768, a + 1760  # the reductions add 384 + 384, then 384 + 288 + 320
        last = inception_resnet_c(c, scale=1.0, relu=False) if released else inception_resnet_c(c)
        stages = {
            "stem": released_stem(in_channels) if released else inception_v4.stem(in_channels),
            "inception_resnet_a": blocks(*(inception_resnet_a(a) for _ in range(5 * repeats))),
            "reduction_a": reduction_a(a, k=256, l=256, m=384, n=384),
            "inception_resnet_b": blocks(*(inception_resnet_b(b) for _ in range(10 * repeats))),
            "reduction_b": reduction_b(b),
            "inception_resnet_c": blocks(*(inception_resnet_c(c) for _ in range(5 * repeats - 1)), last),
        }
        strides, out_channels = [8, 8, 16, 16, 32, 32], [a, a, b, b, c, c]
        if released:
            stages["projection"] = convolution(c, 1536, 1)
            strides.append(32)
            out_channels.append(1536)
        super().__init__(
            stages,
            pooled_linear_head(out_channels[-1], num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=strides,
            out_channels=out_channels,
            smallest=75,
        )
        self.layout = layout


@register(
    "inception_resnet_v2",
    source="Szegedy et al. 2016, arXiv:1602.07261, figure 15",
    input_size=(3, 299, 299),
    summary="40 residual inception modules",
)
def inception_resnet_v2(
    *, num_classes: int = 1000, in_channels: int = 3, layout: Layout = "released", dropout: float = 0.2
) -> InceptionResNetV2:
    """Inception-ResNet-v2: 55,843,464 parameters as released; see `InceptionResNetV2`."""
    return InceptionResNetV2(num_classes=num_classes, in_channels=in_channels, layout=layout, dropout=dropout)
