"""How well objects are detected: mean average precision, by class and size, its curves and its intervals.

The COCO evaluation (T.-Y. Lin et al., Microsoft COCO, 2014, arXiv:1405.0312), computed by faster-coco-eval: the average
precision of a class is the mean of the precision at 101 values of recall; mAP is its mean over the classes that have
objects, and, where no overlap is named, over the overlaps 0.50, 0.55 to 0.95.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.nn.boxes import area, xyxy_to_xywh
from hubel.results import Interval
from hubel.tasks.average_precision import RECALLS, average_precision, rank
from hubel.tasks.detectors.objects import Detections, Objects, check_objects
from hubel.tasks.resampling import middle, resamples

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

# COCO's: areas below 32² and below 96² pixels.
SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Curve:
    """Precision by recall of one class at one overlap, 0.5, with the score that a detection needs for it.

    Attributes:
        recall: 101 values, 0 to 1.
        precision: The best precision at this recall or a greater one; 0 where it is not reached.
        score: The least score to report for it; 0 where it is not reached.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    score: tuple[float, ...]


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; None where there are no objects to find.

    Attributes:
        objects: How many objects it has.
        map: Average precision, mean over ten overlaps.
        map50: At the overlap 0.5.
        curve: Precision by recall at the overlap 0.5.
    """

    objects: int
    map: float | None
    map50: float | None
    curve: Curve | None


@dataclass(frozen=True)
class DetectionMetrics:
    """How well a detector did; None where there are no objects to find.

    Attributes:
        pictures: How many pictures were measured.
        objects: How many objects they have.
        map: Mean average precision over ten overlaps, 0.50 to 0.95.
        map50: At the overlap 0.5.
        map75: At the overlap 0.75.
        recall100: The share of objects found with 100 detections a picture, mean over overlaps and classes.
        by_size: `map` of objects that are `small`, `medium` and `large`.
        by_class: By the class's name.
        map_ci95: The 95 % bootstrap interval of `map` over the pictures; None where it was not asked for.
        map50_ci95: Likewise, of `map50`.
    """

    pictures: int
    objects: int
    map: float | None
    map50: float | None
    map75: float | None
    recall100: float | None
    by_size: dict[str, float | None]
    by_class: dict[str, ClassFigures]
    map_ci95: Interval | None
    map50_ci95: Interval | None


def detection_metrics(
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    classes: Sequence[str],
    *,
    intervals: bool = True,
    groups: npt.NDArray[np.int64] | None = None,
) -> DetectionMetrics:
    """Measure detections.

    Args:
        detections: Picture by picture, with all scores from about 0.001 on: what was dropped before cannot be found.
        objects: Picture by picture, in the same pixels; those too difficult to count must be left out beforehand.
        classes: The names of the labels, in order.
        intervals: Whether to compute the bootstrap intervals, of 1,000 resamples.
        groups: int64 (N,): the group of each picture, for pictures that are right or wrong together; None: none are.

    Raises:
        ValueError: Detections, objects and classes do not fit each other.
    """
    if len(detections) != len(objects):
        raise ValueError(f"detections of {len(detections)} pictures came with the objects of {len(objects)}")
    check_objects(list(objects), len(objects), len(classes))
    evaluation = _evaluated(detections, objects, classes)
    precision, score = evaluation["precision"], evaluation["scores"]  # (T, 101, classes, areas, limits)
    every, most = 0, -1  # all areas, 100 detections
    labels = np.concatenate([each.labels.numpy(force=True) for each in objects]) if objects else np.zeros(0)
    by_class = {}
    for label, name in enumerate(classes):
        own = precision[:, :, label, every, most]
        count = int((labels == label).sum())
        curve = _curve(own[0], score[0, :, label, every, most]) if count else None
        by_class[name] = ClassFigures(count, _mean(own), _mean(own[0]), curve)
    of_map, of_map50 = _intervals(detections, objects, len(classes), groups) if intervals else (None, None)
    return DetectionMetrics(
        pictures=len(objects),
        objects=len(labels),
        map=_mean(precision[:, :, :, every, most]),
        map50=_mean(precision[0, :, :, every, most]),
        map75=_mean(precision[5, :, :, every, most]),
        recall100=_mean(evaluation["recall"][:, :, every, most]),
        by_size={size: _mean(precision[:, :, :, place, most]) for place, size in enumerate(SIZES, start=1)},
        by_class=by_class,
        map_ci95=of_map,
        map50_ci95=of_map50,
    )


def _evaluated(detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str]) -> dict[str, Any]:
    """What faster-coco-eval accumulates."""
    from faster_coco_eval import COCO, COCOeval_faster

    annotations = []
    for number, there in enumerate(objects, start=1):
        sizes = area(there.boxes).tolist()
        for box, label, size in zip(xyxy_to_xywh(there.boxes).tolist(), there.labels.tolist(), sizes, strict=True):
            annotations.append({"image_id": number, "category_id": label + 1, "bbox": box, "area": size, "iscrowd": 0})
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    reported = []
    for number, found in enumerate(detections, start=1):
        rows = zip(xyxy_to_xywh(found.boxes).tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
        for box, label, score in rows:
            reported.append({"image_id": number, "category_id": label + 1, "bbox": box, "score": score})
    truth = COCO(
        {
            "info": {},
            "images": [{"id": number} for number in range(1, len(objects) + 1)],
            "annotations": annotations,
            "categories": [{"id": label, "name": name} for label, name in enumerate(classes, start=1)],
        }
    )
    # Without any detection there is no list to load; one that no object can match and no score exceeds is none.
    found_any = reported or [{"image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 0.0, 0.0], "score": 0.0}]
    evaluation = COCOeval_faster(truth, truth.loadRes(found_any), iouType="bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    accumulated: dict[str, Any] = evaluation.eval
    return accumulated


def _mean(values: Floats) -> float | None:
    """The mean of those that are defined; -1 means that there was nothing to find."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None


def _curve(precision: Floats, score: Floats) -> Curve:
    return Curve(
        tuple(RECALLS.tolist()),
        tuple(np.maximum(precision, 0).tolist()),
        tuple(np.where(precision > 0, score, 0).tolist()),
    )


def _intervals(
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    classes: int,
    groups: npt.NDArray[np.int64] | None,
) -> tuple[Interval | None, Interval | None]:
    """Of the mean over all overlaps, and of that at 0.5; each resample is over the classes that it has objects of."""
    present = sorted({label for each in objects for label in each.labels.tolist()})
    if not present:
        return None, None
    rankings = [rank(detections, objects, label, THRESHOLDS) for label in range(classes) if label in present]
    means = []
    for weights in resamples(len(objects), groups):
        areas = np.stack([average_precision(ranking, weights) for ranking in rankings])  # (classes, R, T)
        defined = ~np.isnan(areas)
        total = np.where(defined, areas, 0).sum(axis=0)
        with np.errstate(invalid="ignore"):  # a resample may have no objects at all
            means.append(total / defined.sum(axis=0))  # (R, T)
    of_all = np.concatenate(means)
    count = len(objects) if groups is None else int(groups.max()) + 1
    return middle(of_all.mean(axis=1), count), middle(of_all[:, 0], count)
