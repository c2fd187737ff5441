"""Inception-v4, for inputs of about 299×299: Inception modules throughout, no residual connections.

C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi, Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, 2016, arXiv:1602.07261.

Figure 9 of the paper, for an input of 299×299:

| stage | map | what it is | figure |
| --- | --- | --- | --- |
| `stem` | (N, 384, 35, 35) | convolutions, three filter concatenations | 3 |
| `inception_a` | (N, 384, 35, 35) | 4 modules | 4 |
| `reduction_a` | (N, 1024, 17, 17) | k, l, m, n = 192, 224, 256, 384 (table 1) | 7 |
| `inception_b` | (N, 1024, 17, 17) | 7 modules | 5 |
| `reduction_b` | (N, 1536, 8, 8) | | 8 |
| `inception_c` | (N, 1536, 8, 8) | 3 modules | 6 |
| `head` | (N, num_classes) | average pool, dropout (keep 0.8), linear | 9 |

Every convolution is followed by BatchNorm and ReLU. Convolutions that the figures mark V have no padding; the others
keep the size.

Variant: that of the weights which the authors' group released with TF-Slim, as timm's `inception_v4`. What the paper
leaves open is theirs: average pooling leaves the padding out of the mean, BatchNorm adds 0.001 to the variance. The
order of 1×7 and 7×1 (1×3 and 3×1) is theirs, also where a figure draws the other; it costs the same. There is no
auxiliary classifier, as in figure 9 and in timm; TF-Slim trains with one. BatchNorm has a scale and a momentum of 0.1,
as in timm (TF-Slim: no scale, 0.0003).

The paper does not say how weights start; PyTorch's layers start theirs, as in timm.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import Concatenation, pooled_linear_head
from hubel.nn import normalized_convolution as convolution


def concatenation(*branches: nn.Module) -> Concatenation:
    """Branches of the same map, named `branch1` and on: the box "Filter concat" and all below it."""
    return Concatenation(**{f"branch{number}": branch for number, branch in enumerate(branches, start=1)})


def halving_pool() -> nn.MaxPool2d:
    """The maximum of 3×3 windows with stride 2, "V"."""
    return nn.MaxPool2d(3, stride=2)


def pooled_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """The mean of 3×3 windows, of the pixels that exist, then a 1×1 convolution."""
    return nn.Sequential(
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), convolution(in_channels, out_channels, 1)
    )


def stem(in_channels: int) -> nn.Sequential:
    """From the image to (N, 384, 35, 35) (figure 3)."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", convolution(in_channels, 32, 3, stride=2, valid=True)),  # (N, 32, 149, 149)
        ("conv2", convolution(32, 32, 3, valid=True)),  # (N, 32, 147, 147)
        ("conv3", convolution(32, 64, 3)),  # (N, 64, 147, 147)
        ("concat1", concatenation(halving_pool(), convolution(64, 96, 3, stride=2, valid=True))),  # (N, 160, 73, 73)
        (
            "concat2",  # (N, 192, 71, 71)
            concatenation(
                nn.Sequential(convolution(160, 64, 1), convolution(64, 96, 3, valid=True)),
                nn.Sequential(
                    convolution(160, 64, 1),
                    convolution(64, 64, (1, 7)),
                    convolution(64, 64, (7, 1)),
                    convolution(64, 96, 3, valid=True),
                ),
            ),
        ),
        ("concat3", concatenation(convolution(192, 192, 3, stride=2, valid=True), halving_pool())),  # (N, 384, 35, 35)
    ]
    return nn.Sequential(OrderedDict(layers))


def inception_a() -> Concatenation:
    """(N, 384, H, W) to the same shape (figure 4)."""
    return concatenation(
        convolution(384, 96, 1),
        nn.Sequential(convolution(384, 64, 1), convolution(64, 96, 3)),
        nn.Sequential(convolution(384, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3)),
        pooled_convolution(384, 96),
    )


def reduction_a(in_channels: int, k: int, l: int, m: int, n: int) -> Concatenation:  # noqa: E741
    """(N, C_in, H, W) to (N, n + m + C_in, (H - 1) / 2, (W - 1) / 2) (figure 7; k, l, m and n as in table 1)."""
    return concatenation(
        convolution(in_channels, n, 3, stride=2, valid=True),
        nn.Sequential(convolution(in_channels, k, 1), convolution(k, l, 3), convolution(l, m, 3, stride=2, valid=True)),
        halving_pool(),
    )


def inception_b() -> Concatenation:
    """(N, 1024, H, W) to the same shape (figure 5)."""
    return concatenation(
        convolution(1024, 384, 1),
        nn.Sequential(convolution(1024, 192, 1), convolution(192, 224, (1, 7)), convolution(224, 256, (7, 1))),
        nn.Sequential(
            convolution(1024, 192, 1),
            convolution(192, 192, (7, 1)),
            convolution(192, 224, (1, 7)),
            convolution(224, 224, (7, 1)),
            convolution(224, 256, (1, 7)),
        ),
        pooled_convolution(1024, 128),
    )


def reduction_b() -> Concatenation:
    """(N, 1024, H, W) to (N, 1536, (H - 1) / 2, (W - 1) / 2) (figure 8)."""
    return concatenation(
        nn.Sequential(convolution(1024, 192, 1), convolution(192, 192, 3, stride=2, valid=True)),
        nn.Sequential(
            convolution(1024, 256, 1),
            convolution(256, 256, (1, 7)),
            convolution(256, 320, (7, 1)),
            convolution(320, 320, 3, stride=2, valid=True),
        ),
        halving_pool(),
    )


def inception_c() -> Concatenation:
    """(N, 1536, H, W) to the same shape (figure 6)."""
    return concatenation(
        convolution(1536, 256, 1),
        nn.Sequential(
            convolution(1536, 384, 1),
            concatenation(convolution(384, 256, (1, 3)), convolution(384, 256, (3, 1))),
        ),
        nn.Sequential(
            convolution(1536, 384, 1),
            convolution(384, 448, (3, 1)),
            convolution(448, 512, (1, 3)),
            concatenation(convolution(512, 256, (1, 3)), convolution(512, 256, (3, 1))),
        ),
        pooled_convolution(1536, 256),
    )


def blocks(*modules: nn.Module) -> nn.Sequential:
    """Modules one after another, named `block1` and on."""
    return nn.Sequential(OrderedDict((f"block{number}", module) for number, module in enumerate(modules, start=1)))


class InceptionV4(ClassificationNetwork):
    """The network of figure 9.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: What share of the pooled values is dropped in training; the paper keeps 0.8.

    Raises:
        ValueError: `dropout` is no probability below 1.
    """

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__(
            {
                "stem": stem(in_channels),
                "inception_a": blocks(*(inception_a() for _ in range(4))),
                "reduction_a": reduction_a(384, k=192, l=224, m=256, n=384),
                "inception_b": blocks(*(inception_b() for _ in range(7))),
                "reduction_b": reduction_b(),
                "inception_c": blocks(*(inception_c() for _ in range(3))),
            },
            pooled_linear_head(1536, num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=(8, 8, 16, 16, 32, 32),
            out_channels=(384, 384, 1024, 1024, 1536, 1536),
            smallest=75,
        )


@register(
    "inception_v4",
    source="Szegedy et al. 2016, arXiv:1602.07261, figure 9",
    input_size=(3, 299, 299),
    summary="14 inception modules, no residual connections",
)
def inception_v4(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> InceptionV4:
    """Inception-v4: 42,679,816 parameters; see `InceptionV4`."""
    return InceptionV4(num_classes=num_classes, in_channels=in_channels, dropout=dropout)
