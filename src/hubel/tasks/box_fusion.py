"""What several detectors, or several views of one picture, say together: weighted box fusion.

R. Solovyev, W. Wang, T. Gabruseva, Weighted boxes fusion: Ensembling boxes from different object detection models,
2021, arXiv:1910.13302, section 3: boxes of different sources that overlap are one object, whose box is their mean,
weighted by their scores; non-maximum suppression would keep the surest box as it is and throw the others away. A
source that does not see the object has, so to speak, seen it with a score of 0: the score is the sum over the number of
sources (their equation 6).

Departure: boxes of one source are never taken for one object, as each source has sorted out its own. So one source, or
one source several times, comes out as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from hubel.tasks.detectors.objects import Detections

IOU_THRESHOLD = 0.55  # section 4.2

Floats = npt.NDArray[np.float64]


def fused(sources: Sequence[Detections], *, iou_threshold: float = IOU_THRESHOLD) -> Detections:
    """One picture's detections from several sources, the surest first; in float32, on the CPU.

    Args:
        sources: Of each model or view, all detections in the same pixels.
        iou_threshold: Boxes of one class that overlap more are one object.
    """
    boxes, labels, scores = (
        np.concatenate([part.numpy(force=True) for part in parts]) for parts in zip(*sources, strict=True)
    )
    boxes, scores = boxes.astype(np.float64), scores.astype(np.float64)
    source = np.repeat(np.arange(len(sources)), [len(each.scores) for each in sources])
    # Of each object that was found so far: the sum of its boxes times their scores, that of the scores, its mean box,
    # its label, and which sources see it.
    sums, weights, means = np.zeros((len(boxes), 4)), np.zeros(len(boxes)), np.zeros((len(boxes), 4))
    label_of, seen = np.zeros(len(boxes), np.int64), np.zeros((len(boxes), len(sources)), bool)
    count = 0
    for at in np.argsort(-scores, kind="stable"):
        possible = (label_of[:count] == labels[at]) & ~seen[:count, source[at]]
        overlaps = np.where(possible, _overlaps(boxes[at], means[:count]), -1.0)
        found = int(overlaps.argmax()) if count else -1
        if count == 0 or overlaps[found] <= iou_threshold:
            found, count = count, count + 1
            label_of[found] = labels[at]
        weight = max(scores[at], np.finfo(np.float64).tiny)
        sums[found] += weight * boxes[at]
        weights[found] += weight
        means[found] = sums[found] / weights[found]
        seen[found, source[at]] = True
    order = np.argsort(-weights[:count], kind="stable")
    return Detections(
        torch.from_numpy(means[order].astype(np.float32)),
        torch.from_numpy(label_of[order]),
        torch.from_numpy((weights[order] / len(sources)).astype(np.float32)),
    )


def _overlaps(box: Floats, others: Floats) -> Floats:
    """IoU of a box (4,) with others (K, 4): (K,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    overlaps: Floats = shared / np.maximum(areas - shared, np.finfo(np.float64).tiny)
    return overlaps
