"""How well objects are detected: mean average precision, by class and size, its curves and its intervals.

The COCO evaluation (T.-Y. Lin et al., Microsoft COCO, 2014, arXiv:1405.0312), computed by faster-coco-eval: the average
precision of a class is the mean of the precision at 101 values of recall; mAP is its mean over the classes that have
objects, and, where no overlap is named, over the overlaps 0.50, 0.55 to 0.95.

Objects that do not count (VOC's difficult ones, COCO's crowds) are COCO's crowds here: to miss them is no miss, and
what lies in them, however often it is reported, is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hubel.nn.boxes import area, xyxy_to_xywh
from hubel.results.detection import ClassFigures, Curve, DetectionDetails, DetectionMetrics, Reported
from hubel.tasks.average_precision import RECALLS, Ranking, average_precision, rank
from hubel.tasks.detectors.objects import Detections, Objects, check_objects
from hubel.tasks.resampling import middle, resamples

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ignored = Sequence[torch.Tensor] | None

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

# COCO's: areas below 32² and below 96² pixels.
SIZES = ("small", "medium", "large")


def detection_metrics(
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    classes: Sequence[str],
    *,
    ignored: Ignored = None,
    least_score: float = 0.25,
    groups: npt.NDArray[np.int64] | None = None,
) -> DetectionMetrics:
    """Measure detections.

    The intervals, of 1,000 bootstrap resamples, are computed when they are asked for.

    Args:
        detections: Picture by picture, with all scores from about 0.001 on: what was dropped before cannot be found.
        objects: Picture by picture, in the same pixels.
        classes: The names of the labels, in order.
        ignored: Picture by picture, bool (G,): which objects do not count; None: all do.
        least_score: From which score on detections are reported to people, for their precision and recall.
        groups: int64 (N,): the group of each picture, for pictures that are right or wrong together; None: none are.

    Raises:
        ValueError: Detections, objects and classes do not fit each other.
    """
    if len(detections) != len(objects):
        raise ValueError(f"detections of {len(detections)} pictures came with the objects of {len(objects)}")
    check_objects(list(objects), len(objects), len(classes))
    if ignored is not None and [len(each) for each in ignored] != [len(each.labels) for each in objects]:
        raise ValueError("what is ignored came for other objects: expected a value for each object of each picture")
    evaluation = _evaluated(detections, objects, classes, ignored)
    precision, score = evaluation["precision"], evaluation["scores"]  # (T, 101, classes, areas, limits)
    every, most = 0, -1  # all areas, 100 detections
    counts = _counts(objects, ignored, len(classes))
    by_class = {}
    for label, name in enumerate(classes):
        own = precision[:, :, label, every, most]
        curve = _curve(own[0], score[0, :, label, every, most]) if counts[label] else None
        by_class[name] = ClassFigures(int(counts[label]), _mean(own), _mean(own[0]), curve)
    return DetectionMetrics(
        images=len(objects),
        objects=int(counts.sum()),
        ignored=sum(len(each.labels) for each in objects) - int(counts.sum()),
        map=_mean(precision[:, :, :, every, most]),
        map50=_mean(precision[0, :, :, every, most]),
        map75=_mean(precision[5, :, :, every, most]),
        recall100=_mean(evaluation["recall"][:, :, every, most]),
        by_size={size: _mean(precision[:, :, :, place, most]) for place, size in enumerate(SIZES, start=1)},
        by_class=by_class,
        least_score=least_score,
        compute_details=partial(_details, detections, objects, classes, ignored, least_score, groups),
    )


def resampled_map50(
    detections: Sequence[Detections], objects: Sequence[Objects], ignored: Ignored = None
) -> npt.NDArray[np.float64]:
    """The figure `map50` of 1,000 resamples of the pictures: float64 (R,), NaN for one without any objects.

    The same resamples are drawn whenever there are as many pictures, so that two models' values go together.
    """
    rankings = _rankings(detections, objects, ignored, THRESHOLDS[:1])
    parts = [_mean_over_classes(areas)[:, 0] for areas in _areas(list(rankings.values()), len(objects), None)]
    return np.concatenate(parts) if parts else np.full(1, np.nan)


def _evaluated(
    detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str], ignored: Ignored
) -> dict[str, Any]:
    """What faster-coco-eval accumulates."""
    from faster_coco_eval import COCO, COCOeval_faster

    annotations: list[dict[str, Any]] = []
    for number, there in enumerate(objects, start=1):
        sizes = area(there.boxes).tolist()
        crowds = [0] * len(sizes) if ignored is None else ignored[number - 1].int().tolist()
        rows = zip(xyxy_to_xywh(there.boxes).tolist(), there.labels.tolist(), sizes, crowds, strict=True)
        for box, label, size, crowd in rows:
            annotation = {"image_id": number, "category_id": label + 1, "bbox": box, "area": size, "iscrowd": crowd}
            annotations.append({"id": len(annotations) + 1, **annotation})
    reported = []
    for number, found in enumerate(detections, start=1):
        scored = zip(xyxy_to_xywh(found.boxes).tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
        for box, label, score in scored:
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


def _counts(objects: Sequence[Objects], ignored: Ignored, classes: int) -> npt.NDArray[np.int64]:
    """How many objects that count each class has, int64 (classes,)."""
    labels = [each.labels if ignored is None else each.labels[~ignored[number]] for number, each in enumerate(objects)]
    together = torch.cat(labels) if labels else torch.zeros(0, dtype=torch.int64)
    counts: npt.NDArray[np.int64] = together.bincount(minlength=classes).numpy(force=True)
    return counts


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


def _details(
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    classes: Sequence[str],
    ignored: Ignored,
    least_score: float,
    groups: npt.NDArray[np.int64] | None,
) -> DetectionDetails:
    """The intervals; each resample is over the classes that it has objects of."""
    rankings = _rankings(detections, objects, ignored, THRESHOLDS)
    if not rankings:
        return DetectionDetails()
    areas = list(_areas(list(rankings.values()), len(objects), groups))
    means = np.concatenate([_mean_over_classes(each) for each in areas])  # (R, T)
    of_classes = np.concatenate([each[:, :, 0] for each in areas], axis=1)  # (classes, R), at 0.5
    count = len(objects) if groups is None else int(groups.max()) + 1
    return DetectionDetails(
        map_ci95=middle(means.mean(axis=1), count),
        map50_ci95=middle(means[:, 0], count),
        class_map50_ci95={classes[label]: middle(own, count) for label, own in zip(rankings, of_classes, strict=True)},
        reported={classes[label]: _reported(ranking, least_score) for label, ranking in rankings.items()},
    )


def _rankings(
    detections: Sequence[Detections], objects: Sequence[Objects], ignored: Ignored, thresholds: Sequence[float]
) -> dict[int, Ranking]:
    """Of each class that has objects that count."""
    highest = max((int(each.labels.max()) for each in objects if len(each.labels)), default=-1)
    present = np.flatnonzero(_counts(objects, ignored, highest + 1)).tolist()
    return {label: rank(detections, objects, label, thresholds, ignored) for label in present}


def _areas(rankings: Sequence[Ranking], pictures: int, groups: npt.NDArray[np.int64] | None) -> Iterator[Floats]:
    """The average precisions in some resamples at a time: (classes, R, T), NaN without objects of a class."""
    if rankings:
        for weights in resamples(pictures, groups):
            yield np.stack([average_precision(ranking, weights) for ranking in rankings])


def _mean_over_classes(areas: Floats) -> Floats:
    """(classes, R, T) to (R, T); NaN for a resample without any objects."""
    defined = ~np.isnan(areas)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0)
    return mean


def _reported(ranking: Ranking, least_score: float) -> Reported:
    """What of a class is reported from a score on, at the least of the overlaps."""
    sure = ranking.scores >= least_score
    right, counted = ranking.right[0] & sure, ranking.counted[0] & sure
    return Reported(int(ranking.objects.sum()), int(counted.sum()), int(right.sum()))
