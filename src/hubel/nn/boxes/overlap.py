"""How much boxes overlap: area, IoU, and the measures after it that also tell boxes apart that do not touch.

Each measure takes two tensors of boxes in `xyxy` that broadcast against each other, (..., 4) and (..., 4), and returns
their measure (...): two lists of the same length are measured element by element, and `pairwise` measures every box of
one list against every box of another.

A box whose second corner is not below and to the right of its first one has the area 0. Two boxes that together have
no area have the IoU 0, and wherever a quotient is 0 / 0 its value and its gradients are 0: no measure, and no gradient,
is ever NaN for finite boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hubel.nn.boxes.conversions import as_boxes

Measure = Callable[[Tensor, Tensor], Tensor]


def area(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4)."""
    width, height = _sides(as_boxes(boxes))
    return width * height


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) in pixels, cut off at the borders of a picture of this height and width."""
    boxes = as_boxes(boxes)
    height, width = size
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def pairwise(measure: Measure, first: Tensor, second: Tensor) -> Tensor:
    """Every pair's measure: boxes (N, 4) and (M, 4) to (N, M)."""
    return measure(first[:, None, :], second[None, :, :])


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Every pair's IoU: boxes (N, 4) and (M, 4) to (N, M)."""
    return pairwise(iou, first, second)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union: 0 for boxes that share nothing, 1 for the same box."""
    first, second = as_boxes(first), as_boxes(second)
    return _iou_and_union(first, second)[0]


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU, in -1 to 1: IoU less the share of the smallest box around both that neither covers.

    Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    first, second = as_boxes(first), as_boxes(second)
    overlap, union = _iou_and_union(first, second)
    around = area(_around(first, second))
    return overlap - _quotient(around - union, around)


def diou(first: Tensor, second: Tensor) -> Tensor:
    """Distance IoU, in -1 to 1: IoU less the squared distance of the centres over the squared diagonal around both.

    Zheng et al. 2020, arXiv:1911.08287, equations 6 and 7.
    """
    first, second = as_boxes(first), as_boxes(second)
    return _iou_and_union(first, second)[0] - _distance(first, second)


def ciou(first: Tensor, second: Tensor) -> Tensor:
    """Complete IoU: distance IoU less a penalty α v for different ratios of width to height.

    Zheng et al. 2020, arXiv:1911.08287, equations 8 to 11. As in the authors' code the weight α of the penalty counts
    as a constant in the gradient.
    """
    first, second = as_boxes(first), as_boxes(second)
    overlap = _iou_and_union(first, second)[0]
    difference = 4 / math.pi**2 * (_angle(first) - _angle(second)).square()
    with torch.no_grad():
        weight = _quotient(difference, 1 - overlap + difference)
    return overlap - _distance(first, second) - weight * difference


def _sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Widths and heights, each (...), none below 0."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).unbind(-1)
    return width, height


def _iou_and_union(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    width, height = (high - low).clamp(min=0).unbind(-1)
    shared = width * height
    union = area(first) + area(second) - shared
    return _quotient(shared, union), union


def _around(first: Tensor, second: Tensor) -> Tensor:
    """The smallest box around both."""
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    return torch.cat([low, high], dim=-1)


def _distance(first: Tensor, second: Tensor) -> Tensor:
    """The squared distance of the centres over the squared diagonal of the box around both."""
    apart = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    around = _around(first, second)
    diagonal = around[..., 2:] - around[..., :2]
    return _quotient(apart.square().sum(-1), diagonal.square().sum(-1))


def _angle(boxes: Tensor) -> Tensor:
    """arctan(width / height); a box without any sides counts as a square."""
    width, height = _sides(boxes)
    nothing = (width == 0) & (height == 0)
    # The value that would make the quotient NaN is replaced before the division: behind it, the gradient would be NaN.
    return torch.atan2(torch.where(nothing, 1, width), torch.where(nothing, 1, height))


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, and 0 with gradients of 0 where the denominator is 0, or so small that gradients could overflow."""
    is_some = denominator > math.sqrt(torch.finfo(denominator.dtype).tiny)  # 1e-19 in float32
    return torch.where(is_some, numerator / torch.where(is_some, denominator, 1), 0)
