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

from hubel.nn.boxes import pairwise_iou
from hubel.tasks.detectors.objects import Detections, Objects

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Truths = npt.NDArray[np.bool_]

RECALLS = np.linspace(0, 1, 101)

# The most detections of a class in a picture that count.
MOST_DETECTIONS = 100


@dataclass(frozen=True)
class Ranking:
    """All D detections of one class, the highest score first.

    Attributes:
        pictures: int64 (D,): the number of each detection's picture.
        right: bool (T, D): whether it found an object, at each of T overlaps.
        objects: int64 (N,): how many objects of the class each picture has.
    """

    pictures: Integers
    right: Truths
    objects: Integers


def rank(
    detections: Sequence[Detections], objects: Sequence[Objects], label: int, thresholds: Sequence[float]
) -> Ranking:
    """The detections of one class, and which of them are right.

    Args:
        detections: Picture by picture.
        objects: Picture by picture.
        label: The class.
        thresholds: The least overlap, several.
    """
    pictures, scores, right = [], [], []
    for number, (found, there) in enumerate(zip(detections, objects, strict=True)):
        own = found.labels == label
        order = torch.argsort(found.scores[own], descending=True, stable=True)[:MOST_DETECTIONS]
        overlaps = pairwise_iou(found.boxes[own][order].double(), there.boxes[there.labels == label].double())
        right.append(_right(overlaps.numpy(force=True), thresholds))
        scores.append(found.scores[own][order].numpy(force=True))
        pictures.append(np.full(len(order), number, dtype=np.int64))
    best_first = np.argsort(-np.concatenate(scores), kind="stable")
    return Ranking(
        np.concatenate(pictures)[best_first],
        np.concatenate(right, axis=1)[:, best_first],
        np.array([int((there.labels == label).sum()) for there in objects], dtype=np.int64),
    )


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

    Args:
        ranking: The detections of a class.
        weights: (R, N): how often each picture comes in each resample.

    Returns:
        NaN for a resample without objects of the class.
    """
    counted = weights[:, ranking.pictures]  # (R, D)
    objects = weights @ ranking.objects  # (R,)
    areas = np.full((len(weights), len(ranking.right)), np.nan)
    for column, right in enumerate(ranking.right):
        found = np.cumsum(counted * right, axis=1)
        reported = np.cumsum(counted, axis=1)
        precision = found / np.maximum(reported, 1)
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        for row in np.flatnonzero(objects):
            places = np.searchsorted(found[row] / objects[row], RECALLS, side="left")
            reached = places[places < len(ranking.pictures)]
            areas[row, column] = precision[row, reached].sum() / len(RECALLS)
    return areas
