"""One report per object: of boxes that overlap, the best one is kept.

Every function takes boxes in `xyxy`, (N, 4), with scores (N,), and perhaps with labels, int64 (N,): boxes of different
labels then leave each other alone (class-aware); without labels all boxes compete (class-agnostic).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hubel.nn.boxes.conversions import as_boxes
from hubel.nn.boxes.overlap import iou
from hubel.runtime import has_float64

# On a processor every box is compared with all kept ones, of all classes. Of more boxes than these each class is looked
# at by itself: 5,600 proposals of Faster R-CNN on five levels then take 0.7 times as long, 1,900 of them 0.5 times.
MOST_AT_ONCE = 1000


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, labels: Tensor | None = None) -> Tensor:
    """Non-maximum suppression: from the highest score down, a box is kept unless it overlaps a kept one too much.

    With torchvision's operator. Of equal scores, the first comes first. A box without area overlaps nothing.

    Args:
        boxes: (N, 4), finite.
        scores: (N,).
        iou_threshold: A box with a greater IoU than this with a kept one is dropped.
        labels: int64 (N,), 0 or more; None: all boxes compete.

    Returns:
        int64 (K,): the positions of the boxes that are kept, the highest score first.
    """
    from torchvision.ops import nms as suppress  # takes a second to import

    boxes = _checked(boxes, scores, labels)
    many = len(boxes) > MOST_AT_ONCE and not boxes.is_cuda
    if labels is not None and (many or not has_float64(boxes.device)):
        return _nms_class_by_class(boxes, scores, labels, iou_threshold)
    if labels is not None and len(boxes):
        # Each class gets a place of its own, as far off as all boxes are wide or high. In float64 the boxes keep the
        # digits that they have in float32.
        apart = boxes.amax() - boxes.amin() + 1
        boxes = boxes.double() + (labels * apart.double())[:, None]
    dtype = torch.promote_types(boxes.dtype, scores.dtype)  # the operator wants one for both
    kept: Tensor = suppress(boxes.to(dtype), scores.to(dtype), iou_threshold)
    return kept


def _nms_class_by_class(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    kept = []
    for label in labels.bincount().nonzero()[:, 0]:
        own = (labels == label).nonzero()[:, 0]
        kept.append(own[nms(boxes[own], scores[own], iou_threshold=iou_threshold)])
    positions = torch.cat(kept).sort().values
    return positions[scores[positions].argsort(descending=True, stable=True)]


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    method: Literal["linear", "gaussian"] = "gaussian",
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    least_score: float = 0.001,
    labels: Tensor | None = None,
    most: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Soft-NMS: a box that overlaps a better one is not dropped, its score shrinks the more the two overlap.

    Bodla et al. 2017, arXiv:1704.04503, section 3 (figure 2, equations 2 and 3). Of neighbours that are two objects, as
    in a crowd, both remain.

    Args:
        boxes: (N, 4), finite.
        scores: (N,), 0 or more.
        method: `"linear"`: beyond `iou_threshold` times 1 - IoU; `"gaussian"`: always times exp(-IoU² / sigma).
        iou_threshold: Of the linear method; the paper's 0.3.
        sigma: Of the Gaussian method; the paper's 0.5.
        least_score: Boxes whose score falls below it are dropped, as in the authors' code.
        labels: int64 (N,), 0 or more; None: all boxes compete.
        most: How many boxes remain at most, the best ones; None: all.

    Returns:
        int64 (K,): the positions of the boxes that remain, and their new scores (K,), the highest first.
    """
    if method not in ("linear", "gaussian"):
        raise ValueError(f"method is '{method}': expected linear or gaussian")
    if sigma <= 0:
        raise ValueError(f"sigma is {sigma}: expected more than 0")
    boxes = _checked(boxes, scores, labels)
    kept: list[int] = []
    kept_scores: list[Tensor] = []
    left = scores.to(boxes.dtype, copy=True)
    while len(kept) < min(len(boxes), len(boxes) if most is None else most):
        best = int(left.argmax())
        if not left[best] >= least_score:
            break
        kept.append(best)
        kept_scores.append(left[best].clone())
        overlap = iou(boxes[best], boxes)
        if labels is not None:
            overlap = torch.where(labels == labels[best], overlap, 0)
        if method == "linear":
            left *= torch.where(overlap > iou_threshold, 1 - overlap, 1)
        else:
            left *= (-overlap.square() / sigma).exp()
        left[kept] = -torch.inf
    positions = torch.tensor(kept, dtype=torch.int64, device=boxes.device)
    return positions, torch.stack(kept_scores).to(scores.dtype) if kept else scores[:0]


def _checked(boxes: Tensor, scores: Tensor, labels: Tensor | None) -> Tensor:
    boxes = as_boxes(boxes)
    if boxes.ndim != 2 or scores.shape != boxes.shape[:1] or (labels is not None and labels.shape != scores.shape):
        with_labels = "" if labels is None else f" and labels {tuple(labels.shape)}"
        raise ValueError(
            f"boxes of shape {tuple(boxes.shape)} came with scores {tuple(scores.shape)}{with_labels}: expected (N, 4) "
            "and (N,)"
        )
    broken = ~(boxes.isfinite().all(dim=1) & scores.isfinite())
    if bool(broken.any()):
        raise ValueError(f"{int(broken.sum())} of {len(boxes)} boxes have a coordinate or a score that is not finite")
    return boxes
