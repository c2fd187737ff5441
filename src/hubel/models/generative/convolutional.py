"""Encoder and decoder of convolutions, each the other's mirror image: every stage halves, or doubles, height and width.

Masci et al. 2011, Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction,
doi:10.1007/978-3-642-21735-7_7; halving and doubling by strides as in Radford et al. 2016, arXiv:1511.06434. Why one
might enlarge first and convolve then: Odena et al. 2016, Deconvolution and Checkerboard Artifacts,
doi:10.23915/distill.00003.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from hubel.models.generative.dense import Activation, activation_layers
from hubel.models.generative.network import Layers, check_widths, height_and_width
from hubel.models.generative.tied import TiedConvTranspose2d, TiedLinear

Downsampling = Literal["strided", "pooled"]
Upsampling = Literal["transposed", "nearest", "bilinear"]

Named = list[tuple[str, nn.Module]]


def convolutional_stage(
    in_channels: int, out_channels: int, *, downsampling: Downsampling, batch_norm: bool, activation: Activation
) -> nn.Sequential:
    """From (N, in_channels, H, W) to (N, out_channels, H // 2, W // 2).

    Strided it is a 4×4 convolution; pooled a 3×3 one and a 2×2 max pooling.

    Raises:
        ValueError: The way of downsampling or the activation is unknown.
    """
    if downsampling not in get_args(Downsampling):
        raise ValueError(f"downsampling is '{downsampling}': expected {' or '.join(get_args(Downsampling))}")
    kernel, stride = (4, 2) if downsampling == "strided" else (3, 1)
    layers: Named = [("conv", nn.Conv2d(in_channels, out_channels, kernel, stride, padding=1, bias=not batch_norm))]
    layers += [("norm", nn.BatchNorm2d(out_channels))] if batch_norm else []
    layers += activation_layers(activation)
    layers += [("pool", nn.MaxPool2d(2))] if downsampling == "pooled" else []
    return nn.Sequential(OrderedDict(layers))


def doubling(
    in_channels: int,
    out_channels: int,
    to_size: tuple[int, int] | None,
    *,
    upsampling: Upsampling,
    bias: bool,
    name: str = "conv",
) -> Named:
    """Layers from (N, in_channels, h, w) to (N, out_channels, *to_size), which is twice h and w or one more.

    Args:
        in_channels: Of the coarse map.
        out_channels: Of the fine one.
        to_size: Of the fine one; None: exactly twice that of the coarse one, whatever it is.
        upsampling: `"transposed"`: a 4×4 convolution; else enlarge like that, and a 3×3 convolution.
        bias: Whether the convolution has one.
        name: Of the convolution.

    Raises:
        ValueError: The way of upsampling is unknown.
    """
    if upsampling == "transposed":
        rest = _rest(to_size)
        return [(name, nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, output_padding=rest, bias=bias))]
    if upsampling not in get_args(Upsampling):
        raise ValueError(f"upsampling is '{upsampling}': expected {', '.join(get_args(Upsampling))}")
    factor = None if to_size else 2
    return [
        ("enlarge", nn.Upsample(to_size, factor, mode=upsampling)),
        (name, nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)),
    ]


def _rest(to_size: tuple[int, int] | None) -> tuple[int, int]:
    """What halving a size has dropped, rows and columns."""
    return (to_size[0] % 2, to_size[1] % 2) if to_size else (0, 0)


def convolutional_layers(
    in_channels: int,
    size: int | tuple[int, int] | None,
    widths: Sequence[int],
    code_size: int | None,
    *,
    code_values: int | None = None,
    downsampling: Downsampling = "strided",
    upsampling: Upsampling = "transposed",
    batch_norm: bool = True,
    activation: Activation = "relu",
    code_activation: Activation = "linear",
    tied: bool = False,
) -> Layers:
    """Stages `down1`, ..., `code`, `expand`, ..., `up2` and a head, which is the last doubling.

    Args:
        in_channels: Channels of the pictures.
        size: Their side, or height and width; where no stage halves evenly, its mirror adds the missing row or column.
        widths: Channels of the encoder's maps, from the finest on; the decoder has them in reverse.
        code_size: Units of the code, a dense layer on the coarsest map. None: that map is the code, and the pictures
            may have any size that halves evenly.
        code_values: What the encoder puts out for each code, if not `code_size` values.
        downsampling: How a stage halves: `"strided"` or `"pooled"`.
        upsampling: How a stage doubles: `"transposed"`, `"nearest"` or `"bilinear"`.
        batch_norm: Whether BatchNorm follows every convolution but the last.
        activation: Follows every convolution but the last.
        code_activation: Follows the code.
        tied: Whether the decoder uses the encoder's weights, transposed.

    Raises:
        ValueError: A size or width does not fit, or an option is unknown.
    """
    widths = check_widths(tuple(widths), 1 if code_size is None else code_size)
    if not widths:
        raise ValueError("widths are empty: expected the channels of at least one convolution")
    if tied and (downsampling, upsampling) != ("strided", "transposed"):
        raise ValueError(
            f"tied weights came with a {downsampling} encoder and a {upsampling} decoder: expected strided and "
            "transposed, which have the same weights"
        )
    sizes = None if code_size is None or size is None else _sizes(height_and_width(size), len(widths))
    encoder: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (before, after) in enumerate(zip([in_channels, *widths], widths, strict=False), start=1):
        encoder[f"down{number}"] = convolutional_stage(
            before, after, downsampling=downsampling, batch_norm=batch_norm, activation=activation
        )
    convolutions = [stage.get_submodule("conv") for stage in encoder.values()]

    def back(level: int, *, bias: bool, name: str) -> Named:
        """Layers from the map of a level to the next finer one."""
        finer = sizes[level - 1] if sizes else None
        convolution = convolutions[level - 1]
        if tied:
            assert isinstance(convolution, nn.Conv2d)
            return [(name, TiedConvTranspose2d(convolution, _rest(finer), bias=bias))]
        channels = [in_channels, *widths]
        return doubling(channels[level], channels[level - 1], finer, upsampling=upsampling, bias=bias, name=name)

    decoder: OrderedDict[str, nn.Module] = OrderedDict()
    code_shape, outputs = (widths[-1],), [*widths]
    strides = [2**level for level in range(1, len(widths) + 1)]
    if sizes is not None:
        assert code_size is not None
        coarsest = (widths[-1], *sizes[-1])
        code, expand = _dense_code(coarsest, code_size, code_values or code_size, code_activation, tied)
        expand += [("norm", nn.BatchNorm2d(widths[-1]))] if batch_norm else []
        encoder["code"] = nn.Sequential(OrderedDict(code))
        decoder["expand"] = nn.Sequential(OrderedDict([*expand, *activation_layers(activation)]))
        code_shape = (code_size,)
        outputs += [code_values or code_size, widths[-1]]
        strides += [max(sizes[0]), strides[-1]]
    for level in range(len(widths), 1, -1):
        finer_channels = widths[level - 2]
        layers = back(level, bias=not batch_norm, name="conv")
        layers += [("norm", nn.BatchNorm2d(finer_channels))] if batch_norm else []
        decoder[f"up{level}"] = nn.Sequential(OrderedDict([*layers, *activation_layers(activation)]))
        outputs.append(finer_channels)
        strides.append(2 ** (level - 1))
    head = nn.Sequential(OrderedDict(back(1, bias=True, name="out")))
    return Layers(encoder, decoder, head, tuple(strides), tuple(outputs), code_shape)


def _dense_code(
    coarsest: tuple[int, int, int], code_size: int, code_values: int, code_activation: Activation, tied: bool
) -> tuple[Named, Named]:
    """The dense layer from the coarsest map to the code, and the one back."""
    places = coarsest[0] * coarsest[1] * coarsest[2]
    dense = nn.Linear(places, code_values)
    code: Named = [("flatten", nn.Flatten(1)), ("dense", dense), *activation_layers(code_activation)]
    expand: Named = [("dense", TiedLinear(dense) if tied else nn.Linear(code_size, places))]
    return code, [*expand, ("map", nn.Unflatten(1, coarsest))]


def _sizes(size: tuple[int, int], halvings: int) -> list[tuple[int, int]]:
    """The size of the picture, and those of the maps, each half of the one before, rounded down.

    Raises:
        ValueError: The picture is too small to be halved so often.
    """
    if min(size) < 2**halvings:
        least = 2**halvings
        raise ValueError(
            f"size is {size[0]}×{size[1]} and widths are {halvings}: each width halves the picture, so expected "
            f"a size of at least {least}×{least}, or fewer widths"
        )
    return [(size[0] // 2**level, size[1] // 2**level) for level in range(halvings + 1)]
