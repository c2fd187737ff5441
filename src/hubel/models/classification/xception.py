"""Xception, for inputs of about 299×299: depthwise separable convolutions and residual shortcuts.

F. Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2016, arXiv:1610.02357.

Figure 5 of the paper, for an input of 299×299; the middle flow, which has one size, is one stage:

| flow | stage | map | layers | shortcut |
| --- | --- | --- | --- | --- |
| entry | `entry_conv` | (N, 64, 147, 147) | 3×3, 32, stride 2; 3×3, 64 | none |
| | `entry_block1` | (N, 128, 74, 74) | 2 separable, max pool | 1×1, stride 2 |
| | `entry_block2` | (N, 256, 37, 37) | 2 separable, max pool | 1×1, stride 2 |
| | `entry_block3` | (N, 728, 19, 19) | 2 separable, max pool | 1×1, stride 2 |
| middle | `middle` | (N, 728, 19, 19) | 8 blocks of 3 separable | identity |
| exit | `exit_block` | (N, 1024, 10, 10) | 2 separable, max pool | 1×1, stride 2 |
| | `exit_conv` | (N, 2048, 10, 10) | separable, 1536; separable, 2048 | none |
| | `head` | (N, num_classes) | average pool, dropout 0.5, linear | |

Every convolution is followed by BatchNorm, a separable one after its 1×1. ReLU is where the figure has it: in a block
before each separable convolution, elsewhere after BatchNorm. The first two convolutions have no padding.

Variant: timm's `legacy_xception`, whose weights are those of Keras. The fully connected layers that figure 5 calls
optional are left out, as in both; so the parameters are the 22,855,952 of table 3. As in timm, and unlike Keras,
BatchNorm adds 1e-5 to the variance (Keras: 1e-3), its momentum is 0.1 (Keras: 0.01), and max pooling pads a map of even
size on all sides (Keras: below and on the right only), which moves the windows of `entry_block2` by a pixel. The
dropout of 0.5 is the paper's (section 4.3); Keras and timm have none.

The paper does not say how weights start; convolutions start normal with variance 2 / (k² C_out), as in timm.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import DepthwiseSeparableConv2d, pooled_linear_head


def separable_convolution(in_channels: int, out_channels: int) -> DepthwiseSeparableConv2d:
    """A 3×3 convolution of each channel by itself, then a 1×1 convolution across channels; the map keeps its size.

    Between the two there is neither BatchNorm nor an activation, which section 4.7 finds better than ReLU or ELU.
    """
    return DepthwiseSeparableConv2d(in_channels, out_channels, 3, padding=1)


def projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """The shortcut to a map of half the height and width: a 1×1 convolution of stride 2, BatchNorm."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(in_channels, out_channels, 1, stride=2, bias=False)),
        ("norm", nn.BatchNorm2d(out_channels)),
    ]
    return nn.Sequential(OrderedDict(layers))


class Block(nn.Module):
    """Separable convolutions beside a shortcut (figure 5); there is no ReLU after the addition.

    Args:
        in_channels: Channels of the input.
        widths: Channels after each separable convolution.
        halve: End with max pooling of stride 2 and have a projection as the shortcut; else the shortcut is the
            identity, and the last width must be `in_channels`.
        relu_first: Whether ReLU precedes the first separable convolution, too.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], *, halve: bool = True, relu_first: bool = True) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = in_channels
        for number, width in enumerate(widths, start=1):
            if number > 1 or relu_first:
                layers[f"relu{number}"] = nn.ReLU(inplace=number > 1)  # the shortcut needs what came
            layers[f"separable{number}"] = separable_convolution(channels, width)
            layers[f"norm{number}"] = nn.BatchNorm2d(width)
            channels = width
        if halve:
            layers["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.Sequential(layers)
        self.shortcut = projection(in_channels, channels) if halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, ⌈H / 2⌉, ⌈W / 2⌉), or where it does not halve to the same shape."""
        out: Tensor = self.layers(x)
        out += self.shortcut(x)
        return out


def entry_convolutions(in_channels: int) -> nn.Sequential:
    """The two plain convolutions of the entry flow."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(in_channels, 32, 3, stride=2, bias=False)),  # (N, 32, 149, 149)
        ("norm1", nn.BatchNorm2d(32)),
        ("relu1", nn.ReLU(inplace=True)),
        ("conv2", nn.Conv2d(32, 64, 3, bias=False)),  # (N, 64, 147, 147)
        ("norm2", nn.BatchNorm2d(64)),
        ("relu2", nn.ReLU(inplace=True)),
    ]
    return nn.Sequential(OrderedDict(layers))


def exit_convolutions() -> nn.Sequential:
    """The last two separable convolutions of the exit flow."""
    layers: list[tuple[str, nn.Module]] = [
        ("separable1", separable_convolution(1024, 1536)),  # (N, 1536, 10, 10)
        ("norm1", nn.BatchNorm2d(1536)),
        ("relu1", nn.ReLU(inplace=True)),
        ("separable2", separable_convolution(1536, 2048)),  # (N, 2048, 10, 10)
        ("norm2", nn.BatchNorm2d(2048)),
        ("relu2", nn.ReLU(inplace=True)),
    ]
    return nn.Sequential(OrderedDict(layers))


class Xception(ClassificationNetwork):
    """The network of figure 5.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        dropout: What share of the pooled values is dropped in training.

    Raises:
        ValueError: `dropout` is no probability below 1.
    """

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        middle: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(1, 9):
            middle[f"block{number}"] = Block(728, (728, 728, 728), halve=False)
        super().__init__(
            {
                "entry_conv": entry_convolutions(in_channels),
                "entry_block1": Block(64, (128, 128), relu_first=False),
                "entry_block2": Block(128, (256, 256)),
                "entry_block3": Block(256, (728, 728)),
                "middle": nn.Sequential(middle),
                "exit_block": Block(728, (728, 1024)),
                "exit_conv": exit_convolutions(),
            },
            pooled_linear_head(2048, num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 16, 32, 32),
            out_channels=(64, 128, 256, 728, 728, 1024, 2048),
            smallest=7,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@register(
    "xception",
    source="Chollet 2016, arXiv:1610.02357, figure 5",
    input_size=(3, 299, 299),
    summary="34 depthwise separable convolutions, 12 residual blocks",
)
def xception(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> Xception:
    """Xception: 22,855,952 parameters; see `Xception`."""
    return Xception(num_classes=num_classes, in_channels=in_channels, dropout=dropout)
