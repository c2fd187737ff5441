"""GoogLeNet, the first Inception network, for inputs of about 224×224: as published, and with BatchNorm.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke, A. Rabinovich, Going Deeper with
Convolutions, 2014, arXiv:1409.4842.

Table 1 of the paper, for an input of 224×224; the widths of the nine modules are in `MODULES` below:

| stage | layers | map |
| --- | --- | --- |
| `conv1` | 7×7, 64, stride 2 | (N, 64, 112, 112) |
| `conv2` | max pool, 1×1, 64, 3×3, 192 | (N, 192, 56, 56) |
| `inception3a` | max pool, module | (N, 256, 28, 28) |
| `inception3b` | module | (N, 480, 28, 28) |
| `inception4a` | max pool, module; first auxiliary head | (N, 512, 14, 14) |
| `inception4b`, `inception4c` | module | (N, 512, 14, 14) |
| `inception4d` | module; second auxiliary head | (N, 528, 14, 14) |
| `inception4e` | module | (N, 832, 14, 14) |
| `inception5a` | max pool, module | (N, 832, 7, 7) |
| `inception5b` | module | (N, 1024, 7, 7) |
| `head` | average pool, dropout, linear | (N, num_classes) |

The max pooling between stages is 3×3 with stride 2 and rounds sizes up: 112 to 56 to 28 to 14 to 7.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import LocalResponseNorm, normalized_convolution, pooled_linear_head

SOURCE = "Szegedy et al. 2014, arXiv:1409.4842, table 1"


class Widths(NamedTuple):
    """Output channels of a module's six convolutions: the columns of table 1.

    Attributes:
        one: 1×1 ("#1×1").
        reduce3: 1×1 before the 3×3 ("#3×3 reduce").
        three: 3×3 ("#3×3").
        reduce5: 1×1 before the 5×5 ("#5×5 reduce").
        five: 5×5 ("#5×5").
        projection: 1×1 behind the pooling ("pool proj").
    """

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    projection: int

    @property
    def out_channels(self) -> int:
        """Channels of the concatenated map."""
        return self.one + self.three + self.five + self.projection


MODULES = {
    "inception3a": Widths(64, 96, 128, 16, 32, 32),
    "inception3b": Widths(128, 128, 192, 32, 96, 64),
    "inception4a": Widths(192, 96, 208, 16, 48, 64),
    "inception4b": Widths(160, 112, 224, 24, 64, 64),
    "inception4c": Widths(128, 128, 256, 24, 64, 64),
    "inception4d": Widths(112, 144, 288, 32, 64, 64),
    "inception4e": Widths(256, 160, 320, 32, 128, 128),
    "inception5a": Widths(256, 160, 320, 32, 128, 128),
    "inception5b": Widths(384, 192, 384, 48, 128, 128),
}


class Convolution(Protocol):
    """What makes a convolution with all that follows it."""

    def __call__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Module:
        """From (N, in_channels, H, W) to (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉); the kernel is odd."""


def biased_convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """A convolution with bias, and ReLU: the paper's."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2)),
        ("relu", nn.ReLU(inplace=True)),
    ]
    return nn.Sequential(OrderedDict(layers))


class NaiveInceptionModule(nn.Module):
    """1×1, 3×3, 5×5 and 3×3 max pooling side by side, all of size "same", concatenated (figure 2a).

    The pooling keeps all channels, so that every module is wider than the one before it.

    Args:
        in_channels: Channels of the input.
        one: Channels of the 1×1 convolution.
        three: Channels of the 3×3 convolution.
        five: Channels of the 5×5 convolution.
        convolution: What a convolution is made of.
    """

    def __init__(
        self, in_channels: int, one: int, three: int, five: int, *, convolution: Convolution = biased_convolution
    ) -> None:
        super().__init__()
        self.branch1 = convolution(in_channels, one, 1)
        self.branch3 = convolution(in_channels, three, 3)
        self.branch5 = convolution(in_channels, five, 5)
        self.branch_pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.out_channels = one + three + five + in_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W)."""
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


class InceptionModule(nn.Module):
    """The module with dimension reductions: a 1×1 before the 3×3 and the 5×5 and behind the pooling (figure 2b).

    Args:
        in_channels: Channels of the input.
        widths: Channels of the six convolutions.
        convolution: What a convolution is made of.
        kernel_size: Of the convolution that the paper has 5×5; odd.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Widths,
        *,
        convolution: Convolution = biased_convolution,
        kernel_size: int = 5,
    ) -> None:
        super().__init__()
        three: list[tuple[str, nn.Module]] = [
            ("reduce", convolution(in_channels, widths.reduce3, 1)),
            ("conv", convolution(widths.reduce3, widths.three, 3)),
        ]
        five: list[tuple[str, nn.Module]] = [
            ("reduce", convolution(in_channels, widths.reduce5, 1)),
            ("conv", convolution(widths.reduce5, widths.five, kernel_size)),
        ]
        pool: list[tuple[str, nn.Module]] = [
            ("pool", nn.MaxPool2d(3, stride=1, padding=1)),
            ("project", convolution(in_channels, widths.projection, 1)),
        ]
        self.branch1 = convolution(in_channels, widths.one, 1)
        self.branch3 = nn.Sequential(OrderedDict(three))
        self.branch5 = nn.Sequential(OrderedDict(five))
        self.branch_pool = nn.Sequential(OrderedDict(pool))
        self.out_channels = widths.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W)."""
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


def stem(in_channels: int, convolution: Convolution, norms: tuple[nn.Module, nn.Module]) -> dict[str, nn.Module]:
    """The stages before the modules; `norms` follow the first pooling and the last convolution."""
    conv2: list[tuple[str, nn.Module]] = [
        ("pool", nn.MaxPool2d(3, stride=2, ceil_mode=True)),
        ("norm1", norms[0]),
        ("reduce", convolution(64, 64, 1)),
        ("conv", convolution(64, 192, 3)),
        ("norm2", norms[1]),
    ]
    return {"conv1": convolution(in_channels, 64, 7, stride=2), "conv2": nn.Sequential(OrderedDict(conv2))}


def inception_stages(convolution: Convolution, kernel_size: int, last_pool: int) -> dict[str, nn.Module]:
    """A stage for each of `MODULES`; a max pooling opens 3a, 4a and 5a.

    Args:
        convolution: What a convolution is made of.
        kernel_size: Of the convolution that the paper has 5×5.
        last_pool: Height and width of the window of the last max pooling.
    """
    pools = {"inception3a": 3, "inception4a": 3, "inception5a": last_pool}
    stages: dict[str, nn.Module] = {}
    channels = 192
    for name, widths in MODULES.items():
        module = InceptionModule(channels, widths, convolution=convolution, kernel_size=kernel_size)
        stages[name] = module
        if name in pools:
            pool = nn.MaxPool2d(pools[name], stride=2, ceil_mode=True)
            stages[name] = nn.Sequential(OrderedDict([("pool", pool), ("module", module)]))
        channels = widths.out_channels
    return stages


def auxiliary_classifiers(
    num_classes: int, convolution: Convolution, pool: Callable[[], nn.Module], dropout: float
) -> dict[str, nn.Module]:
    """The heads after 4a and 4d (section 5); what `pool` makes brings a map of any size to 4×4."""
    heads: dict[str, nn.Module] = {}
    for name in ("inception4a", "inception4d"):
        layers: list[tuple[str, nn.Module]] = [
            ("pool", pool()),  # (N, 512 or 528, 4, 4)
            ("conv", convolution(MODULES[name].out_channels, 128, 1)),  # (N, 128, 4, 4)
            ("flatten", nn.Flatten(1)),
            ("dense", nn.Linear(128 * 4 * 4, 1024)),
            ("relu", nn.ReLU(inplace=True)),
            ("dropout", nn.Dropout(dropout)),
            ("out", nn.Linear(1024, num_classes)),
        ]
        heads[name] = nn.Sequential(OrderedDict(layers))
    return heads


STRIDES = (2, 4, 8, 8, 16, 16, 16, 16, 16, 32, 32)
OUT_CHANNELS = (64, 192, *(widths.out_channels for widths in MODULES.values()))
AUX_WEIGHT = 0.3  # section 5


class GoogLeNet(ClassificationNetwork):
    """The network as published.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        aux_heads: Whether there are auxiliary heads, which help to train.
        dropout: Probability to drop a value before the last layer.
        aux_dropout: The same in the auxiliary heads.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_heads: bool = True,
        dropout: float = 0.4,
        aux_dropout: float = 0.7,
    ) -> None:
        norms = (local_response_norm(), local_response_norm())
        heads = auxiliary_classifiers(num_classes, biased_convolution, auxiliary_pool, aux_dropout) if aux_heads else {}
        super().__init__(
            stem(in_channels, biased_convolution, norms) | inception_stages(biased_convolution, 5, 3),
            pooled_linear_head(1024, num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=STRIDES,
            out_channels=OUT_CHANNELS,
            smallest=31,
            aux_heads=heads,
            aux_weight=AUX_WEIGHT,
        )
        initialize_as_caffe(self)


def local_response_norm() -> LocalResponseNorm:
    """The normalisation of figure 3 with the constants of BVLC's replication, as the paper prints none.

    These are n = 5, alpha = 1e-4, beta = 0.75 and Caffe's default k = 1; Caffe divides alpha by n.
    """
    return LocalResponseNorm(5, alpha=1e-4 / 5, beta=0.75, k=1.0)


def auxiliary_pool() -> nn.Sequential:
    """14×14 to 4×4 by windows of 5×5 with stride 3 (section 5); a map of another size is brought to 14×14 first."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(14), nn.AvgPool2d(5, stride=3))


def initialize_as_caffe(network: ClassificationNetwork) -> None:
    """Weights uniform with variance 1 / fan-in (Caffe's "xavier"), biases 0.2, those of the last layers 0."""
    last = [head.out for head in (network.head, *network.aux_heads.values())]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            nn.init.constant_(cast(Tensor, module.bias), 0.0 if module in last else 0.2)


class BatchNormGoogLeNet(ClassificationNetwork):
    """The network of torchvision, ported from TensorFlow's; see `GoogLeNet` for the arguments."""

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_heads: bool = True,
        dropout: float = 0.2,
        aux_dropout: float = 0.7,
    ) -> None:
        norms = (nn.Identity(), nn.Identity())
        pool = partial(nn.AdaptiveAvgPool2d, 4)
        heads = auxiliary_classifiers(num_classes, normalized_convolution, pool, aux_dropout) if aux_heads else {}
        super().__init__(
            stem(in_channels, normalized_convolution, norms) | inception_stages(normalized_convolution, 3, 2),
            pooled_linear_head(1024, num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=STRIDES,
            out_channels=OUT_CHANNELS,
            smallest=15,
            aux_heads=heads,
            aux_weight=AUX_WEIGHT,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.01)


class Options(TypedDict, total=False):
    """What both builders below take; see `GoogLeNet`."""

    num_classes: int
    in_channels: int
    aux_heads: bool
    dropout: float
    aux_dropout: float


@register("googlenet", source=SOURCE, input_size=(3, 224, 224), summary="nine inception modules, as published")
def googlenet(**options: Unpack[Options]) -> GoogLeNet:
    """GoogLeNet as published: 6,998,552 parameters, and 6,379,728 in the auxiliary heads.

    Where the paper is silent, this is BVLC's replication (github.com/BVLC/caffe, models/bvlc_googlenet), whose author
    thanks Szegedy for his help: the constants of local response normalisation, how weights start, and pooling that
    rounds sizes up.

    Departure: an auxiliary head brings a map that is not 14×14 to that size first, by average pooling, so that any
    image of at least 31×31 will do.
    """
    return GoogLeNet(**options)


@register(
    "googlenet_bn",
    source=f"torchvision's variant of {SOURCE}",
    input_size=(3, 224, 224),
    summary="nine inception modules with BatchNorm, 3×3 for 5×5",
)
def googlenet_bn(**options: Unpack[Options]) -> BatchNormGoogLeNet:
    """The `googlenet` of torchvision: 6,624,904 parameters, and 6,379,984 in the auxiliary heads.

    Departures from the paper: BatchNorm instead of biases and of local response normalisation; 3×3 convolutions where
    the paper has 5×5 (github.com/pytorch/vision/issues/906); a last max pooling of 2×2; adaptive average pooling in the
    auxiliary heads; dropout 0.2; weights start from a normal distribution of deviation 0.01.

    torchvision's published weights expect inputs with mean and standard deviation 0.5 in every channel: its option
    `transform_input`, which it sets for them, turns ImageNet's statistics into these. Here that is for preprocessing.
    """
    return BatchNormGoogLeNet(**options)
