"""A plan carried out for a whole batch at once in torch: on a GPU, or wherever the batch is.

It gives what `hubel.data.augmentation.on_arrays` gives, up to rounding: resized crops are the same antialiased bilinear
resampling, as two matrix products per picture, but without the rounding that torch's integer arithmetic does between
them. A value differs by at most 1 of 255 before colour changes, and in few places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hubel.data.augmentation.finishing import finished
from hubel.data.augmentation.plan import Plan
from hubel.data.augmentation.resampling import Pixels, part_to_bend, resampled


class Packed(NamedTuple):
    """What is seen of pictures as one tensor, and what is to be done with it.

    Attributes:
        pixels: uint8 (N, H, W, C): each picture's part in the top left corner, zeros around it.
        sizes: Heights and widths of the parts, int64 (N, 2).
        windows: As `Geometry.windows`, in the parts.
        matrices: As `Geometry.matrices`, to points of the parts.
        plan: For the pictures as they came.
    """

    pixels: Tensor
    sizes: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]
    matrices: npt.NDArray[np.float64]
    plan: Plan

    def vary(self, device: torch.device) -> Tensor:
        """Carry out the plan on a device: uint8 (N, height, width, C) there."""
        geometry = self.plan.geometry
        pixels = self.pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).to(torch.float32).contiguous()
        height, width = geometry.size
        images = torch.empty(len(pixels), pixels.shape[1], height, width, device=device)
        plain, bent = np.flatnonzero(~geometry.bent), np.flatnonzero(geometry.bent)
        if len(plain):
            at = torch.from_numpy(plain).to(device)
            images[at] = _windows(pixels[at], self, plain)
        if len(bent):
            at = torch.from_numpy(bent).to(device)
            fields = None if geometry.fields is None else geometry.fields[bent]
            images[at] = resampled(pixels[at], self.matrices[bent], fields, geometry.size)
        return finished(images, self.plan.looks).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def pack(pictures: Sequence[Pixels], plan: Plan, *, reflect: bool) -> Packed:
    """Pack what is seen of N pictures, uint8 (h, w, C)."""
    geometry = plan.geometry
    windows, matrices = geometry.windows.copy(), geometry.matrices.copy()
    parts = []
    for number, picture in enumerate(pictures):
        if geometry.bent[number]:
            part, matrices[number] = part_to_bend(picture, geometry, number, reflect=reflect)
        else:
            top, left, rows, columns = windows[number].tolist()
            part = picture[max(0, top) : top + rows, max(0, left) : left + columns]
            windows[number, :2] = min(0, top), min(0, left)
        parts.append(part)
    sizes = np.array([part.shape[:2] for part in parts])
    pixels = np.zeros((len(parts), *sizes.max(axis=0), parts[0].shape[2]), dtype=np.uint8)
    for part, target in zip(parts, pixels, strict=True):
        target[: part.shape[0], : part.shape[1]] = part
    return Packed(torch.from_numpy(pixels), sizes, windows, matrices, plan)


def _windows(pixels: Tensor, packed: Packed, numbers: npt.NDArray[np.int64]) -> Tensor:
    """Windows of pictures (n, C, H, W), copied or resized, mirrored or flipped: (n, C, height, width)."""
    geometry, windows, sizes = packed.plan.geometry, packed.windows[numbers], packed.sizes[numbers]
    rows = _weights(windows[:, [0, 2]], sizes[:, 0], geometry.flipped[numbers], geometry.size[0], pixels, axis=2)
    columns = _weights(windows[:, [1, 3]], sizes[:, 1], geometry.mirrored[numbers], geometry.size[1], pixels, axis=3)
    return (rows[:, None] @ (pixels @ columns[:, None].transpose(2, 3))).round_().clamp_(0, 255)


def _weights(
    windows: npt.NDArray[np.int64],
    sides: npt.NDArray[np.int64],
    backwards: npt.NDArray[np.bool_],
    target: int,
    pixels: Tensor,
    *,
    axis: int,
) -> Tensor:
    """How much each pixel of an axis counts for each of the output: triangles, as wide as a step and at least 1.

    Args:
        windows: Start and length along the axis, (n, 2).
        sides: The pictures' own lengths, (n,).
        backwards: Whether the axis is reversed, (n,).
        target: The output's length.
        pixels: The batch.
        axis: Of the batch.

    Returns:
        (n, target, length of the batch's axis); a row sums to 1, or to 0 where it lies beyond the picture.
    """

    def column(values: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(pixels)[:, None, None]

    start, length, side = column(windows[:, 0]), column(windows[:, 1]), column(sides)
    step = length / target
    order = torch.arange(target, device=pixels.device)[:, None]
    order = torch.where(torch.from_numpy(backwards).to(pixels.device)[:, None, None], target - 1 - order, order)
    places = torch.arange(pixels.shape[axis], device=pixels.device, dtype=pixels.dtype)
    weights = 1 - (places + 0.5 - start - (order + 0.5) * step).abs() / step.clamp(min=1)
    inside = (places >= start) & (places < start + length) & (places < side)
    weights = torch.where(inside, weights.clamp_(min=0), 0.0)
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
