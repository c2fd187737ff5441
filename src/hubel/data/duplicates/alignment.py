"""How alike two thumbnails are once one is shifted and scaled to lie on the other.

Thumbnails are float32 of shape (N, S, S), grey.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.duplicates.perceptual_hash import Window

Thumbnails = npt.NDArray[np.floating[Any]]

_ITERATIONS = 8
_SETTLED = 1e-5  # of the thumbnail's side: pairs that an iteration moves by less have found their place
_BLUR = 1.5  # standard deviation in pixels of what is taken away before thumbnails are compared
_WEAKER_SHARE = 0.9
_CLIPPED_AT = 3.0
_MOST_STEP = 0.08  # of the thumbnail's side, in an iteration
_TAPS = np.arange(-1, 3)  # the pixels, counted from the one before a place, that are interpolated between


def detail(thumbnails: Thumbnails) -> Thumbnails:
    """What is left of thumbnails without their blurred copies: edges and texture, no light and shade."""
    blur = _blurring(thumbnails.shape[-1])
    rest: Thumbnails = blur @ thumbnails @ blur.T
    return np.subtract(thumbnails, rest, out=rest)


def strength(details: Thumbnails) -> npt.NDArray[np.floating[Any]]:
    """How strong details are, in grey values: what a tenth of the pixels exceed, floats (N,).

    A speck on a flat ground is little detail, however bright it is.
    """
    strengths = np.abs(details).reshape(len(details), details.shape[-1] ** 2)
    place = int(_WEAKER_SHARE * strengths.shape[1])
    strengths.partition(place, axis=1)
    values: npt.NDArray[np.floating[Any]] = strengths[:, place]
    return values


def clipped(details: Thumbnails) -> Thumbnails:
    """Details without their peaks, so that one bright speck does not outweigh all the rest."""
    limit = _CLIPPED_AT * strength(details)[:, None, None]
    return np.clip(details, -limit, limit)


def correlation(
    first: Thumbnails, second: Thumbnails, where: Thumbnails | None = None
) -> npt.NDArray[np.floating[Any]]:
    """The correlation of two thumbnails' details, where they are shown: float32 (N,), 1 for equal ones."""
    shown = np.ones_like(first) if where is None else where
    planes = np.stack([shown, first * shown, second * shown], axis=1).reshape(len(first), 3, first.shape[-1] ** 2)
    sums = planes @ planes.transpose(0, 2, 1)
    total = np.maximum(sums[:, 0, 0], 1)
    spread = sums[:, 1:, 1:] - sums[:, 1:, :1] * sums[:, :1, 1:] / total[:, None, None]  # (N, 2, 2)
    length = np.sqrt(np.maximum(spread[:, 0, 0] * spread[:, 1, 1], 0))
    correlations: npt.NDArray[np.floating[Any]] = spread[:, 0, 1] / np.maximum(length, 1e-6)
    return correlations


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
    scale, shift = (np.tile(np.array(pair, dtype=np.float32)[:, None], len(first)) for pair in window.scale_and_shift())
    going = np.arange(len(first))
    search = _Search(first, second)
    for _ in range(_ITERATIONS):
        step = search.step(scale[:, going], shift[:, going])
        scale[:, going] /= 1 + step[::2]
        shift[:, going] -= scale[:, going] * step[1::2]
        far = np.abs(step).max(axis=0, initial=0) > _SETTLED
        if not far.any():
            break
        if not far.all():
            going, search = going[far], search.where(far)
    moved = np.empty_like(first)
    inside = _move(first, scale, shift, _cubic, moved)
    return moved, inside[0][:, :, None] * inside[1][:, None, :]


class _Search:
    """What an iteration needs of some pairs of thumbnails, made once for all iterations.

    All that it needs to know are products, summed over the pixels, of seven planes: the second thumbnail's four slopes,
    by scale and shift down and across, and where something is shown: ones, the second thumbnail and the moved first.
    """

    def __init__(self, first: Thumbnails, second: Thumbnails) -> None:
        count, side = len(first), first.shape[-1]
        # Brightness does not count, and with smaller numbers sums of squares are exact enough.
        self._first, self._second = (each - each.mean(axis=(1, 2), keepdims=True) for each in (first, second))
        self._planes = np.empty((count, 7, side, side), dtype=np.float32)
        places = _places(side)
        by_scale_down, down, by_scale_across, across = (self._planes[:, number] for number in range(4))
        _slope(self._second, down)
        _slope(self._second.transpose(0, 2, 1), across.transpose(0, 2, 1))
        np.multiply(down, places[:, None], out=by_scale_down)
        np.multiply(across, places, out=by_scale_across)
        slopes = self._planes[:, :4].reshape(count, 4, side**2)
        normal = slopes @ slopes.transpose(0, 2, 1)
        damping = 1e-4 * np.trace(normal, axis1=1, axis2=2) + 1  # stripes and flat pictures have no slope to hold on to
        self._inverse = np.linalg.inv(normal + damping[:, None, None] * np.eye(4, dtype=np.float32))

    def where(self, wanted: npt.NDArray[np.bool_]) -> _Search:
        """The same for some of the pairs."""
        some = copy(self)
        some._first, some._second = self._first[wanted], self._second[wanted]
        some._planes, some._inverse = self._planes[wanted], self._inverse[wanted]
        return some

    def step(self, scale: npt.NDArray[np.float32], shift: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """By how much to scale and shift down, and across, float32 (4, N), for less of a difference."""
        shown, wanted, moved = (self._planes[:, number] for number in range(4, 7))
        rows, columns = _move(self._first, scale, shift, _linear, moved)
        np.multiply(rows[:, :, None], columns[:, None, :], out=shown)
        np.multiply(self._second, shown, out=wanted)
        np.multiply(moved, shown, out=moved)
        planes = self._planes.reshape(len(moved), 7, moved.shape[-1] ** 2)
        sums = planes @ planes[:, 4:].transpose(0, 2, 1)  # (N, 7, 3)
        total = np.maximum(sums[:, 4, 0], 1)
        mean_wanted, mean_moved = sums[:, 4, 1] / total, sums[:, 4, 2] / total
        spread_wanted = np.maximum(sums[:, 5, 1] - sums[:, 4, 1] * mean_wanted, 0)
        spread_moved = np.maximum(sums[:, 6, 2] - sums[:, 4, 2] * mean_moved, 0)
        contrast = np.sqrt(spread_wanted / (spread_moved + 1e-6))
        # Of (moved - its mean) * contrast + the wanted mean - wanted: the moved thumbnail, as bright as is wanted.
        weights = np.stack([mean_wanted - mean_moved * contrast, np.full_like(contrast, -1), contrast], axis=1)
        steps: npt.NDArray[np.float32] = (self._inverse @ (sums[:, :4] @ weights[:, :, None]))[..., 0].T
        return np.clip(steps, -_MOST_STEP, _MOST_STEP)


def _slope(values: Thumbnails, slopes: Thumbnails) -> None:
    """Write by how much thumbnails rise from row to row, over a whole side."""
    side = values.shape[-1]
    np.subtract(values[:, 2:], values[:, :-2], out=slopes[:, 1:-1])
    slopes[:, 1:-1] *= 0.5
    np.subtract(values[:, 1], values[:, 0], out=slopes[:, 0])
    np.subtract(values[:, -1], values[:, -2], out=slopes[:, -1])
    slopes *= side


def _move(
    thumbnails: Thumbnails,
    scales: npt.NDArray[np.float32],
    shifts: npt.NDArray[np.float32],
    kernel: Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.floating[Any]]],
    moved: Thumbnails,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Write thumbnails scaled and shifted.

    Returns:
        The rows and the columns that have something to show then: 1 or 0, both (N, S).
    """
    side = thumbnails.shape[-1]
    matrices, inside = [], []
    for scale, shift in zip(scales, shifts, strict=True):
        wanted = ((scale[:, None] * _places(side) + shift[:, None]) + 0.5) * side - 0.5  # (N, S) in pixels
        inside.append(((wanted > -1) & (wanted < side)).astype(np.float32))
        matrices.append(_interpolating(np.clip(wanted, 0, side - 1), kernel))
    rows, columns = matrices
    np.matmul(rows @ thumbnails, columns.transpose(0, 2, 1), out=moved)
    return inside[0], inside[1]


def _interpolating(
    wanted: npt.NDArray[np.floating[Any]],
    kernel: Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.floating[Any]]],
) -> npt.NDArray[np.float32]:
    """Matrices (N, S, S) that interpolate S values at wanted places, (N, S) in pixels; a row's sum is 1."""
    count, side = wanted.shape
    taps = wanted.astype(np.int64)[:, :, None] + _TAPS  # (N, S, 4)
    weights = kernel(np.abs(wanted[:, :, None] - taps)) * ((taps >= 0) & (taps < side))
    weights /= weights.sum(axis=2, keepdims=True)
    matrices = np.zeros((count, side, side + len(_TAPS)), dtype=np.float32)  # with room for taps beside the thumbnail
    np.put_along_axis(matrices, taps + 1, weights.astype(np.float32), axis=2)
    return matrices[:, :, 1 : side + 1]


def _linear(distance: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Weights of linear interpolation by the distance in pixels: enough to find a place."""
    weights: npt.NDArray[np.floating[Any]] = np.maximum(1 - distance, 0)
    return weights


def _cubic(distance: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Weights of cubic interpolation (Keys 1981, a = -1/2) by the distance in pixels."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    outer = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights: npt.NDArray[np.floating[Any]] = np.where(distance <= 1, near, np.where(distance < 2, outer, 0))
    return weights


@cache
def _places(side: int) -> npt.NDArray[np.float32]:
    """Where a thumbnail's pixels lie, in shares of its side from its middle."""
    places: npt.NDArray[np.float32] = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    return places - np.float32(0.5)


@cache
def _blurring(side: int) -> npt.NDArray[np.float32]:
    """A Gaussian blur of S values as a matrix, mirrored at the ends."""
    places = np.arange(side)
    matrix = np.zeros((side, side))
    for mirrored in (places, -1 - places, 2 * side - 1 - places):
        matrix += np.exp(-((places[:, None] - mirrored) ** 2) / (2 * _BLUR**2))
    normalised: npt.NDArray[np.float32] = (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
