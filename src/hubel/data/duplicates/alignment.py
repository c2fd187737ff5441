"""How alike two thumbnails are once one is shifted and scaled to lie on the other.

Thumbnails are float32 of shape (N, S, S), grey.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.duplicates.perceptual_hash import Window

Thumbnails = npt.NDArray[np.floating[Any]]

_ITERATIONS = 8
_BLUR = 1.5  # standard deviation in pixels of what is taken away before thumbnails are compared
_WEAKER_SHARE = 0.9
_CLIPPED_AT = 3.0
_MOST_STEP = 0.08  # of the thumbnail's side, in an iteration


def detail(thumbnails: Thumbnails) -> Thumbnails:
    """What is left of thumbnails without their blurred copies: edges and texture, no light and shade."""
    blur = _blurring(thumbnails.shape[-1])
    return thumbnails - blur @ thumbnails @ blur.T


def strength(thumbnails: Thumbnails) -> npt.NDArray[np.floating[Any]]:
    """How much detail thumbnails show, in grey values: what a tenth of their pixels exceed, floats (N,).

    A speck on a flat ground is little detail, however bright it is.
    """
    strengths = np.abs(detail(thumbnails)).reshape(len(thumbnails), thumbnails.shape[-1] ** 2)
    place = int(_WEAKER_SHARE * strengths.shape[1])
    values: npt.NDArray[np.floating[Any]] = np.partition(strengths, place, axis=1)[:, place]
    return values


def similarity(first: Thumbnails, second: Thumbnails, where: Thumbnails | None = None) -> npt.NDArray[np.floating[Any]]:
    """The correlation of the details of thumbnails, where they are shown: float32 (N,), 1 for equal ones."""
    weights = np.ones_like(first) if where is None else where
    return _correlation(detail(first), detail(second), weights)


def overall_similarity(first: Thumbnails, second: Thumbnails, where: Thumbnails) -> npt.NDArray[np.floating[Any]]:
    """The same with strong details clipped, so that one bright speck does not outweigh all the rest."""
    clipped = [
        np.clip(detail(each), -limit, limit)
        for each, limit in ((each, _CLIPPED_AT * strength(each)[:, None, None]) for each in (first, second))
    ]
    return _correlation(clipped[0], clipped[1], where)


def align(first: Thumbnails, second: Thumbnails, window: Window) -> tuple[Thumbnails, Thumbnails]:
    """Shift and scale a window of each first thumbnail, in width and height, to lie on the second.

    Shift and scale are found by the inverse compositional algorithm (Baker and Matthews 2004,
    doi:10.1023/B:VISI.0000011205.11775.fd), brightness and contrast are made equal in every step.

    Args:
        first: float32 of shape (N, S, S).
        second: The same.
        window: The part of the first one that the search begins with.

    Returns:
        The first thumbnails in their new places, and where these have something to show: 1 or 0, both (N, S, S).
    """
    count, side = len(first), first.shape[-1]
    places = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    down, across = (slope * side for slope in np.gradient(second, axis=(1, 2)))
    slopes = np.stack([down * places[:, None], down, across * places, across], axis=1).reshape(count, 4, side**2)
    normal = slopes @ slopes.transpose(0, 2, 1)
    damping = 1e-4 * np.trace(normal, axis1=1, axis2=2) + 1  # stripes and flat pictures have no slope to hold on to
    normal += damping[:, None, None] * np.eye(4, dtype=np.float32)
    solve = np.linalg.inv(normal) @ slopes  # (N, 4, S²)
    begin = window.scale_and_shift()
    scale, shift = (np.tile(np.array(pair, dtype=np.float32)[:, None], count) for pair in begin)  # down and across
    for _ in range(_ITERATIONS):
        moved, shown = _moved(first, scale, shift, places, _linear)
        difference = (_as_bright(moved, second, shown) - second) * shown
        step = np.clip((solve @ difference.reshape(count, side**2, 1))[..., 0].T, -_MOST_STEP, _MOST_STEP)
        scale = scale / (1 + step[::2])
        shift = shift - scale * step[1::2]
    return _moved(first, scale, shift, places, _cubic)


def _moved(
    thumbnails: Thumbnails,
    scales: npt.NDArray[np.floating[Any]],
    shifts: npt.NDArray[np.floating[Any]],
    places: npt.NDArray[np.float32],
    interpolation: Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.floating[Any]]],
) -> tuple[Thumbnails, Thumbnails]:
    """Thumbnails scaled and shifted, and where they then have something to show, 1 or 0."""
    side = thumbnails.shape[-1]
    pixels = np.arange(side, dtype=np.float32)
    matrices, inside = [], []
    for scale, shift in zip(scales, shifts, strict=True):
        wanted = ((scale[:, None] * places + shift[:, None]) + 0.5) * side - 0.5  # (N, S) in pixels
        inside.append(((wanted > -1) & (wanted < side)).astype(np.float32))
        matrices.append(interpolation(np.clip(wanted, 0, side - 1)[:, :, None] - pixels))
    rows, columns = matrices
    return rows @ thumbnails @ columns.transpose(0, 2, 1), inside[0][:, :, None] * inside[1][:, None, :]


def _linear(distance: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Weights of linear interpolation by the distance in pixels: enough to find a place."""
    weights: npt.NDArray[np.floating[Any]] = np.maximum(1 - np.abs(distance), 0)
    return weights


def _cubic(distance: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Weights of cubic interpolation (Keys 1981, a = -1/2) by the distance in pixels, with a sum of 1 in each row."""
    far = np.abs(distance)
    near = (1.5 * far - 2.5) * far * far + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far <= 1, near, np.where(far < 2, outer, 0))
    normalised: npt.NDArray[np.float32] = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return normalised


def _correlation(first: Thumbnails, second: Thumbnails, weights: Thumbnails) -> npt.NDArray[np.floating[Any]]:
    first, second = _centred(first, weights), _centred(second, weights)
    length = np.sqrt((first**2).sum(axis=(1, 2)) * (second**2).sum(axis=(1, 2)))
    correlation: npt.NDArray[np.floating[Any]] = (first * second).sum(axis=(1, 2)) / np.maximum(length, 1e-6)
    return correlation


def _centred(values: Thumbnails, weights: Thumbnails) -> Thumbnails:
    """Values less their mean where the weights are 1, and 0 elsewhere."""
    total = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1)
    centred: Thumbnails = (values - (values * weights).sum(axis=(1, 2), keepdims=True) / total) * weights
    return centred


def _as_bright(moved: Thumbnails, wanted: Thumbnails, shown: Thumbnails) -> Thumbnails:
    """Thumbnails with the brightness and contrast of others, where they are shown."""
    total = np.maximum(shown.sum(axis=(1, 2), keepdims=True), 1)
    own, other = _centred(moved, shown), _centred(wanted, shown)
    contrast = np.sqrt((other**2).sum(axis=(1, 2), keepdims=True) / ((own**2).sum(axis=(1, 2), keepdims=True) + 1e-6))
    brightness: Thumbnails = own * contrast + (wanted * shown).sum(axis=(1, 2), keepdims=True) / total
    return brightness


@cache
def _blurring(side: int) -> npt.NDArray[np.float32]:
    """A Gaussian blur of S values as a matrix, mirrored at the ends."""
    places = np.arange(side)
    matrix = np.zeros((side, side))
    for mirrored in (places, -1 - places, 2 * side - 1 - places):
        matrix += np.exp(-((places[:, None] - mirrored) ** 2) / (2 * _BLUR**2))
    normalised: npt.NDArray[np.float32] = (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
