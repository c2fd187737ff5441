"""Autoencoders: a network that learns to give back what it was given, through a code that is too small to copy it.

| name | encoder | code | decoder |
| --- | --- | --- | --- |
| `autoencoder` | dense 1000, 500, 250 | dense 30 | dense 250, 500, 1000, picture |
| `conv_autoencoder` | 4×4 convolutions 32, 64, 128, each /2 | dense 64 | dense, 4×4 transposed 64, 32, picture |

`autoencoder` is the network that Hinton and Salakhutdinov 2006 (doi:10.1126/science.1127647, supporting text) trained
on handwritten digits. Departures: units are ReLUs, not logistic ones, which is why nothing has to be pretrained layer
by layer; weights start as PyTorch's layers do.

`conv_autoencoder` follows Masci et al. 2011 (doi:10.1007/978-3-642-21735-7_7), whose encoder is
`downsampling="pooled"`, `batch_norm=False`, `activation="tanh"`; strides instead of pooling, BatchNorm and ReLU are
what is used today.

Against the trivial copy there is, beside the small code, noise on the input (`noise`, `input_dropout`: Vincent et al.
2010, JMLR 11), which acts in training alone; sparsity of the code, which is the loss's matter
(`hubel.tasks.generative.sparsity`); and tied weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from hubel.models.generative.convolutional import Downsampling, Upsampling, convolutional_layers
from hubel.models.generative.dense import Activation, dense_layers
from hubel.models.generative.network import (
    AutoencodingNetwork,
    Layers,
    Output,
    height_and_width,
)
from hubel.models.network import LogitsWithAux
from hubel.models.registry import register
from hubel.nn import GaussianNoise


class Autoencoder(AutoencodingNetwork):
    """An autoencoder whose code is a row of numbers, or a map.

    A plain autoencoder knows no distribution of its codes. `fit_codes` takes one from the codes of pictures. Before it
    is called, `sample` draws codes from a standard normal distribution, which the decoder has never seen.

    Args:
        layers: The encoder and the decoder.
        in_channels: As for `AutoencodingNetwork`, and so are `size` and `output`.
        size: See there.
        output: See there.
        noise: Standard deviation of normal noise on the input in training, of a range of 1.
        input_dropout: Probability to black out a value of the input in training; the others are scaled up.
        code_components: Of the distribution of codes; see `AutoencodingNetwork`. Of a code that is a map there is none.

    Raises:
        ValueError: An option is out of its range.
    """

    def __init__(
        self,
        layers: Layers,
        *,
        in_channels: int,
        size: tuple[int, int] | None,
        output: Output = "sigmoid",
        noise: float = 0.0,
        input_dropout: float = 0.0,
        code_components: int = 1,
    ) -> None:
        components = 0 if size is None else code_components
        super().__init__(layers, in_channels=in_channels, size=size, output=output, code_components=components)
        if not 0 <= input_dropout < 1:
            raise ValueError(f"input_dropout is {input_dropout}: expected a probability of at least 0 and below 1")
        self.corruption = nn.Sequential(OrderedDict(noise=GaussianNoise(noise), dropout=nn.Dropout(input_dropout)))

    def forward(self, x: Tensor) -> Tensor:
        """Raw values (N, in_channels, H, W) of the reconstruction; in training, of one from a corrupted input.

        Raises:
            ValueError: The pictures have another number of channels, or a size that the network cannot take.
        """
        self.check_input(x)
        return self.outputs(self.encoded(self.corruption(x)))

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """The raw values in the place of logits, and no auxiliary heads."""
        return LogitsWithAux(self(x), {})

    def encode(self, x: Tensor) -> Tensor:
        """The codes of pictures as they are, without noise."""
        self.check_input(x)
        return self.encoded(x)

    def sample_codes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (count, code_size) from the distribution of `fit_codes`.

        Raises:
            ValueError: The code is a map, or the network was built without a distribution.
        """
        if self.code_distribution is None:
            raise ValueError(
                "there is no distribution of codes to sample from: give the network a code_size and code_components"
            )
        return self.code_distribution.draw(count, generator)


class Options(TypedDict, total=False):
    """What both builders below hand on; see `Autoencoder`."""

    output: Output
    noise: float
    input_dropout: float
    code_components: int


@register(
    "autoencoder",
    source="Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647, supporting text",
    input_size=(1, 28, 28),
    fixed_size=True,
    summary="dense encoder 1000, 500, 250, code of 30, and its mirror image",
    task="reconstruction",
)
def autoencoder(
    *,
    in_channels: int = 1,
    size: int | tuple[int, int] = 28,
    widths: Sequence[int] = (1000, 500, 250),
    code_size: int = 30,
    activation: Activation = "relu",
    code_activation: Activation = "linear",
    tied: bool = False,
    **options: Unpack[Options],
) -> Autoencoder:
    """A deep symmetric autoencoder of dense layers: 2,837,314 parameters for 28×28 grey pictures.

    With `widths=()`, `output="linear"` it is linear, and its code spans the pictures' principal components (Baldi and
    Hornik 1989, doi:10.1016/0893-6080(89)90014-2).

    Args:
        in_channels: Channels of the pictures.
        size: Their side, or height and width.
        widths: Units of the encoder's hidden layers, from the picture on.
        code_size: Units of the code.
        activation: Of the hidden layers: relu, selu, tanh, sigmoid or linear.
        code_activation: Of the code.
        tied: Whether the decoder uses the encoder's weights, transposed.
        options: See `Options`.
    """
    sides = height_and_width(size)
    layers = dense_layers(
        (in_channels, *sides),
        widths,
        code_size,
        activation=activation,
        code_activation=code_activation,
        tied=tied,
    )
    return Autoencoder(layers, in_channels=in_channels, size=sides, **options)


@register(
    "conv_autoencoder",
    source="after Masci et al. 2011, doi:10.1007/978-3-642-21735-7_7",
    input_size=(3, 32, 32),
    fixed_size=True,
    summary="strided or pooled convolutions 32, 64, 128, code of 64, and their mirror image",
    task="reconstruction",
)
def conv_autoencoder(
    *,
    in_channels: int = 3,
    size: int | tuple[int, int] = 32,
    widths: Sequence[int] = (32, 64, 128),
    code_size: int | None = 64,
    downsampling: Downsampling = "strided",
    upsampling: Upsampling = "transposed",
    batch_norm: bool = True,
    activation: Activation = "relu",
    code_activation: Activation = "linear",
    tied: bool = False,
    **options: Unpack[Options],
) -> Autoencoder:
    """A convolutional autoencoder: 595,907 parameters for 32×32 colour pictures.

    Args:
        in_channels: Channels of the pictures.
        size: Their side, or height and width, of at least 2 to the number of widths.
        widths: Channels of the encoder's maps, each half as high and wide as the one before.
        code_size: Units of the code. None: the coarsest map is the code, and pictures may have any size that can be
            halved as often as there are widths.
        downsampling: `"strided"` or `"pooled"`.
        upsampling: `"transposed"`, `"nearest"` or `"bilinear"`.
        batch_norm: Whether BatchNorm follows every convolution but the last.
        activation: As for `autoencoder`, and so are the others.
        code_activation: See there.
        tied: See there; for a strided encoder and a transposed decoder.
        options: See `Options`.
    """
    layers = convolutional_layers(
        in_channels,
        size,
        widths,
        code_size,
        downsampling=downsampling,
        upsampling=upsampling,
        batch_norm=batch_norm,
        activation=activation,
        code_activation=code_activation,
        tied=tied,
    )
    fixed = None if code_size is None else height_and_width(size)
    return Autoencoder(layers, in_channels=in_channels, size=fixed, **options)
