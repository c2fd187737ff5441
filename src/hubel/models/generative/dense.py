"""Encoder and decoder of dense layers, each the other's mirror image.

Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks, doi:10.1126/science.1127647.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from torch import nn

from hubel.models.generative.network import Layers, check_widths
from hubel.models.generative.tied import TiedLinear

Activation = Literal["relu", "selu", "tanh", "sigmoid", "linear"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def activation_layers(activation: Activation) -> list[tuple[str, nn.Module]]:
    """The layer `act`; for `"linear"` none.

    Raises:
        ValueError: The activation is unknown.
    """
    if activation == "linear":
        return []
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation is '{activation}': expected one of {', '.join(get_args(Activation))}")
    return [("act", _ACTIVATIONS[activation]())]


def dense_layers(
    shape: tuple[int, int, int],
    widths: Sequence[int],
    code_size: int,
    *,
    code_values: int | None = None,
    activation: Activation = "relu",
    code_activation: Activation = "linear",
    tied: bool = False,
) -> Layers:
    """A deep symmetric stack, as `down1`, ..., `code`, ..., `up1` and a head.

    Args:
        shape: Channels, height and width of the pictures.
        widths: Units of the encoder's hidden layers, from the picture on; the decoder has them in reverse. None at all
            makes one layer from the picture to the code.
        code_size: Units of the code.
        code_values: What the encoder puts out for each code, if not `code_size` values.
        activation: Follows every hidden layer.
        code_activation: Follows the code.
        tied: Whether the decoder uses the encoder's weights, transposed.

    Raises:
        ValueError: A width or the code size is below 1, or an activation unknown.
    """
    widths = check_widths(tuple(widths), code_size)
    channels, height, width = shape
    sizes = [channels * height * width, *widths]
    dense = [nn.Linear(before, after) for before, after in pairwise([*sizes, code_values or code_size])]

    def back(layer: nn.Linear, in_features: int) -> nn.Module:
        return TiedLinear(layer) if tied else nn.Linear(in_features, layer.in_features)

    encoder: OrderedDict[str, nn.Module] = OrderedDict()
    for number, layer in enumerate(dense, start=1):
        last = number == len(dense)
        layers: list[tuple[str, nn.Module]] = [("flatten", nn.Flatten(1))] if number == 1 else []
        layers += [("dense", layer), *activation_layers(code_activation if last else activation)]
        encoder["code" if last else f"down{number}"] = nn.Sequential(OrderedDict(layers))
    decoder: OrderedDict[str, nn.Module] = OrderedDict()
    incoming = code_size
    for number in range(len(widths), 0, -1):
        layers = [("dense", back(dense[number], incoming)), *activation_layers(activation)]
        decoder[f"up{number}"] = nn.Sequential(OrderedDict(layers))
        incoming = widths[number - 1]
    head = nn.Sequential(OrderedDict(out=back(dense[0], incoming), picture=nn.Unflatten(1, shape)))
    outputs = (*widths, code_values or code_size, *reversed(widths))
    return Layers(encoder, decoder, head, (max(height, width),) * len(outputs), outputs, (code_size,))
