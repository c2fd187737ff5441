"""How boxes are written: by corners, by centre and size, by corner and size; in pixels or relative to the picture.

Boxes are float tensors (..., 4) in `xyxy`, the corners (x1, y1, x2, y2), unless a name says otherwise: x to the right
and y down, in pixels from the upper left corner of the picture, as continuous coordinates (the first pixel spans 0 to
1). `cxcywh` is centre, width and height; `xywh`, as in COCO's files, the upper left corner, width and height.
"""

from __future__ import annotations

import torch
from torch import Tensor


def as_boxes(boxes: Tensor) -> Tensor:
    """The same boxes in float32 at least: integers, and halves, whose areas overflow, become float32.

    Raises:
        ValueError: The last axis has not 4 values.
    """
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"boxes of shape {tuple(boxes.shape)} came: expected (..., 4)")
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners (..., 4) to centre, width and height (..., 4)."""
    x1, y1, x2, y2 = as_boxes(boxes).unbind(-1)
    return torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], dim=-1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre, width and height (..., 4) to corners (..., 4)."""
    cx, cy, width, height = as_boxes(boxes).unbind(-1)
    return torch.stack([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2], dim=-1)


def xyxy_to_xywh(boxes: Tensor) -> Tensor:
    """Corners (..., 4) to upper left corner, width and height (..., 4)."""
    x1, y1, x2, y2 = as_boxes(boxes).unbind(-1)
    return torch.stack([x1, y1, x2 - x1, y2 - y1], dim=-1)


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Upper left corner, width and height (..., 4) to corners (..., 4)."""
    x, y, width, height = as_boxes(boxes).unbind(-1)
    return torch.stack([x, y, x + width, y + height], dim=-1)


def to_relative(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes in pixels as shares of the picture's width and height; of corners or of centre and size alike.

    Args:
        boxes: (..., 4).
        size: Height and width of the picture.
    """
    boxes = as_boxes(boxes)
    return boxes / _scale(boxes, size)


def to_absolute(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes as shares of the picture's width and height in pixels; of corners or of centre and size alike.

    Args:
        boxes: (..., 4).
        size: Height and width of the picture.
    """
    boxes = as_boxes(boxes)
    return boxes * _scale(boxes, size)


def _scale(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"the picture's height and width are {height} and {width}: expected at least 1")
    return boxes.new_tensor([width, height, width, height])
