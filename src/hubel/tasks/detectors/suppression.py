"""From a detector's candidates, many for each object, to one report of each."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hubel.nn.boxes import nms, soft_nms
from hubel.tasks.detectors.objects import Detections


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """Which candidates are reported.

    Attributes:
        least_score: Candidates with no greater score are dropped.
        iou_threshold: Of two that overlap more, the surer one remains.
        most: The most reports of a picture.
        class_aware: Whether candidates of different classes leave each other alone.
        soft: Whether scores shrink by the overlap with surer candidates (Gaussian soft-NMS) instead.
    """

    least_score: float
    iou_threshold: float
    most: int
    class_aware: bool = True
    soft: bool = False


def suppressed(boxes: Tensor, labels: Tensor, scores: Tensor, how: Suppression, *, candidates: int) -> Detections:
    """The reports of one picture, the surest first.

    Args:
        boxes: (K, 4), `xyxy`.
        labels: int64 (K,).
        scores: (K,).
        how: Which remain.
        candidates: How many of the surest are looked at; for a network that knows nothing yet, all places are
            candidates.
    """
    if len(scores) > candidates:
        scores, order = scores.topk(candidates)
        boxes, labels = boxes[order], labels[order]
    competing = labels if how.class_aware else None
    if how.soft:
        kept, scores = soft_nms(boxes, scores, least_score=how.least_score, labels=competing, most=how.most)
        return Detections(boxes[kept], labels[kept], scores)
    kept = nms(boxes, scores, iou_threshold=how.iou_threshold, labels=competing)[: how.most]
    return Detections(boxes[kept], labels[kept], scores[kept])
