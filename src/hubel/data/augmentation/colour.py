"""Colour changes as affine maps: any number of them, one after the other, are again one.

A map gives the channels y of a pixel with the channels x, in a picture whose mean is μ: y = M x + A μ + b. The mean is
part of it because contrast changes around it; M + A says what becomes of the mean itself, so maps compose exactly. What
a single one would have clipped on the way is clipped at the end only. A map is stored as [M | A | b].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.float64]  # (N, C, 2 C + 1)

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L

# NTSC's YIQ: luminance, and two axes of chroma around which a hue turns.
_YIQ = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])

# Of the colours of ImageNet's pixels in 0..1: variances along their principal axes, and these, a row each. From the
# ImageNet training code of Facebook AI Research (fb.resnet.torch, 2016).
_IMAGENET_VARIANCES = np.array([0.2175, 0.0188, 0.0045])
_IMAGENET_AXES = np.array([[-0.5675, -0.5808, -0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.8140, 0.4203]])


def identities(count: int, channels: int) -> Maps:
    """Maps that change nothing."""
    maps = np.zeros((count, channels, 2 * channels + 1))
    maps[:, :, :channels] = np.eye(channels)
    return maps


def composed(outer: Maps, inner: Maps) -> Maps:
    """The maps that do the inner ones first."""
    channels = outer.shape[1]
    matrix, around, shift = np.split(outer, [channels, 2 * channels], axis=2)
    inner_matrix, inner_around, inner_shift = np.split(inner, [channels, 2 * channels], axis=2)
    return np.concatenate(
        [
            matrix @ inner_matrix,
            matrix @ inner_around + around @ (inner_matrix + inner_around),
            (matrix + around) @ inner_shift + shift,
        ],
        axis=2,
    )


def all_composed(maps: Sequence[Maps]) -> Maps:
    """The maps that do all of these, the first one first."""
    return reduce(lambda inner, outer: composed(outer, inner), maps)


def brightness(factors: npt.NDArray[np.float64], channels: int) -> Maps:
    """Multiply by factors (N,)."""
    maps = identities(len(factors), channels)
    maps[:, :, :channels] *= factors[:, None, None]
    return maps


def contrast(factors: npt.NDArray[np.float64], channels: int) -> Maps:
    """Multiply the difference from the picture's mean luminance by factors (N,)."""
    maps = brightness(factors, channels)
    maps[:, :, channels : 2 * channels] = (1 - factors)[:, None, None] * _luma(channels)
    return maps


def saturation(factors: npt.NDArray[np.float64], channels: int) -> Maps:
    """Multiply the difference from each pixel's own luminance by factors (N,); grey pictures stay."""
    maps = brightness(factors, channels)
    maps[:, :, :channels] += (1 - factors)[:, None, None] * _luma(channels)
    return maps if channels == 3 else identities(len(factors), channels)


def hue(degrees: npt.NDArray[np.float64], channels: int) -> Maps:
    """Turn all colours by angles (N,), at equal luminance (in the YIQ space); grey pictures stay."""
    maps = identities(len(degrees), channels)
    if channels == 3:
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.zeros((len(degrees), 3, 3))
        turn[:, 0, 0] = 1
        turn[:, 1, 1] = turn[:, 2, 2] = cosine
        turn[:, 1, 2], turn[:, 2, 1] = -sine, sine
        maps[:, :, :3] = np.linalg.inv(_YIQ) @ turn @ _YIQ
    return maps


def principal_components(amounts: npt.NDArray[np.float64], channels: int) -> Maps:
    """Add multiples of the principal components of ImageNet's colours; grey pictures stay.

    Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks. NIPS 2012,
    section 4.1: [p1, p2, p3] [α1 λ1, α2 λ2, α3 λ3]ᵀ, λ the variances of values in 0..1.

    Args:
        amounts: The α, (N, 3).
        channels: Of the pictures.
    """
    maps = identities(len(amounts), channels)
    if channels == 3:
        maps[:, :, -1] = 255 * (amounts * _IMAGENET_VARIANCES) @ _IMAGENET_AXES
    return maps


def _luma(channels: int) -> npt.NDArray[np.float64]:
    return np.array(LUMA if channels == 3 else (1.0,) * channels)
