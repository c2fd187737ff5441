"""Elastic deformation: a smooth random displacement of every point.

Simard, Steinkraus, Platt: Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis.
ICDAR 2003, section 2. There, every pixel's displacement is drawn evenly between -1 and 1, the field is smoothed by a
Gaussian of σ pixels and multiplied by α. Here it is drawn and smoothed on a grid of three points per σ, in between it
is bilinear: the field is that smooth anyway. Strength is the root mean square of a displacement's components: α = 34
and σ = 4, the paper's for digits of 28 pixels, move points by 1.4 pixels, 5 % of the side, with σ 14 % of it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hubel.data.randomness import Stream, uniform

_POINTS_PER_SIGMA = 3
_STD_OF_EVEN = math.sqrt(1 / 3)  # of a number drawn evenly between -1 and 1


def displacement_fields(
    words: npt.NDArray[np.int64], strength: float, smoothness: float, size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Draw displacement fields.

    Args:
        words: int64 (N,) below 2^32; each gives its own field.
        strength: Root mean square of a displacement along an axis, as a share of the output's shorter side.
        smoothness: The Gaussian's σ, as a share of the side along each axis.
        size: Height and width of the output.

    Returns:
        float64 (N, 2, G, G): displacements (x, y) in pixels, at the centres of G × G equal parts of the output.
    """
    from scipy.ndimage import gaussian_filter

    points = math.ceil(_POINTS_PER_SIGMA / smoothness)
    drawn = 2 * uniform(0, 0, words, 2 * points * points, Stream.ELASTIC) - 1
    sigma = smoothness * points
    noise = drawn.reshape(len(words), 2, points, points)
    smooth = gaussian_filter(noise, (0, 0, sigma, sigma), mode="wrap")  # a torus has no edges to be different at
    impulse = np.zeros(points)
    impulse[0] = 1
    kept = float((gaussian_filter(impulse, sigma, mode="wrap") ** 2).sum())  # of the variance, along one axis
    scaled: npt.NDArray[np.float64] = smooth * (strength * min(size) / (_STD_OF_EVEN * kept))
    return scaled


@lru_cache(maxsize=16)
def bilinear_weights(side: int, points: int) -> npt.NDArray[np.float64]:
    """How much each of a field's points along an axis counts at the centres of `side` pixels: (side, points)."""
    place = np.clip((np.arange(side) + 0.5) * (points / side) - 0.5, 0, points - 1)
    weights: npt.NDArray[np.float64] = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(points)))
    return weights


def displacements_at(
    field: npt.NDArray[np.float64], points: npt.NDArray[np.float64], size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """A field (2, G, G) at points (K, 2) of the output, bilinear in between, constant beyond: (K, 2) pixels."""
    side = field.shape[1]
    place = np.clip(points * (side / np.array([size[1], size[0]])) - 0.5, 0, side - 1)
    low = np.minimum(place.astype(np.int64), side - 2)
    (x, y), (share_x, share_y) = low.T, (place - low).T
    upper = field[:, y, x] * (1 - share_x) + field[:, y, x + 1] * share_x
    lower = field[:, y + 1, x] * (1 - share_x) + field[:, y + 1, x + 1] * share_x
    at: npt.NDArray[np.float64] = (upper * (1 - share_y) + lower * share_y).T
    return at
