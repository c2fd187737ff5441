"""LeNet-5, as published and as it is usually copied.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document Recognition,
Proceedings of the IEEE 86(11), 1998, doi:10.1109/5.726791, section II.B and appendix A.

| stage | layer | map | trainable parameters | connections |
| --- | --- | --- | --- | --- |
| `c1` | 5×5 convolution | (N, 6, 28, 28) | 156 | 122,304 |
| `s2` | 2×2 subsampling | (N, 6, 14, 14) | 12 | 5,880 |
| `c3` | 5×5 convolution, partly connected (table I) | (N, 16, 10, 10) | 1,516 | 151,600 |
| `s4` | 2×2 subsampling | (N, 16, 5, 5) | 32 | 2,000 |
| `c5` | 5×5 convolution | (N, 120, 1, 1) | 48,120 | 48,120 |
| `head` | F6: 84 units | (N, 84) | 10,164 | 10,164 |
| | output: Euclidean radial basis functions | (N, num_classes) | 0 (840 fixed) | 840 |

60,000 trainable parameters and 340,908 connections.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register

# Table I: which maps of S2 each of the 16 maps of C3 sees.
C3_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

# The target codes of the ten digits: 12 rows of 7 pixels, # is +1 and . is -1. The paper prints its bitmaps
# as a picture (figure 3), not as numbers, so these are drawn after it, and single pixels may differ.
_DIGITS = """
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ...###. ##..... .##.... ##...## ##...## ##...##
##...## .####.. ##...## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ....##. ##..##. ######. ######. ....##. .##.##. ##...##
##...## ...##.. ...##.. ..####. ##..##. .....## ##...## ...##.. .#####. .######
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


def target_codes(num_classes: int) -> Tensor:
    """The fixed centres of the output units: float32 of shape (num_classes, 84), each value +1 or -1.

    For ten classes, the bitmaps of the digits. For any other number, codes drawn at random with a fixed seed,
    the paper's alternative ("chosen at random with equal probabilities for -1 and +1", section II.B).
    """
    if num_classes == 10:
        rows = [row.split() for row in _DIGITS.split("\n") if row]
        codes = [[1.0 if pixel == "#" else -1.0 for row in rows for pixel in row[digit]] for digit in range(10)]
    else:
        generator = random.Random(1998)
        codes = [[generator.choice((-1.0, 1.0)) for _ in range(84)] for _ in range(num_classes)]
    return torch.tensor(codes)


class ScaledTanh(nn.Module):
    """f(a) = 1.7159 tanh(2a / 3), the squashing function of appendix A: f(1) = 1 and f(-1) = -1."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """Each 2×2 window's sum, times a trainable coefficient, plus a trainable bias: one of each per map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        _uniform_by_fan_in(self.coefficient, self.bias, fan_in=4)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return total * self.coefficient[:, None, None] + self.bias[:, None, None]

    def multiplications(self, output: Sequence[int]) -> int:
        """One multiplication by the coefficient for each value of an output of this shape."""
        return torch.Size(output[1:]).numel()


class PartialConvolution(nn.Module):
    """A 5×5 convolution in which every output map sees only some input maps.

    Attributes:
        weight: One 5×5 kernel per connection of the table, in the table's order, (connections, 5, 5).
        bias: One value per output map.
    """

    connected: Tensor

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = len(table)
        places = [out * in_channels + channel for out, row in enumerate(table) for channel in row]
        self.register_buffer("connected", torch.tensor(places), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(places), 5, 5))
        self.bias = nn.Parameter(torch.empty(len(table)))
        first = 0
        for out, row in enumerate(table):
            kernels = self.weight[first : first + len(row)]
            _uniform_by_fan_in(kernels, self.bias[out], fan_in=25 * len(row))
            first += len(row)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H - 4, W - 4)."""
        kernels = self.weight.new_zeros(self.out_channels * self.in_channels, 5, 5)
        kernels = kernels.index_copy(0, self.connected, self.weight)
        return F.conv2d(x, kernels.view(self.out_channels, self.in_channels, 5, 5), self.bias)

    def multiplications(self, output: Sequence[int]) -> int:
        """Those of the existing connections; the arithmetic also multiplies by the absent ones' zeros."""
        return self.weight.numel() * output[-2] * output[-1]


class EuclideanRBF(nn.Module):
    """Euclidean radial basis function units with fixed centres; logits are minus the squared distances.

    The paper's output y_i is the squared distance of F6 to the code of class i (equation 7) and its class is
    the nearest code; with the sign turned, the largest logit wins, and cross entropy on these logits is the
    paper's discriminative criterion (equation 9) without its rubbish class j.
    """

    codes: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("codes", target_codes(num_classes))
        self.in_features = 84
        self.out_features = num_classes

    def forward(self, x: Tensor) -> Tensor:
        """(N, 84) to (N, num_classes)."""
        return -(x[:, None, :] - self.codes).square().sum(dim=2)

    def for_classes(self, num_classes: int) -> EuclideanRBF:
        """The same units for another number of classes."""
        return EuclideanRBF(num_classes)

    def multiplications(self, output: Sequence[int]) -> int:
        """One square for each value of each code."""
        return self.codes.numel()


def _uniform_by_fan_in(*tensors: Tensor, fan_in: int) -> None:
    """Uniform in ±2.4 / F, with F the inputs of a unit (appendix A)."""
    for tensor in tensors:
        nn.init.uniform_(tensor, -2.4 / fan_in, 2.4 / fan_in)


def _convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(in_channels, out_channels, 5)
    _uniform_by_fan_in(layer.weight, cast(Tensor, layer.bias), fan_in=25 * in_channels)
    return layer


def _dense(in_features: int, out_features: int) -> nn.Linear:
    layer = nn.Linear(in_features, out_features)
    _uniform_by_fan_in(layer.weight, layer.bias, fan_in=in_features)
    return layer


@register(
    "lenet5",
    source="LeCun et al. 1998, doi:10.1109/5.726791, section II.B",
    input_size=(1, 32, 32),
    fixed_size=True,
    summary="LeNet-5 as published: partial C3, trainable subsampling, RBF output",
)
def lenet5(*, num_classes: int = 10, in_channels: int = 1) -> ClassificationNetwork:
    """LeNet-5 as published: 60,000 trainable parameters; the table is at the top of this file.

    Departure: the target bitmaps are drawn after the paper's figure 3 (see `target_codes`).

    Args:
        num_classes: Number of output units.
        in_channels: Channels of the input; background -0.1 and ink 1.175 are the paper's values.
    """
    head: list[tuple[str, nn.Module]] = [
        ("flatten", nn.Flatten(1)),
        ("f6", _dense(120, 84)),
        ("squash", ScaledTanh()),
        ("out", EuclideanRBF(num_classes)),
    ]
    return ClassificationNetwork(
        {
            "c1": nn.Sequential(_convolution(in_channels, 6), ScaledTanh()),
            "s2": nn.Sequential(Subsampling(6), ScaledTanh()),
            "c3": nn.Sequential(PartialConvolution(6, C3_TABLE), ScaledTanh()),
            "s4": nn.Sequential(Subsampling(16), ScaledTanh()),
            "c5": nn.Sequential(_convolution(16, 120), ScaledTanh()),
        },
        nn.Sequential(OrderedDict(head)),
        in_channels=in_channels,
        strides=(1, 2, 2, 4, 4),
        out_channels=(6, 6, 16, 16, 120),
        size=(32, 32),
    )


@register(
    "lenet5_modern",
    source="after LeCun et al. 1998, doi:10.1109/5.726791, section II.B",
    input_size=(1, 32, 32),
    fixed_size=True,
    summary="LeNet-5 as it is usually copied: full C3, plain pooling, linear output",
)
def lenet5_modern(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    activation: Literal["relu", "tanh", "sigmoid"] = "relu",
    pooling: Literal["max", "average"] = "max",
) -> ClassificationNetwork:
    """LeNet-5's shape with today's layers: 61,706 parameters.

    Departures from the paper: C3 sees all of S2; pooling has no parameters; the output is linear; ReLU and
    max pooling by default; weights start as PyTorch's layers do.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        activation: Follows c1, c3, c5 and f6.
        pooling: What s2 and s4 do with each 2×2 window.
    """
    activations = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    poolings = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
    if activation not in activations or pooling not in poolings:
        raise ValueError(
            f"activation '{activation}' and pooling '{pooling}' came: expected {' or '.join(activations)}, "
            f"and {' or '.join(poolings)}"
        )
    squash, pool = activations[activation], poolings[pooling]
    head: list[tuple[str, nn.Module]] = [
        ("flatten", nn.Flatten(1)),
        ("f6", nn.Linear(120, 84)),
        ("squash", squash()),
        ("out", nn.Linear(84, num_classes)),
    ]
    return ClassificationNetwork(
        {
            "c1": nn.Sequential(nn.Conv2d(in_channels, 6, 5), squash()),  # (N, 6, 28, 28)
            "s2": pool(2),  # (N, 6, 14, 14)
            "c3": nn.Sequential(nn.Conv2d(6, 16, 5), squash()),  # (N, 16, 10, 10)
            "s4": pool(2),  # (N, 16, 5, 5)
            "c5": nn.Sequential(nn.Conv2d(16, 120, 5), squash()),  # (N, 120, 1, 1)
        },
        nn.Sequential(OrderedDict(head)),
        in_channels=in_channels,
        strides=(1, 2, 2, 4, 4),
        out_channels=(6, 6, 16, 16, 120),
        size=(32, 32),
    )


def connections(network: ClassificationNetwork) -> dict[str, int]:
    """The connections of each layer of `lenet5`, counted as the paper does; they sum to 340,908.

    Every input of every unit is one, and so is its bias; a subsampling unit has four inputs and a bias.
    """
    image = next(network.parameters()).new_zeros(1, network.in_channels, 32, 32)
    counts = {}
    for (name, output), stage in zip(network.forward_stages(image).items(), network.stages, strict=True):
        layer = cast(nn.Sequential, stage)[0]
        height, width = output.shape[2:]
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        per_place = 5 * output.shape[1] if isinstance(layer, Subsampling) else parameters
        counts[name] = per_place * height * width
    f6, out = cast(nn.Linear, network.head.f6), cast(EuclideanRBF, network.out)
    return counts | {"f6": f6.weight.numel() + f6.bias.numel(), "out": out.codes.numel()}
