"""Where a detector looks: the points of a map, and boxes of several sizes and shapes around each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def anchor_shapes(sizes: Sequence[float], ratios: Sequence[float], *, rounded: bool = False) -> Tensor:
    """Boxes around the origin of every size in every ratio, all of one size with the same area.

    Args:
        sizes: Square roots of the areas, in pixels.
        ratios: Heights over widths.
        rounded: Round the corners to whole pixels, half to even, as torchvision's detectors do.

    Returns:
        float32 (len(ratios) · len(sizes), 4) in `xyxy`: all sizes of the first ratio, then of the next.
    """
    if not sizes or not ratios or min(*sizes, *ratios) <= 0:
        raise ValueError(f"sizes {list(sizes)} and ratios {list(ratios)} came: expected one or more of each, above 0")
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()
    side = torch.tensor(sizes, dtype=torch.float32)
    heights = (root[:, None] * side).flatten()
    widths = ((1 / root)[:, None] * side).flatten()
    boxes = torch.stack([-widths, -heights, widths, heights], dim=1) / 2
    return boxes.round() if rounded else boxes


def map_points(
    size: tuple[int, int],
    stride: int | tuple[int, int],
    *,
    offset: float = 0.5,
    device: torch.device | None = None,
) -> Tensor:
    """Where the places of a map lie in the picture.

    Args:
        size: Height and width of the map.
        stride: Pixels from place to place; down and across where they differ.
        offset: Of the points in the stride: 0.5 is the middle of the pixels that a place stands for, 0 their upper left
            corner.
        device: Of the result.

    Returns:
        float32 (H W, 2), x and y in pixels, row by row.
    """
    down, across = (stride, stride) if isinstance(stride, int) else stride
    if min(*size, down, across) < 1:
        raise ValueError(f"a map of {size[0]}×{size[1]} with stride {stride} came: expected at least 1 of each")
    y = (torch.arange(size[0], dtype=torch.float32, device=device) + offset) * down
    x = (torch.arange(size[1], dtype=torch.float32, device=device) + offset) * across
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows], dim=-1).flatten(0, 1)


def map_anchors(size: tuple[int, int], stride: int | tuple[int, int], shapes: Tensor, *, offset: float = 0.5) -> Tensor:
    """Every shape around every place of a map.

    Args:
        size: Height and width of the map.
        stride: See `map_points`.
        shapes: (A, 4), as `anchor_shapes` makes them.
        offset: See `map_points`; 0 is Faster R-CNN's in torchvision.

    Returns:
        (H W A, 4) in `xyxy`, on the device of the shapes: place by place, row by row, all shapes of a place together.
    """
    points = map_points(size, stride, offset=offset, device=shapes.device)
    return (points.repeat(1, 2)[:, None] + shapes).flatten(0, 1)
