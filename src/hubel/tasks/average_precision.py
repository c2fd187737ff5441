"""Average precision by hand: which detections are right, and the area under precision and recall, for many resamples.

As the COCO evaluation does (T.-Y. Lin et al., Microsoft COCO, 2014, arXiv:1405.0312; its `cocoeval.py`): a detection is
right if it overlaps an object of its class that no better detection has found; precision is made monotonous and read
at 101 values of recall. `hubel.tasks.detection_metrics` has the figures themselves from faster-coco-eval; this is for
their intervals, which need the average precision of a thousand resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hubel.nn.boxes import area, pairwise_iou
from hubel.runtime import in_float64
from hubel.tasks.detectors.objects import Detections, Objects

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Truths = npt.NDArray[np.bool_]

RECALLS = np.linspace(0, 1, 101)
_ROUNDING = 1e-9  # so that a recall of 3 in 10 reaches 0.3

# The most detections of a class in a picture that count.
MOST_DETECTIONS = 100


@dataclass(frozen=True)
class Ranking:
    """All D detections of one class, the highest score first.

    Attributes:
        pictures: int64 (D,): the number of each detection's picture.
        scores: float (D,).
        right: bool (T, D): whether it found an object, at each of T overlaps.
        counted: bool (T, D): whether it is right or wrong; the others lie in an object that does not count.
        objects: int64 (N,): how many objects of the class that count each picture has.
    """

    pictures: Integers
    scores: Floats
    right: Truths
    counted: Truths
    objects: Integers


def rank(
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    label: int,
    thresholds: Sequence[float],
    ignored: Sequence[Tensor] | None = None,
) -> Ranking:
    """The detections of one class, and which of them are right.

    A detection that finds no object, but lies in one that does not count by the least overlap (the share of its own
    area, as of COCO's crowds), is neither right nor wrong.

    Args:
        detections: Picture by picture.
        objects: Picture by picture.
        label: The class.
        thresholds: The least overlap, several.
        ignored: Picture by picture, bool (G,): which objects do not count; None: all do.
    """
    pictures, scores, right, counted, counts = [], [], [], [], []
    for number, (found, there) in enumerate(zip(detections, objects, strict=True)):
        own, of_class = found.labels == label, there.labels == label
        apart = torch.zeros_like(of_class) if ignored is None else ignored[number].to(of_class.device)
        order = torch.argsort(found.scores[own], descending=True, stable=True)[:MOST_DETECTIONS]
        boxes = in_float64(found.boxes[own][order])
        overlaps = pairwise_iou(boxes, in_float64(there.boxes[of_class & ~apart]))
        of_picture = _right(overlaps.numpy(force=True), thresholds)
        inside = _share_inside(boxes, in_float64(there.boxes[of_class & apart])).numpy(force=True)  # (D,)
        right.append(of_picture)
        counted.append(of_picture | (inside < np.array(thresholds)[:, None]))
        scores.append(found.scores[own][order].numpy(force=True))
        pictures.append(np.full(len(order), number, dtype=np.int64))
        counts.append(int((of_class & ~apart).sum()))
    together = np.concatenate(scores)
    best_first = np.argsort(-together, kind="stable")
    return Ranking(
        np.concatenate(pictures)[best_first],
        together[best_first],
        np.concatenate(right, axis=1)[:, best_first],
        np.concatenate(counted, axis=1)[:, best_first],
        np.array(counts, dtype=np.int64),
    )


def _share_inside(boxes: Tensor, areas: Tensor) -> Tensor:
    """The greatest share of each box (D, 4) that lies in one of some areas (G, 4): (D,), -1 where there are none."""
    if not len(areas):
        return boxes.new_full((len(boxes),), -1)
    low = torch.maximum(boxes[:, None, :2], areas[:, :2])
    high = torch.minimum(boxes[:, None, 2:], areas[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)  # (D, G)
    return (shared / area(boxes).clamp(min=torch.finfo(boxes.dtype).tiny)[:, None]).amax(dim=1)


def _right(overlaps: Floats, thresholds: Sequence[float]) -> Truths:
    """Detections (the best first) with objects, (D, G), to bool (T, D): each takes the best object that is left."""
    right = np.zeros((len(thresholds), len(overlaps)), dtype=bool)
    for row, threshold in zip(right, thresholds, strict=True):
        left = overlaps.copy()
        for number in np.flatnonzero((overlaps >= threshold).any(axis=1)):
            best = int(left[number].argmax())
            if left[number, best] >= threshold:
                row[number] = True
                left[:, best] = -1
    return right


def average_precision(ranking: Ranking, weights: Floats) -> Floats:
    """The average precision of each resample, at each overlap: float64 (R, T).

    Only where an object is found can precision be the best at its recall or a greater one, so nothing but the count of
    reports is added up over all D detections, and where all count, that is once for all overlaps.

    Args:
        ranking: The detections of a class.
        weights: (R, N): how often each picture comes in each resample.

    Returns:
        NaN for a resample without objects of the class.
    """
    drawn = weights[:, ranking.pictures]  # (R, D)
    objects = (weights @ ranking.objects)[:, None]  # (R, 1)
    reported = np.cumsum(drawn, axis=1)
    areas = np.empty((len(weights), len(ranking.right)))
    for column, (right, counted) in enumerate(zip(ranking.right, ranking.counted, strict=True)):
        places = np.flatnonzero(right)  # of F detections
        before = reported if counted.all() else np.cumsum(drawn * counted, axis=1)
        found = np.cumsum(drawn[:, places], axis=1)  # (R, F)
        precision = found / np.maximum(before[:, places], 1)
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = np.floor((len(RECALLS) - 1) * found / np.maximum(objects, 1) + _ROUNDING) + (found > 0)
        areas[:, column] = (precision * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(RECALLS)
    return np.where(objects > 0, areas, np.nan)
