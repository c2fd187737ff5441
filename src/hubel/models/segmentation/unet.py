"""U-Net: a path that contracts, one that expands, and a bridge between them at every resolution.

O. Ronneberger, P. Fischer, T. Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015,
arXiv:1505.04597.

Figure 1 of the paper, for one channel and an input of 572×572; every 3×3 convolution is unpadded and has a ReLU:

| stage | layers | map |
| --- | --- | --- |
| `down1` | 3×3 64 twice | (N, 64, 568, 568) |
| `down2` | max pool 2×2, 3×3 128 twice | (N, 128, 280, 280) |
| `down3` | max pool 2×2, 3×3 256 twice | (N, 256, 136, 136) |
| `down4` | max pool 2×2, 3×3 512 twice, dropout | (N, 512, 64, 64) |
| `down5` | max pool 2×2, 3×3 1024 twice, dropout | (N, 1024, 28, 28) |
| `up4` | up-convolution 512, beside the middle 56×56 of `down4`, 3×3 512 twice | (N, 512, 52, 52) |
| `up3` | up-convolution 256, beside the middle 104×104 of `down3`, 3×3 256 twice | (N, 256, 100, 100) |
| `up2` | up-convolution 128, beside the middle 200×200 of `down2`, 3×3 128 twice | (N, 128, 196, 196) |
| `up1` | up-convolution 64, beside the middle 392×392 of `down1`, 3×3 64 twice | (N, 64, 388, 388) |
| `head` | 1×1 to the classes | (N, num_classes, 388, 388) |

An up-convolution is a transposed convolution 2×2 with stride 2 that halves the channels. Heights and widths must be
16 n + 12, so that every pool meets an even size (section 3), and the logits are those of the input without 92 pixels
on each side.

Variants: `padded=True` pads every 3×3 by one pixel, which keeps the size; any size is taken. `batch_norm=True`
normalises behind every 3×3. `upsampling="bilinear"` enlarges by interpolation, after a 1×1 convolution that halves the
channels (it commutes with the interpolation and costs a quarter before it). The paper says that dropout ends the
contracting path, but neither where nor how much: here it follows the last ReLU of the two deepest stages, at 0.5.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, TypedDict, Unpack, get_args

import torch
from torch import Tensor, nn

from hubel.models.registry import register
from hubel.models.segmentation.network import SegmentationNetwork, centred, pixel_classifier
from hubel.nn import kaiming_normal_convolutions

Upsampling = Literal["transposed", "bilinear"]

SOURCE = "Ronneberger et al. 2015, arXiv:1505.04597, figure 1"

DEPTH = 5  # resolutions of figure 1


def double_convolution(
    in_channels: int, out_channels: int, *, padded: bool, batch_norm: bool
) -> OrderedDict[str, nn.Module]:
    """Two 3×3 convolutions, each with its ReLU; where it is normalised, a bias would be in vain."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, channels in ((1, in_channels), (2, out_channels)):
        layers[f"conv{number}"] = nn.Conv2d(channels, out_channels, 3, padding=int(padded), bias=not batch_norm)
        if batch_norm:
            layers[f"norm{number}"] = nn.BatchNorm2d(out_channels)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
    return layers


def upsampler(in_channels: int, out_channels: int, factor: int, upsampling: Upsampling) -> nn.Module:
    """From (N, in_channels, H, W) to (N, out_channels, factor H, factor W).

    Raises:
        ValueError: The way of upsampling is unknown.
    """
    if upsampling == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, factor, stride=factor)
    if upsampling == "bilinear":
        layers: list[tuple[str, nn.Module]] = [
            ("conv", nn.Conv2d(in_channels, out_channels, 1)),
            ("enlarge", nn.Upsample(scale_factor=factor, mode="bilinear")),
        ]
        return nn.Sequential(OrderedDict(layers))
    raise ValueError(f"upsampling is '{upsampling}': expected {' or '.join(get_args(Upsampling))}")


class UpStage(nn.Module):
    """A step of the expanding path: enlarge, put the map of the contracting path beside it, convolve twice.

    Args:
        in_channels: Of the coarse map.
        skip_channels: Of the map beside it; 0: there is none.
        out_channels: Of the result, and of the enlarged map.
        factor: How many times the coarse map is enlarged.
        upsampling: How.
        padded: Whether the convolutions keep the size. The larger of two maps that differ is cut to its middle if not,
            and the enlarged one fitted if so.
        batch_norm: Whether BatchNorm follows the convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        *,
        factor: int = 2,
        upsampling: Upsampling,
        padded: bool,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        self.padded = padded
        self.up = upsampler(in_channels, out_channels, factor, upsampling)
        self.convolutions = nn.Sequential(
            double_convolution(out_channels + skip_channels, out_channels, padded=padded, batch_norm=batch_norm)
        )

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """(N, in_channels, H, W), beside (N, skip_channels, about factor H, factor W), to (N, out_channels, ...)."""
        x = self.up(x)  # (N, out_channels, factor H, factor W)
        if skip is not None:
            if self.padded:
                x = centred(x, skip.shape[2:])
            else:
                skip = centred(skip, x.shape[2:])
            x = torch.cat([skip, x], dim=1)
        return self.convolutions(x)  # type: ignore[no-any-return]


def draw_weights(network: nn.Module) -> None:
    """Start as in section 3 of the paper: normal of variance 2 / N for N values that come into one; biases 0.

    That is k² C_in for a convolution and C_in for an up-convolution, whose windows do not overlap.
    """
    kaiming_normal_convolutions(network)
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=(2 / module.in_channels) ** 0.5)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


class UNet(SegmentationNetwork):
    """The network of figure 1.

    Args:
        num_classes: Number of logits of a pixel.
        in_channels: Channels of the input.
        padded: Whether the 3×3 convolutions keep the size.
        upsampling: `"transposed"`, the paper's up-convolution, or `"bilinear"`.
        batch_norm: Whether BatchNorm follows every 3×3 convolution.
        width: Channels of the first stage, 64 in the paper; the others have multiples of it.
        dropout: Probability to drop a value behind each of the two deepest stages.

    Raises:
        ValueError: The way of upsampling is unknown.
    """

    def __init__(
        self,
        *,
        num_classes: int = 2,
        in_channels: int = 1,
        padded: bool = False,
        upsampling: Upsampling = "transposed",
        batch_norm: bool = False,
        width: int = 64,
        dropout: float = 0.5,
    ) -> None:
        widths = [width * 2**level for level in range(DEPTH)]
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for level, (before, after) in enumerate(zip([in_channels, *widths], widths, strict=False)):
            layers = double_convolution(before, after, padded=padded, batch_norm=batch_norm)
            if level > 0:
                layers["pool"] = nn.MaxPool2d(2)
                layers.move_to_end("pool", last=False)
            if level >= DEPTH - 2:
                layers["drop"] = nn.Dropout(dropout)
            stages[f"down{level + 1}"] = nn.Sequential(layers)
        for level in reversed(range(DEPTH - 1)):
            stages[f"up{level + 1}"] = UpStage(
                *(widths[level + 1], widths[level], widths[level]),
                upsampling=upsampling,
                padded=padded,
                batch_norm=batch_norm,
            )
        levels = [*range(DEPTH), *reversed(range(DEPTH - 1))]
        deepest = 2 ** (DEPTH - 1)
        super().__init__(
            stages,
            pixel_classifier(width, num_classes),
            in_channels=in_channels,
            strides=[2**level for level in levels],
            out_channels=[widths[level] for level in levels],
            smallest=deepest if padded else 188,  # 188 pixels become 4×4 in the deepest stage and in all of the way up
            margin=0 if padded else 92,
            remainder=None if padded else 12,
            sees_borders=padded or upsampling == "bilinear",  # interpolation repeats what lies at the border
        )
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images (N, in_channels, H, W): of 572×572, (N, num_classes, 388, 388); padded, (..., H, W)."""
        self.check_input(x)
        skips: list[Tensor] = []
        for level in range(1, DEPTH + 1):
            x = self.stages[f"down{level}"](x)
            skips.append(x)
        skips.pop()
        for level in range(DEPTH - 1, 0, -1):
            x = self.stages[f"up{level}"](x, skips.pop())
        return self.head(x)  # type: ignore[no-any-return]


class Options(TypedDict, total=False):
    """What the builder takes; see `UNet`."""

    num_classes: int
    in_channels: int
    padded: bool
    upsampling: Upsampling
    batch_norm: bool
    width: int
    dropout: float


@register(
    "unet",
    source=SOURCE,
    input_size=(1, 572, 572),
    summary="contracting and expanding path, joined at every resolution; valid convolutions",
    task="segmentation",
)
def unet(**options: Unpack[Options]) -> UNet:
    """U-Net as published: 31,030,658 parameters for one channel and two classes."""
    return UNet(**options)
