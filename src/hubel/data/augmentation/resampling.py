"""Pictures and masks, resampled once.

A window that is only copied or resized, upright or mirrored, is antialiased (bilinear, as Pillow's). Any other
resampling is bilinear between the four nearest pixels; where a pixel of the output spans two or more of the picture,
blocks of so many are averaged first (`reduction`). Masks are never blended: each pixel takes the class of the one that
its centre falls into.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from hubel.data.augmentation.elastic import bilinear_weights
from hubel.data.augmentation.geometry import Geometry

IGNORED = 255  # the class of a mask where it shows nothing, which losses and metrics pass over

Pixels = npt.NDArray[np.uint8]


def seen(picture: Pixels, geometry: Geometry, number: int, target: Pixels) -> None:
    """Write a window of a picture (h, w, C), copied or resized, mirrored or flipped, into a target (H, W, C)."""
    top, left, rows, columns = (int(value) for value in geometry.windows[number])
    if (rows, columns) == target.shape[:2]:
        _copy(picture, top, left, target)
    else:  # the copy, with its leading axis, makes a channels_last tensor, on which torch is 2.5 times as fast
        part = torch.from_numpy(picture[None, top : top + rows, left : left + columns].copy()).permute(0, 3, 1, 2)
        resized = F.interpolate(part, target.shape[:2], mode="bilinear", antialias=True)
        torch.from_numpy(target[None]).permute(0, 3, 1, 2).copy_(resized)


def _copy(picture: Pixels, top: int, left: int, target: Pixels) -> None:
    """Copy a window; beyond the picture's edge it is black."""
    (picture_height, picture_width), (height, width) = picture.shape[:2], target.shape[:2]
    if top < 0 or left < 0 or top + height > picture_height or left + width > picture_width:
        target[...] = 0
    above, before = max(0, -top), max(0, -left)
    part = picture[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    target[above : above + part.shape[0], before : before + part.shape[1]] = part


def reduction(matrix: npt.NDArray[np.float64]) -> int:
    """How many pixels of the picture, along an axis, a pixel of the output spans at most: 1 and up."""
    return max(1, math.floor(float(np.linalg.norm(matrix[:, :2], axis=0).max()) + 1e-9))


def reduced(picture: Pixels, by: int) -> Pixels:
    """The means of blocks of by × by pixels."""
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    return np.asarray(image.reduce(by), dtype=np.uint8).reshape(-1, -(-picture.shape[1] // by), picture.shape[2])


def bent(picture: Pixels, geometry: Geometry, number: int, *, reflect: bool) -> Tensor:
    """A picture (h, w, C) resampled by its matrix and its field: float32 (1, C, H, W), whole values from 0 to 255."""
    part, matrix = part_to_bend(picture, geometry, number, reflect=reflect)
    pixels = torch.from_numpy(part.astype(np.float32, order="C")).permute(2, 0, 1)  # strided, as that is read fastest
    field = geometry.field(number)
    return resampled(pixels[None], matrix[None], None if field is None else field[None], geometry.size)


def part_to_bend(
    picture: Pixels, geometry: Geometry, number: int, *, reflect: bool
) -> tuple[Pixels, npt.NDArray[np.float64]]:
    """What is seen of a picture (h, w, C) that is resampled, and a pixel more.

    Args:
        picture: Where it shrinks much, the means of blocks suffice.
        geometry: Of a batch.
        number: The picture's place in it.
        reflect: Whether the part goes on beyond the picture's edge, reflected; otherwise it ends there.

    Returns:
        uint8 (rows, columns, C), and the matrix (2, 3) from points of the output to points of it.
    """
    matrix = geometry.matrices[number]
    by = reduction(matrix)
    if by > 1:
        picture, matrix = reduced(picture, by), matrix / by
    low, high = reach(matrix, geometry.field(number), geometry.size)
    start, stop = np.floor(low).astype(int) - 1, np.ceil(high).astype(int) + 1
    if not reflect:
        limits = np.array([picture.shape[1], picture.shape[0]])
        start = np.clip(start, 0, limits - 1)
        stop = np.clip(stop, start + 1, limits)
    return _part(picture, start, stop), np.concatenate([matrix[:, :2], matrix[:, 2:] - start[:, None]], axis=1)


def _part(picture: Pixels, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]) -> Pixels:
    """A part of a picture from (x, y) to (x, y), reflected where it reaches beyond the edges."""
    height, width = picture.shape[:2]
    (left, top), (right, bottom) = start.tolist(), stop.tolist()
    picture = picture[_folded(np.arange(top, bottom), height)] if top < 0 or bottom > height else picture[top:bottom]
    if left >= 0 and right <= width:
        return picture[:, left:right]
    inner = picture[:, max(left, 0) : max(0, min(right, width))]
    margins = (np.arange(left, min(right, 0)), np.arange(max(left, width), right))
    before, after = (picture[:, _folded(places, width)] for places in margins)
    return np.concatenate([before, inner, after], axis=1)


def _folded(places: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """Pixels along an axis, folded back at its ends as often as needed."""
    around = places % (2 * side)
    return np.minimum(around, 2 * side - 1 - around)


def reach(
    matrix: npt.NDArray[np.float64], field: npt.NDArray[np.float64] | None, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest (x, y) of a picture that an output looks at, at most."""
    more = np.zeros(2) if field is None else np.abs(field).max(axis=(1, 2))
    corners = np.array([[x, y] for x in (-more[0], size[1] + more[0]) for y in (-more[1], size[0] + more[1])])
    points = corners @ matrix[:, :2].T + matrix[:, 2]
    return points.min(axis=0), points.max(axis=0)


def resampled(
    pixels: Tensor,
    matrices: npt.NDArray[np.float64],
    fields: npt.NDArray[np.float64] | None,
    size: tuple[int, int],
) -> Tensor:
    """Resample a batch, bilinear.

    Args:
        pixels: float32 (n, C, H, W) on any device; beyond it, all is black.
        matrices: From points of the output to points of the picture, (n, 2, 3).
        fields: Displacements in pixels of the output, (n, 2, G, G); None: none.
        size: Height and width of the output.

    Returns:
        float32 (n, C, height, width), whole values, where the pixels are.
    """
    # The library counts from -1 to 1 across the batch's height and width.
    scaled = matrices * (2 / np.array([[pixels.shape[3]], [pixels.shape[2]]]))
    scaled[:, :, 2] -= 1
    grid = _grid(scaled, fields, size, pixels.device)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False).round_()


def _grid(
    matrices: npt.NDArray[np.float64],
    fields: npt.NDArray[np.float64] | None,
    size: tuple[int, int],
    device: torch.device,
) -> Tensor:
    """Where affine maps (n, 2, 3) of displaced points take the pixels' centres: float32 (n, height, width, 2)."""
    height, width = size
    across = matrices[:, None, :, 0] * (np.arange(width) + 0.5)[:, None]  # (n, width, 2)
    down = matrices[:, None, :, 1] * (np.arange(height) + 0.5)[:, None] + matrices[:, None, :, 2]
    # A point as one complex number, x + i y: twice as fast as two sums into every second place.
    x, y = (torch.view_as_complex(torch.from_numpy(ends.astype(np.float32)).to(device)) for ends in (across, down))
    points = x[:, None, :] + y[:, :, None]
    if fields is not None:
        moves = torch.from_numpy(_moved(matrices, fields)).to(device, torch.float32)  # (n, 2, G, G)
        vertical, horizontal = (
            torch.from_numpy(bilinear_weights(side, moves.shape[2])).to(device, torch.float32) for side in size
        )
        points += torch.complex(*(vertical @ moves @ horizontal.T).unbind(1))
    return torch.view_as_real(points)


def _moved(matrices: npt.NDArray[np.float64], fields: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Displacement fields (n, 2, G, G) of the output as displacements of the points that it shows."""
    moved: npt.NDArray[np.float64] = np.einsum("nab,nbyx->nayx", matrices[:, :, :2], fields)
    return moved


def resampled_mask(mask: Pixels, geometry: Geometry, number: int, *, reflect: bool) -> Pixels:
    """A mask (h, w) moved as its picture: uint8 (H, W); `IGNORED` where it shows what lies beyond the edge."""
    height, width = geometry.size
    if not geometry.bent[number]:
        top, left, window_height, window_width = geometry.windows[number].tolist()
        rows = _nearest(top + (np.arange(height) + 0.5) * (window_height / height), mask.shape[0], reflect=False)
        columns = _nearest(left + (np.arange(width) + 0.5) * (window_width / width), mask.shape[1], reflect=False)
        rows = rows[::-1] if geometry.flipped[number] else rows
        columns = columns[::-1] if geometry.mirrored[number] else columns
        moved = mask[rows[:, None], columns]
        moved[rows < 0], moved[:, columns < 0] = IGNORED, IGNORED
        return moved
    places = [
        row[0] * (np.arange(width) + 0.5) + (row[1] * (np.arange(height)[:, None] + 0.5) + row[2])
        for row in geometry.matrices[number]
    ]  # x and y, each (height, width)
    if (field := geometry.field(number)) is not None:
        moves = _moved(geometry.matrices[[number]], field[None])[0]
        vertical, horizontal = (bilinear_weights(side, moves.shape[1]) for side in geometry.size)
        places = [place + vertical @ move @ horizontal.T for place, move in zip(places, moves, strict=True)]
    columns, rows = (_nearest(place, mask.shape[1 - axis], reflect=reflect) for axis, place in enumerate(places))
    moved = mask[rows, columns]
    if not reflect:
        moved[(rows < 0) | (columns < 0)] = IGNORED
    return moved


def _nearest(places: npt.NDArray[np.float64], side: int, *, reflect: bool) -> npt.NDArray[np.int64]:
    """The pixels that coordinates fall into; beyond an axis, the reflected one or -1."""
    pixels = np.floor(places).astype(np.int64)
    low = int(pixels.min())
    known = np.arange(low, int(pixels.max()) + 1)
    table = _folded(known, side) if reflect else np.where((known >= 0) & (known < side), known, -1)
    return table[pixels - low]
