"""DenseNet, for inputs of about 224×224; those for CIFAR-10 are in `hubel.models.classification.densenet_cifar`.

G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, Densely Connected Convolutional Networks, 2016, arXiv:1608.06993.

In a dense block, every layer takes the concatenation of the block's input and of what all layers before it made, and
makes k maps, the growth rate; so layer l takes k0 + k (l - 1) channels, and L layers have L (L + 1) / 2 links. A layer
is BatchNorm, ReLU, 3×3 convolution; with a bottleneck (DenseNet-B) there is BatchNorm, ReLU, 1×1 convolution to 4k
channels before that. A transition halves the map; with compression (DenseNet-C) it keeps only that share of channels.

Table 1 of the paper, for an input of 224×224; all with bottlenecks and compression 0.5 (DenseNet-BC):

| stage | layers | map | 121 | 169 | 201 | 264 |
| --- | --- | --- | --- | --- | --- | --- |
| `conv` | 7×7, 2k, stride 2 | (N, 64, 112, 112) | | | | |
| `block1` | max pool, dense block | (N, 256, 56, 56) | 6 layers | 6 | 6 | 6 |
| `block2` | transition, dense block | (N, 512, 28, 28) | 12 layers | 12 | 12 | 12 |
| `block3` | transition, dense block | (N, 1024 to 2304, 14, 14) | 24 layers | 32 | 48 | 64 |
| `block4` | transition, dense block, BatchNorm, ReLU | (N, 1024 to 2688, 7, 7) | 16 layers | 32 | 32 | 48 |
| `head` | average pool, linear | (N, num_classes) | | | | |

k is 32; `densenet161` has k = 48 and 6, 12, 36 and 24 layers, as in github.com/liuzhuang13/DenseNet. The names count
weight layers, two per dense layer and five besides; by its own column of the table, DenseNet-264 has 265.

Departures: none. A stage ends where the resolution does, so it begins with the transition that the table puts before
it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TypedDict, Unpack, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hubel.models.classification.densenet_prediction import ClampedConvolution, PredictingDenseBlock
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions, pooled_linear_head

SOURCE = "Huang et al. 2016, arXiv:1608.06993, table 1"


class DenseLayer(nn.Module):
    """What a layer of a dense block makes of all maps before it (H in equation 2; section 3, bottleneck layers).

    Args:
        in_channels: Channels of all these maps together, k0 + k (l - 1) for layer l.
        growth_rate: Channels that it makes, k.
        bottleneck: Whether a 1×1 convolution to 4k channels comes before the 3×3.
        dropout: Which share of the values behind each convolution becomes 0 in training.
        recompute: Keep neither the concatenation nor its normalisation for the backward pass, which computes them a
            second time (Pleiss et al. 2017, arXiv:1707.06990, section 3). Under torch.compile it changes nothing: the
            compiler itself decides what to keep.
    """

    def __init__(
        self,
        in_channels: int,
        growth_rate: int,
        *,
        bottleneck: bool = True,
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        self.recompute = recompute
        self.norm1 = nn.BatchNorm2d(in_channels)
        if bottleneck:
            self.conv1 = nn.Conv2d(in_channels, 4 * growth_rate, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(4 * growth_rate)
            self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, growth_rate, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, *maps: Tensor) -> Tensor:
        """Maps (N, C_i, H, W), whose C_i sum to in_channels, to (N, growth_rate, H, W)."""
        if self.recompute and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            out = checkpoint(
                self.first_convolution,
                *maps,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=lambda: (nullcontext(), Recomputation(self.norm1)),
            )
        else:
            out = self.first_convolution(*maps)
        out = self.dropout(out)  # (N, 4 growth_rate, H, W); without a bottleneck the result
        if self.bottleneck:
            out = self.dropout(self.conv2(F.relu(self.norm2(out), inplace=True)))
        return cast(Tensor, out)

    def first_convolution(self, *maps: Tensor) -> Tensor:
        """Concatenation, BatchNorm, ReLU and the first convolution: what is cheap to compute and large to keep."""
        x = torch.cat(maps, 1) if len(maps) > 1 else maps[0]
        return cast(Tensor, self.conv1(F.relu(self.norm1(x), inplace=True)))


class Recomputation:
    """While it lasts, a BatchNorm computes what it did when this was made, and its running statistics stay.

    They would count every batch twice otherwise. The BatchNorm gets copies to update, because the second forward
    pass must consist of the same operations as the first.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        self.norm = norm
        self.training = norm.training

    def __enter__(self) -> None:
        self.mode, self.statistics = self.norm.training, dict(self.norm.named_buffers(recurse=False))
        self.norm.training = self.training
        for name, statistic in self.statistics.items():
            setattr(self.norm, name, statistic.clone())

    def __exit__(self, *error: object) -> None:
        self.norm.training = self.mode
        for name, statistic in self.statistics.items():
            setattr(self.norm, name, statistic)


class DenseBlock(nn.Sequential):
    """Layers of which each takes the maps of all before it (figure 1).

    Args:
        in_channels: Channels of the input, k0.
        count: Number of layers.
        growth_rate: Channels that each layer makes, k.
        bottleneck: As for `DenseLayer`.
        dropout: As for `DenseLayer`.
        recompute: As for `DenseLayer`.

    Attributes:
        out_channels: Channels of the output, k0 + k count.
    """

    def __init__(
        self,
        in_channels: int,
        count: int,
        growth_rate: int,
        *,
        bottleneck: bool = True,
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for index in range(count):
            layers[f"layer{index + 1}"] = DenseLayer(
                in_channels + growth_rate * index,
                growth_rate,
                bottleneck=bottleneck,
                dropout=dropout,
                recompute=recompute,
            )
        super().__init__(layers)
        self.out_channels = in_channels + growth_rate * count
        self.recompute = recompute

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W): the input, then what each layer made."""
        if not (self.recompute and torch.is_grad_enabled()):
            for layer in self:
                x = torch.cat([x, layer(x)], 1)  # (N, in_channels + growth_rate l, H, W) after layer l
            return x
        maps = [x]  # kept apart for the backward pass: together they are no more than the last concatenation
        for layer in self:
            maps.append(layer(*maps))
        return torch.cat(maps, 1)

    def for_prediction(self) -> nn.Module:
        """What `hubel.models.folding` puts in its place; without bottlenecks, itself."""
        layers = [cast(DenseLayer, layer) for layer in self]
        folded = (isinstance(cast(nn.Module, layer.norm2), nn.Identity) for layer in layers if layer.bottleneck)
        if not all(layer.bottleneck for layer in layers) or not all(folded):
            return self
        return PredictingDenseBlock([(ClampedConvolution(layer.norm1, layer.conv1), layer.conv2) for layer in layers])


class Transition(nn.Sequential):
    """Between two dense blocks: BatchNorm, ReLU, 1×1 convolution, 2×2 average pooling (section 3, pooling layers).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        dropout: Which share of the values behind the convolution becomes 0 in training.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dropout: float = 0.0) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("norm", nn.BatchNorm2d(in_channels)),
            ("relu", nn.ReLU(inplace=True)),
            ("conv", nn.Conv2d(in_channels, out_channels, 1, bias=False)),
            ("dropout", nn.Dropout(dropout)),
            ("pool", nn.AvgPool2d(2)),
        ]
        super().__init__(OrderedDict(layers))

    def for_prediction(self) -> nn.Module:
        """What `hubel.models.folding` puts in its place."""
        return ClampedConvolution(cast(nn.BatchNorm2d, self.norm), cast(nn.Conv2d, self.conv), pool=True)


def dense_stages(
    in_channels: int,
    counts: Sequence[int],
    growth_rate: int,
    *,
    bottleneck: bool,
    compression: float,
    dropout: float,
    recompute: bool,
) -> tuple[dict[str, OrderedDict[str, nn.Module]], list[int]]:
    """The layers of the stages `block1` and on by name, and their channels; see `DenseNet` for the arguments.

    Raises:
        ValueError: The compression or the dropout is out of range.
    """
    if not 0 < compression <= 1:
        raise ValueError(f"compression is {compression}: expected more than 0 and at most 1")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}: expected at least 0 and less than 1")
    stages: dict[str, OrderedDict[str, nn.Module]] = {}
    channels: list[int] = []
    for number, count in enumerate(counts, start=1):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if channels:
            in_channels = int(compression * channels[-1])
            if in_channels < 1:
                raise ValueError(f"compression is {compression}: it leaves none of {channels[-1]} channels")
            layers["transition"] = Transition(channels[-1], in_channels, dropout=dropout)
        block = DenseBlock(in_channels, count, growth_rate, bottleneck=bottleneck, dropout=dropout, recompute=recompute)
        layers["dense"] = block
        stages[f"block{number}"] = layers
        channels.append(block.out_channels)
    layers["norm"] = nn.BatchNorm2d(channels[-1])
    layers["relu"] = nn.ReLU(inplace=True)
    return stages, channels


class DenseNet(ClassificationNetwork):
    """The network of table 1; convolutions start as He et al. 2015 (arXiv:1502.01852) draw them, as in the paper.

    Args:
        counts: How many layers each of the four dense blocks has.
        growth_rate: Channels that each layer makes, k.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        bottleneck: As for `DenseLayer`.
        compression: Which share of its channels a transition keeps.
        dropout: As for `DenseLayer`; the paper's is 0.2 where the training pictures are not augmented. The first
            convolution of the network has none.
        recompute: As for `DenseLayer`: less memory in training for more time, and equal gradients.

    Raises:
        ValueError: The compression or the dropout is out of range.
    """

    def __init__(
        self,
        counts: Sequence[int],
        *,
        growth_rate: int = 32,
        num_classes: int = 1000,
        in_channels: int = 3,
        bottleneck: bool = True,
        compression: float = 0.5,
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        width = 2 * growth_rate
        stem: list[tuple[str, nn.Module]] = [
            ("conv", nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)),
            ("norm", nn.BatchNorm2d(width)),
            ("relu", nn.ReLU(inplace=True)),
        ]
        blocks, channels = dense_stages(
            width,
            counts,
            growth_rate,
            bottleneck=bottleneck,
            compression=compression,
            dropout=dropout,
            recompute=recompute,
        )
        blocks["block1"]["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
        blocks["block1"].move_to_end("pool", last=False)
        super().__init__(
            {
                "conv": nn.Sequential(OrderedDict(stem)),
                **{name: nn.Sequential(layers) for name, layers in blocks.items()},
            },
            pooled_linear_head(channels[-1], num_classes),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32),
            out_channels=(width, *channels),
            smallest=29,  # 8 after the max pool, so that three transitions leave 1
        )
        kaiming_normal_convolutions(self)


class Options(TypedDict, total=False):
    """What every builder takes; see `DenseNet`, and `CifarDenseNet` of `hubel.models.classification.densenet_cifar`."""

    num_classes: int
    in_channels: int
    bottleneck: bool
    compression: float
    dropout: float
    recompute: bool


@register("densenet121", source=SOURCE, input_size=(3, 224, 224), summary="58 dense layers, k = 32")
def densenet121(**options: Unpack[Options]) -> DenseNet:
    """DenseNet-121: 7,978,856 parameters."""
    return DenseNet((6, 12, 24, 16), **options)


@register("densenet169", source=SOURCE, input_size=(3, 224, 224), summary="82 dense layers, k = 32")
def densenet169(**options: Unpack[Options]) -> DenseNet:
    """DenseNet-169: 14,149,480 parameters."""
    return DenseNet((6, 12, 32, 32), **options)


@register("densenet201", source=SOURCE, input_size=(3, 224, 224), summary="98 dense layers, k = 32")
def densenet201(**options: Unpack[Options]) -> DenseNet:
    """DenseNet-201: 20,013,928 parameters."""
    return DenseNet((6, 12, 48, 32), **options)


@register("densenet264", source=SOURCE, input_size=(3, 224, 224), summary="130 dense layers, k = 32")
def densenet264(**options: Unpack[Options]) -> DenseNet:
    """DenseNet-264: 33,337,704 parameters; 265 weight layers."""
    return DenseNet((6, 12, 64, 48), **options)


@register("densenet161", source=SOURCE, input_size=(3, 224, 224), summary="78 dense layers, k = 48")
def densenet161(**options: Unpack[Options]) -> DenseNet:
    """DenseNet-161: 28,681,000 parameters."""
    return DenseNet((6, 12, 36, 24), growth_rate=48, **options)
