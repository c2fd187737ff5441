"""The arithmetic of convolutions along one axis: sizes of maps, and how many parameters a layer has."""

from __future__ import annotations

from typing import Literal

Padding = int | Literal["same", "valid"]


def output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
) -> int:
    """How long one axis of a map is behind a convolution or a pooling.

    ⌊(n + 2p - d(k - 1) - 1) / s⌋ + 1, which without dilation is the textbooks' ⌊(n + 2p - k) / s⌋ + 1 (Dumoulin and
    Visin 2016, arXiv:1603.07285, relationships 6 and 15).

    Args:
        size: n, how long the axis is before.
        kernel: k.
        stride: s.
        padding: p on each side; `"valid"` is 0, `"same"` whatever gives ⌈n / s⌉ (as in TensorFlow and Keras; PyTorch
            takes it with stride 1 only).
        dilation: d.
        ceil_mode: Round up, as Caffe's poolings do, but drop a last window that would begin behind the input and its
            left padding, as PyTorch does. A window over less than its kernel sees what there is.

    Raises:
        ValueError: A value is too small, or the kernel is larger than the padded axis.
    """
    _check(at_least=1, size=size, kernel=kernel, stride=stride, dilation=dilation)
    if padding == "same":
        return -(-size // stride)
    pad = 0 if padding == "valid" else padding
    if not isinstance(pad, int):
        raise ValueError(f"padding is '{padding}': expected a number, 'same' or 'valid'")
    _check(at_least=0, padding=pad)
    room = size + 2 * pad - dilation * (kernel - 1) - 1
    if not ceil_mode:
        steps = room // stride
    else:
        steps = -(-room // stride)
        if steps * stride >= size + pad:
            steps -= 1
    if steps < 0:
        raise ValueError(
            f"a kernel of {kernel} with dilation {dilation} spans {dilation * (kernel - 1) + 1}: more than the size "
            f"{size} with a padding of {pad} on each side"
        )
    return steps + 1


def transposed_output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    """How long one axis of a map is behind a transposed convolution.

    (n - 1)s - 2p + d(k - 1) + o + 1: the size for which the convolution of the same kernel, stride, padding and
    dilation gives n (Dumoulin and Visin 2016, arXiv:1603.07285, relationship 14). With s > 1 there are s such sizes,
    and `output_padding` o says which.

    Raises:
        ValueError: A value is too small, `output_padding` is not below the stride or the dilation, or nothing is left.
    """
    _check(at_least=1, size=size, kernel=kernel, stride=stride, dilation=dilation)
    _check(at_least=0, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise ValueError(
            f"output_padding is {output_padding}: expected less than the stride {stride} or the dilation {dilation}"
        )
    result = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    if result < 1:
        raise ValueError(f"a padding of {padding} leaves {result} of the output: expected at least 1")
    return result


def convolution_parameters(
    in_channels: int, out_channels: int, kernel: int, *, groups: int = 1, bias: bool = True
) -> int:
    """Parameters of a k×k convolution: k² C_in C_out / groups + C_out, whatever the size of the map.

    The weights are shared by all places, and each sees k×k of them; a dense layer from a map of H×W to a map of the
    same size (`dense_parameters`) has (H W)² C_in C_out + H W C_out.
    """
    _check(at_least=1, in_channels=in_channels, out_channels=out_channels, kernel=kernel, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"{groups} groups came: expected a divisor of {in_channels} and of {out_channels} channels")
    return kernel**2 * in_channels * out_channels // groups + (out_channels if bias else 0)


def dense_parameters(in_features: int, out_features: int, *, bias: bool = True) -> int:
    """Parameters of a dense layer: one weight for each input of each output, and a bias for each output."""
    _check(at_least=1, in_features=in_features, out_features=out_features)
    return in_features * out_features + (out_features if bias else 0)


def _check(*, at_least: int, **values: int) -> None:
    for name, value in values.items():
        if value < at_least:
            raise ValueError(f"{name} is {value}: expected at least {at_least}")
