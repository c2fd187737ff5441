"""VGG: nothing but 3×3 convolutions that keep the size and 2×2 pools that halve it.

K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, arXiv:1409.1556.

Table 1 of the paper, for an input of 224×224; every stage ends in a 2×2 max pool with stride 2:

| stage | map | A | A-LRN | B | C | D | E |
| --- | --- | --- | --- | --- | --- | --- | --- |
| `conv1` | (N, 64, 112, 112) | 3×3 | 3×3, LRN | 3×3 twice | twice | twice | twice |
| `conv2` | (N, 128, 56, 56) | 3×3 | 3×3 | twice | twice | twice | twice |
| `conv3` | (N, 256, 28, 28) | twice | twice | twice | twice, 1×1 | three times | four times |
| `conv4` | (N, 512, 14, 14) | twice | twice | twice | twice, 1×1 | three times | four times |
| `conv5` | (N, 512, 7, 7) | twice | twice | twice | twice, 1×1 | three times | four times |
| `head` | (N, num_classes) | dense 4096, 4096, out | the same | the same | the same | the same | the same |
| layers with weights | | 11 | 11 | 13 | 16 | 16 | 19 |

Every convolution and every dense layer but the last has a ReLU; dropout follows the first two dense layers. A stage is
as wide as its row's map from its first convolution on.

Variants: the paper has no BatchNorm; with it, behind every convolution, they are torchvision's `vgg11_bn` to
`vgg19_bn`. Other sizes than 224×224 are taken by an average pool to 7×7 before the first dense layer, which at 224×224
is the identity.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypedDict, Unpack

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import LocalResponseNorm

SOURCE = "Simonyan and Zisserman 2014, arXiv:1409.1556, table 1"

WIDTHS = (64, 128, 256, 512, 512)

# Table 1: the kernel sizes of conv1 to conv5.
A = ((3,), (3,), (3, 3), (3, 3), (3, 3))
B = ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3))
C = ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1))
D = ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
E = ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3))


def convolutions(
    in_channels: int, width: int, kernels: Sequence[int], *, batch_norm: bool, response_norm: bool
) -> nn.Sequential:
    """The convolutions of one stage with their ReLUs, then the pool."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, kernel in enumerate(kernels, start=1):
        layers[f"conv{index}"] = nn.Conv2d(in_channels, width, kernel, padding=kernel // 2)
        if batch_norm:
            layers[f"norm{index}"] = nn.BatchNorm2d(width)
        layers[f"relu{index}"] = nn.ReLU(inplace=True)
        in_channels = width
    if response_norm:
        layers["lrn"] = LocalResponseNorm()
    layers["pool"] = nn.MaxPool2d(2)
    return nn.Sequential(layers)


class VGG(ClassificationNetwork):
    """A configuration of table 1.

    Weights start as torchvision's: convolutions normal of variance 2 / (k² C_out), dense layers normal of deviation
    0.01, biases 0. The paper's start, shallow networks whose layers the deeper ones take over, needs them trained.

    Args:
        kernels: The kernel sizes of the convolutions of each stage.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: Probability to drop a value behind the first and behind the second dense layer.
        batch_norm: Whether BatchNorm follows every convolution.
        response_norm: Whether AlexNet's response normalisation follows conv1 (configuration A-LRN).
    """

    def __init__(
        self,
        kernels: Sequence[Sequence[int]],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        batch_norm: bool = False,
        response_norm: bool = False,
    ) -> None:
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        for number, (sizes, width) in enumerate(zip(kernels, WIDTHS, strict=True), start=1):
            stages[f"conv{number}"] = convolutions(
                before, width, sizes, batch_norm=batch_norm, response_norm=response_norm and number == 1
            )
            before = width
        head: list[tuple[str, nn.Module]] = [
            ("pool", nn.AdaptiveAvgPool2d(7)),
            ("flatten", nn.Flatten(1)),
            ("fc6", nn.Linear(512 * 7 * 7, 4096)),
            ("relu6", nn.ReLU(inplace=True)),
            ("drop6", nn.Dropout(dropout)),
            ("fc7", nn.Linear(4096, 4096)),
            ("relu7", nn.ReLU(inplace=True)),
            ("drop7", nn.Dropout(dropout)),
            ("out", nn.Linear(4096, num_classes)),
        ]
        super().__init__(
            stages,
            nn.Sequential(OrderedDict(head)),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32),
            out_channels=WIDTHS,
            smallest=32,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as torchvision's VGG does; see the class."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


class Options(TypedDict, total=False):
    """What every builder below takes; see `VGG`."""

    num_classes: int
    in_channels: int
    dropout: float


@register("vgg11", source=SOURCE, input_size=(3, 224, 224), summary="configuration A: 8 convolutions, 3 dense layers")
def vgg11(**options: Unpack[Options]) -> VGG:
    """Configuration A: 132,863,336 parameters."""
    return VGG(A, **options)


@register("vgg11_lrn", source=SOURCE, input_size=(3, 224, 224), summary="A with response normalisation behind conv1")
def vgg11_lrn(**options: Unpack[Options]) -> VGG:
    """Configuration A-LRN: 132,863,336 parameters, as normalising has none."""
    return VGG(A, response_norm=True, **options)


@register("vgg13", source=SOURCE, input_size=(3, 224, 224), summary="configuration B: 10 convolutions, 3 dense layers")
def vgg13(**options: Unpack[Options]) -> VGG:
    """Configuration B: 133,047,848 parameters."""
    return VGG(B, **options)


@register("vgg16_c", source=SOURCE, input_size=(3, 224, 224), summary="configuration C: B and three 1×1 convolutions")
def vgg16_c(**options: Unpack[Options]) -> VGG:
    """Configuration C: 133,638,952 parameters."""
    return VGG(C, **options)


@register("vgg16", source=SOURCE, input_size=(3, 224, 224), summary="configuration D: 13 convolutions, 3 dense layers")
def vgg16(**options: Unpack[Options]) -> VGG:
    """Configuration D: 138,357,544 parameters."""
    return VGG(D, **options)


@register("vgg19", source=SOURCE, input_size=(3, 224, 224), summary="configuration E: 16 convolutions, 3 dense layers")
def vgg19(**options: Unpack[Options]) -> VGG:
    """Configuration E: 143,667,240 parameters."""
    return VGG(E, **options)


@register("vgg11_bn", source=f"{SOURCE}; as in torchvision", input_size=(3, 224, 224), summary="A with BatchNorm")
def vgg11_bn(**options: Unpack[Options]) -> VGG:
    """Configuration A with BatchNorm, as in torchvision: 132,868,840 parameters."""
    return VGG(A, batch_norm=True, **options)


@register("vgg13_bn", source=f"{SOURCE}; as in torchvision", input_size=(3, 224, 224), summary="B with BatchNorm")
def vgg13_bn(**options: Unpack[Options]) -> VGG:
    """Configuration B with BatchNorm, as in torchvision: 133,053,736 parameters."""
    return VGG(B, batch_norm=True, **options)


@register("vgg16_bn", source=f"{SOURCE}; as in torchvision", input_size=(3, 224, 224), summary="D with BatchNorm")
def vgg16_bn(**options: Unpack[Options]) -> VGG:
    """Configuration D with BatchNorm, as in torchvision: 138,365,992 parameters."""
    return VGG(D, batch_norm=True, **options)


@register("vgg19_bn", source=f"{SOURCE}; as in torchvision", input_size=(3, 224, 224), summary="E with BatchNorm")
def vgg19_bn(**options: Unpack[Options]) -> VGG:
    """Configuration E with BatchNorm, as in torchvision: 143,678,248 parameters."""
    return VGG(E, batch_norm=True, **options)
