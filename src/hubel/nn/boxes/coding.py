"""Boxes as the numbers that detectors predict: relative to anchors, to the cells of a grid, or to points.

Boxes are `xyxy` in pixels. Each coding is a pair of functions, and decoding what was encoded gives the box again.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hubel.nn.boxes.conversions import as_boxes, cxcywh_to_xyxy, xyxy_to_cxcywh

Weights = tuple[float, float, float, float]

# exp(4.14) = 62.5: no box is decoded to more than 62.5 times its anchor (1000 / 16, as in Detectron and torchvision).
MAX_LOG_SCALE = math.log(1000 / 16)


def encode_deltas(boxes: Tensor, anchors: Tensor, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """Boxes relative to anchors, (tx, ty, tw, th), as Faster R-CNN predicts them.

    tx = w_x (x - x_a) / w_a, tw = w_w log(w / w_a), and so for y and h, with x, y the centres (Ren et al. 2015,
    arXiv:1506.01497, equation 2; the weights are Fast R-CNN's division by standard deviations).

    Args:
        boxes: (..., 4), with widths and heights above 0.
        anchors: (..., 4) likewise; broadcast against the boxes.
        weights: Of tx, ty, tw, th.

    Raises:
        ValueError: A box or an anchor has no width or no height, which has no logarithm.
    """
    box_centre, box_size = _centre_and_size("boxes", boxes)
    anchor_centre, anchor_size = _centre_and_size("anchors", anchors)
    shift = (box_centre - anchor_centre) / anchor_size
    scale = (box_size / anchor_size).log()
    return torch.cat([shift, scale], dim=-1) * shift.new_tensor(weights)


def decode_deltas(
    deltas: Tensor,
    anchors: Tensor,
    weights: Weights = (1.0, 1.0, 1.0, 1.0),
    max_log_scale: float = MAX_LOG_SCALE,
) -> Tensor:
    """The boxes (..., 4) that deltas (..., 4) relative to anchors (..., 4) mean; see `encode_deltas`.

    Args:
        deltas: (tx, ty, tw, th).
        anchors: Broadcast against the deltas.
        weights: Of tx, ty, tw, th.
        max_log_scale: Above it tw and th count as it, so that no exponential overflows.
    """
    deltas = as_boxes(deltas)
    deltas = deltas / deltas.new_tensor(weights)
    centre, size = xyxy_to_cxcywh(anchors).chunk(2, dim=-1)
    shift, scale = deltas.chunk(2, dim=-1)
    return cxcywh_to_xyxy(torch.cat([shift * size + centre, scale.clamp(max=max_log_scale).exp() * size], dim=-1))


def encode_in_grid(boxes: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes in the cells of a grid over the picture, as YOLO's first version predicts them.

    Redmon et al. 2016, arXiv:1506.02640, section 2: the cell in which the centre lies, the centre's place in that cell,
    and width and height relative to the picture.

    Args:
        boxes: (N, 4).
        size: Height and width of the picture.
        grid: Rows and columns of cells.

    Returns:
        The cells, int64 (N, 2), row and column; and x, y, width and height (N, 4), in 0 to 1 for boxes in the picture.
    """
    centre, sides = xyxy_to_cxcywh(boxes).chunk(2, dim=-1)
    whole = centre.new_tensor([size[1], size[0]])
    cells = centre.new_tensor([grid[1], grid[0]])
    place = centre / whole * cells
    # A centre on the lower or right border belongs to the last cell.
    cell = place.floor().clamp(min=0).minimum(cells - 1)
    return cell.long().flip(-1), torch.cat([place - cell, sides / whole], dim=-1)


def decode_in_grid(codes: Tensor, cells: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """The boxes (..., 4) that codes (..., 4) in cells (..., 2) mean; see `encode_in_grid`."""
    codes = as_boxes(codes)
    whole = codes.new_tensor([size[1], size[0]])
    place, sides = codes.chunk(2, dim=-1)
    centre = (place + cells.flip(-1)) / codes.new_tensor([grid[1], grid[0]]) * whole
    return cxcywh_to_xyxy(torch.cat([centre, sides * whole], dim=-1))


def encode_logistic(boxes: Tensor, cells: Tensor, priors: Tensor, stride: int) -> Tensor:
    """Boxes relative to cells and to prior sizes, (tx, ty, tw, th), as YOLO's second and third versions predict them.

    Redmon and Farhadi 2017, arXiv:1612.08242, figure 3: σ(tx) + c_x is the centre in cells, p_w e^tw the width.

    Args:
        boxes: (..., 4), with widths and heights above 0; a centre on a cell's border or outside of the cell counts as
            a millionth of a cell inside, as no finite number has that logistic value.
        cells: Row and column (..., 2).
        priors: Widths and heights in pixels (..., 2).
        stride: Pixels from cell to cell.

    Raises:
        ValueError: A box has no width or no height.
    """
    centre, sides = _centre_and_size("boxes", boxes)
    place = centre / stride - cells.flip(-1)
    return torch.cat([place.logit(eps=1e-6), (sides / priors).log()], dim=-1)


def decode_logistic(
    codes: Tensor, cells: Tensor, priors: Tensor, stride: int, max_log_scale: float = MAX_LOG_SCALE
) -> Tensor:
    """The boxes (..., 4) that codes (..., 4) mean; see `encode_logistic`, and `decode_deltas` for `max_log_scale`."""
    place, scale = as_boxes(codes).chunk(2, dim=-1)
    centre = (place.sigmoid() + cells.flip(-1)) * stride
    return cxcywh_to_xyxy(torch.cat([centre, scale.clamp(max=max_log_scale).exp() * priors], dim=-1))


def encode_distances(boxes: Tensor, points: Tensor) -> Tensor:
    """How far the left, top, right and bottom sides of boxes (..., 4) are from points (..., 2), x and y: (..., 4).

    As anchor-free detectors predict them (Tian et al. 2019, arXiv:1904.01355, equation 1). All four are above 0 where
    the point lies in the box.
    """
    low, high = as_boxes(boxes).chunk(2, dim=-1)
    return torch.cat([points - low, high - points], dim=-1)


def decode_distances(distances: Tensor, points: Tensor) -> Tensor:
    """The boxes (..., 4) whose sides are so far (..., 4) from points (..., 2); see `encode_distances`."""
    before, behind = as_boxes(distances).chunk(2, dim=-1)
    return torch.cat([points - before, points + behind], dim=-1)


def _centre_and_size(name: str, boxes: Tensor) -> tuple[Tensor, Tensor]:
    centre, size = xyxy_to_cxcywh(boxes).chunk(2, dim=-1)
    if flat := int((~(size > 0)).any(dim=-1).sum()):
        raise ValueError(
            f"{flat} of {size[..., 0].numel()} {name} have no width or no height: expected x2 > x1 and y2 > y1; leave "
            "such boxes out"
        )
    return centre, size
