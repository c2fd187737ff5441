"""What every network has that encodes pictures and decodes codes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from hubel.models.evaluating import evaluating
from hubel.models.generative.code_distribution import CodeDistribution
from hubel.models.network import LogitsWithAux, check_images

Output = Literal["sigmoid", "linear"]

_DECODED_AT_ONCE = 256  # pictures of a sample, so that thousands need no more memory than a batch


class Layers(NamedTuple):
    """An encoder and a decoder that fit each other.

    Attributes:
        encoder: Stages by name, the last of which ends in the code.
        decoder: Stages by name, from the code on.
        head: Its layer `out` makes the picture's raw values.
        strides: Per stage of the encoder and then the decoder, how many input pixels one step in its map is; the
            whole side where a stage has no map.
        out_channels: Likewise, the channels (or values) that it puts out.
        code_shape: Of one picture's code.
    """

    encoder: Mapping[str, nn.Module]
    decoder: Mapping[str, nn.Module]
    head: nn.Module
    strides: tuple[int, ...]
    out_channels: tuple[int, ...]
    code_shape: tuple[int, ...]


class AutoencodingNetwork(nn.Module):
    """An encoder, a code, a decoder; `Autoencoder` and `VariationalAutoencoder` differ in what the code is.

    Pictures are floats from 0 to 1. `forward` returns the raw values of the last layer in both modes, which losses
    take (the cross entropy is only exact from logits); `pictures` makes pictures of them.

    Args:
        layers: The encoder and the decoder.
        in_channels: Channels of the pictures.
        size: The only height and width that the network takes; None: any multiple of the greatest stride.
        output: What makes a picture of the last layer's values: `"sigmoid"`, or `"linear"`, nothing.
        code_components: Of the mixture of normal distributions that `fit_codes` takes from the codes of pictures; 0:
            there is none.

    Attributes:
        stages: Those of the encoder and then those of the decoder.
        head: As in `Layers`.
        aux_heads: None; there for what serves every network in stages.
        encoder_stages: The names of the encoder's stages.
        code_distribution: That mixture, or None.
        value_range: The least and the greatest value of a picture, as the network takes and makes them.

    Raises:
        ValueError: `output` is unknown, or `code_components` negative.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        layers: Layers,
        *,
        in_channels: int,
        size: tuple[int, int] | None,
        output: Output,
        code_components: int,
    ) -> None:
        super().__init__()
        if output not in get_args(Output):
            raise ValueError(f"output is '{output}': expected {' or '.join(get_args(Output))}")
        self.stages = nn.Sequential(OrderedDict([*layers.encoder.items(), *layers.decoder.items()]))
        self.head = layers.head
        self.aux_heads = nn.ModuleDict()
        self.encoder_stages = tuple(layers.encoder)
        self.in_channels = in_channels
        self.strides = layers.strides
        self.out_channels = layers.out_channels
        self.size = size
        self.code_shape = layers.code_shape
        self.output: Output = output
        self.code_distribution = CodeDistribution(self.code_size, code_components) if code_components else None

    @property
    def code_size(self) -> int:
        """How many values a code has; of a code that is a map, its channels."""
        return self.code_shape[0]

    @property
    def encoder(self) -> nn.Sequential:
        """The encoder's stages, by name; they stay this network's own."""
        return nn.Sequential(OrderedDict((name, self.stages.get_submodule(name)) for name in self.encoder_stages))

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """The raw values in the place of logits, and no auxiliary heads."""
        raise NotImplementedError

    def encode(self, x: Tensor) -> Tensor:
        """The codes (N, *code_shape) of pictures (N, in_channels, H, W).

        Raises:
            ValueError: The pictures have another number of channels, or a size that the network cannot take.
        """
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """The pictures (N, in_channels, H, W) of codes (N, *code_shape)."""
        return self.pictures(self.outputs(codes))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The pictures that come back from the codes of pictures (N, in_channels, H, W)."""
        return self.decode(self.encode(x))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw pictures (count, in_channels, H, W), in evaluation mode and without gradients.

        The same seed of the generator gives the same pictures, on whatever device the network is: codes are drawn on
        the generator's.

        Raises:
            ValueError: The network's code has no distribution to draw from.
        """
        codes = self.sample_codes(count, generator)
        with torch.no_grad(), evaluating(self):
            starts = range(0, count, _DECODED_AT_ONCE)
            return torch.cat([self.decode(codes[start : start + _DECODED_AT_ONCE]) for start in starts])

    def sample_codes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (count, code_size) for `sample`."""
        raise NotImplementedError

    def fit_codes(self, codes: Tensor) -> None:
        """Take the distribution that `sample` draws from out of the codes (N, code_size) of pictures.

        It is part of the state dict. See `hubel.models.generative.code_distribution`.

        Raises:
            ValueError: The network has no such distribution, there are too few codes, or they have another size.
        """
        if self.code_distribution is None:
            raise ValueError("the network has no distribution to fit to codes: build it with code_components")
        self.code_distribution.fit(codes)

    def encoded(self, x: Tensor) -> Tensor:
        """What the last stage of the encoder puts out for pictures that fit."""
        for name in self.encoder_stages:
            x = self.stages.get_submodule(name)(x)
        return x

    def outputs(self, codes: Tensor) -> Tensor:
        """The raw values (N, in_channels, H, W) of codes."""
        x = codes
        for stage in list(self.stages)[len(self.encoder_stages) :]:
            x = stage(x)
        return self.head(x)  # type: ignore[no-any-return]

    def pictures(self, outputs: Tensor) -> Tensor:
        """Pictures of raw values: their sigmoid, or themselves where the output is linear."""
        return outputs.sigmoid() if self.output == "sigmoid" else outputs

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError that names both shapes where pictures do not fit the network."""
        check_images(x, self.in_channels, self.size, 1)
        stride = max(self.strides)
        if self.size is None and any(side % stride for side in x.shape[2:]):
            sides = " and ".join(str(-(-side // stride) * stride) for side in x.shape[2:])
            raise ValueError(
                f"the input has shape {tuple(x.shape)}: this network takes H and W that are multiples of {stride}; "
                f"the next ones are {sides}"
            )


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """A side, or height and width, as a pair.

    Raises:
        ValueError: It is neither, or a side is below 1.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ValueError(f"size is {size}: expected a side of at least 1 pixel, or a height and a width")
    return sides[0], sides[1]


def check_widths(widths: tuple[int, ...], code_size: int) -> tuple[int, ...]:
    """The widths as a tuple.

    Raises:
        ValueError: A width or the code has no values.
    """
    if code_size < 1:
        raise ValueError(f"code_size is {code_size}: expected at least 1")
    if any(width < 1 for width in widths):
        raise ValueError(f"widths are {', '.join(map(str, widths))}: expected each at least 1")
    return tuple(widths)
