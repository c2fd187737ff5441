"""ResNet, and the plain networks beside it, for inputs of about 224×224.

K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385.

Table 1 of the paper, for an input of 224×224; conv2 to conv5 are stages of residual blocks:

| stage | map | 18 | 34 | 50 | 101 | 152 |
| --- | --- | --- | --- | --- | --- | --- |
| `conv1` | (N, 64, 112, 112) | 7×7, 64, stride 2 | the same | the same | the same | the same |
| `conv2` | (N, 64 or 256, 56, 56) | max pool, 2 blocks | 3 | 3 | 3 | 3 |
| `conv3` | (N, 128 or 512, 28, 28) | 2 blocks | 4 | 4 | 4 | 8 |
| `conv4` | (N, 256 or 1024, 14, 14) | 2 blocks | 6 | 6 | 23 | 36 |
| `conv5` | (N, 512 or 2048, 7, 7) | 2 blocks | 3 | 3 | 3 | 3 |
| `head` | (N, num_classes) | average pool, linear | the same | the same | the same | the same |

ResNet-18 and 34 have basic blocks (two 3×3), the others bottlenecks (1×1, 3×3, 1×1; the last one four times
as wide). The plain networks of 18 and 34 layers (figure 3, middle; table 2) are these two without shortcuts.

Variant: where a bottleneck halves the map, the 3×3 convolution has the stride, as in torchvision and in
github.com/facebookarchive/fb.resnet.torch, not the first 1×1 as in the paper; `stride_on="1x1"` is the
paper's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions, pooled_linear_head

ShortcutOption = Literal["A", "B", "C"]
StrideOn = Literal["3x3", "1x1"]

SOURCE = "He et al. 2015, arXiv:1512.03385, table 1"
PLAIN_SOURCE = "He et al. 2015, arXiv:1512.03385, figure 3 and table 2"


class ZeroPadding(nn.Module):
    """The identity to a smaller, wider map (option A): every `stride`-th pixel, the new channels zero.

    The paper does not say which channels are the new ones; half of them come before and half after the old
    ones, as in github.com/akamaster/pytorch_resnet_cifar10, whose published weights so fit.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, ⌈H / stride⌉, ⌈W / stride⌉)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def shortcut_connection(
    in_channels: int, out_channels: int, stride: int, option: ShortcutOption | None
) -> nn.Module | None:
    """The shortcut of a block (section 3.3 and "Identity vs. Projection Shortcuts" in 4.1).

    Args:
        in_channels: Channels of the block's input.
        out_channels: Channels of the block's output.
        stride: The block's stride.
        option: `"A"`: identity, zero-padded where the shape changes; `"B"`: identity, a projection where the
            shape changes; `"C"`: a projection always; None: there is no shortcut.
    """
    if option is None:
        return None
    same_shape = stride == 1 and in_channels == out_channels
    if same_shape and option != "C":
        return nn.Identity()
    if option == "A":
        return ZeroPadding(in_channels, out_channels, stride)
    projection: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)),
        ("norm", nn.BatchNorm2d(out_channels)),
    ]
    return nn.Sequential(OrderedDict(projection))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, added before the second ReLU (figures 2 and 5, left).

    Without a shortcut they are two layers of a plain network.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        *,
        shortcut: ShortcutOption | None,
        stride_on: StrideOn = "3x3",
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut_connection(in_channels, width, stride, shortcut)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation just before the addition."""
        return self.norm2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, width, H / stride, W / stride)."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (N, width, H / stride, W / stride)
        out = self.norm2(self.conv2(out))
        if self.shortcut is not None:
            out += self.shortcut(x)
        return F.relu(out, inplace=True)


class Bottleneck(nn.Module):
    """1×1 to fewer channels, 3×3, 1×1 to four times as many, beside a shortcut (figure 5, right)."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        *,
        shortcut: ShortcutOption | None,
        stride_on: StrideOn = "3x3",
    ) -> None:
        super().__init__()
        stride1, stride2 = (stride, 1) if stride_on == "1x1" else (1, stride)
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride=stride1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut_connection(in_channels, out_channels, stride, shortcut)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation just before the addition."""
        return self.norm3

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, 4 width, H / stride, W / stride)."""
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (N, width, H, W), stride on the 3×3
        out = F.relu(self.norm2(self.conv2(out)), inplace=True)  # (N, width, H / stride, W / stride)
        out = self.norm3(self.conv3(out))  # (N, 4 width, H / stride, W / stride)
        if self.shortcut is not None:
            out += self.shortcut(x)
        return F.relu(out, inplace=True)


Block = type[BasicBlock] | type[Bottleneck]


def residual_blocks(
    block: Block,
    count: int,
    in_channels: int,
    width: int,
    stride: int,
    shortcut: ShortcutOption | None,
    stride_on: StrideOn,
) -> OrderedDict[str, nn.Module]:
    """The blocks of one stage by name, `block1` and on; the first one has the stride."""
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(count):
        blocks[f"block{index + 1}"] = block(
            in_channels, width, stride if index == 0 else 1, shortcut=shortcut, stride_on=stride_on
        )
        in_channels = width * block.expansion
    return blocks


class ResNet(ClassificationNetwork):
    """The network of table 1; convolutions start as He et al. 2015 (arXiv:1502.01852) draw them.

    Args:
        block: The residual block.
        counts: How many blocks conv2, conv3, conv4 and conv5 have.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        shortcut: Option A, B or C, see `shortcut_connection`; the paper's table 1 and every published weight
            is B. None makes the network plain.
        stride_on: Which convolution of a bottleneck has the stride; `"1x1"` is the paper's. Basic blocks have
            no choice.
        zero_init_residual: Start the last normalisation of every block at 0, so that it begins as the
            identity (Goyal et al. 2017, arXiv:1706.02677, section 5.1).

    Raises:
        ValueError: An option is unknown, or blocks without shortcuts should start as the identity.
    """

    def __init__(
        self,
        block: Block,
        counts: Sequence[int],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        shortcut: ShortcutOption | None = "B",
        stride_on: StrideOn = "3x3",
        zero_init_residual: bool = False,
    ) -> None:
        check_shortcut(shortcut, zero_init_residual)
        check_option("stride_on", stride_on, get_args(StrideOn))
        stem: list[tuple[str, nn.Module]] = [
            ("conv", nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)),
            ("norm", nn.BatchNorm2d(64)),
            ("relu", nn.ReLU(inplace=True)),
        ]
        stages = {"conv1": nn.Sequential(OrderedDict(stem))}
        channels = [64]
        for number, (count, width) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), start=2):
            blocks = residual_blocks(block, count, channels[-1], width, 1 if number == 2 else 2, shortcut, stride_on)
            if number == 2:
                blocks["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
                blocks.move_to_end("pool", last=False)
            stages[f"conv{number}"] = nn.Sequential(blocks)
            channels.append(width * block.expansion)
        super().__init__(
            stages,
            pooled_linear_head(channels[-1], num_classes),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32),
            out_channels=channels,
        )
        kaiming_normal_convolutions(self)
        if zero_init_residual:
            zero_last_norms(self)


def zero_last_norms(network: nn.Module) -> None:
    """Set the weight of the last normalisation of every residual block to 0."""
    for module in network.modules():
        if isinstance(module, BasicBlock | Bottleneck):
            nn.init.zeros_(module.last_norm.weight)


def check_option(name: str, value: str, accepted: Sequence[str]) -> None:
    """Raise a ValueError that names the value and the accepted ones."""
    if value not in accepted:
        raise ValueError(f"{name} is '{value}': expected {' or '.join(accepted)}")


def check_shortcut(shortcut: ShortcutOption | None, zero_init_residual: bool) -> None:
    """Raise a ValueError where the shortcut is unknown, or absent although a block shall start as one."""
    if shortcut is not None:
        check_option("shortcut", shortcut, get_args(ShortcutOption))
    elif zero_init_residual:
        raise ValueError("zero_init_residual is True, but shortcut is None: a plain block cannot start as the identity")


class PlainOptions(TypedDict, total=False):
    """What the builders of plain networks take; see `ResNet`."""

    num_classes: int
    in_channels: int


class Options(PlainOptions, total=False):
    """What the builders of residual networks take; see `ResNet`."""

    shortcut: ShortcutOption | None
    stride_on: StrideOn
    zero_init_residual: bool


@register("resnet18", source=SOURCE, input_size=(3, 224, 224), summary="8 basic residual blocks")
def resnet18(**options: Unpack[Options]) -> ResNet:
    """ResNet-18: 11,689,512 parameters."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


@register("resnet34", source=SOURCE, input_size=(3, 224, 224), summary="16 basic residual blocks")
def resnet34(**options: Unpack[Options]) -> ResNet:
    """ResNet-34: 21,797,672 parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


@register("resnet50", source=SOURCE, input_size=(3, 224, 224), summary="16 residual bottlenecks")
def resnet50(**options: Unpack[Options]) -> ResNet:
    """ResNet-50: 25,557,032 parameters."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


@register("resnet101", source=SOURCE, input_size=(3, 224, 224), summary="33 residual bottlenecks")
def resnet101(**options: Unpack[Options]) -> ResNet:
    """ResNet-101: 44,549,160 parameters."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


@register("resnet152", source=SOURCE, input_size=(3, 224, 224), summary="50 residual bottlenecks")
def resnet152(**options: Unpack[Options]) -> ResNet:
    """ResNet-152: 60,192,808 parameters."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)


@register("plain18", source=PLAIN_SOURCE, input_size=(3, 224, 224), summary="ResNet-18 without its shortcuts")
def plain18(**options: Unpack[PlainOptions]) -> ResNet:
    """The plain network of 18 layers: 11,515,688 parameters, those of ResNet-18 without its projections."""
    return ResNet(BasicBlock, (2, 2, 2, 2), shortcut=None, **options)


@register("plain34", source=PLAIN_SOURCE, input_size=(3, 224, 224), summary="ResNet-34 without its shortcuts")
def plain34(**options: Unpack[PlainOptions]) -> ResNet:
    """The plain network of 34 layers: 21,623,848 parameters, those of ResNet-34 without its projections."""
    return ResNet(BasicBlock, (3, 4, 6, 3), shortcut=None, **options)
