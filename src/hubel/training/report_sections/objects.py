"""What the page of a run that learnt boxes shows: curves, classes and sizes, pictures from the worst to the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.labels import ObjectsLabel
from hubel.results import DetectionMetrics
from hubel.results.detection import DetectedObject
from hubel.tasks.detection import DetectionTask
from hubel.training.charts import draw_detection_curves
from hubel.training.report_sections.drawing import drawn, spaced

if TYPE_CHECKING:
    from hubel.data.decoded.store import PictureStore
    from hubel.data.sources import Sample
    from hubel.results import DetectedObjects
    from hubel.training.report import Report

_EXAMPLES = 8
_TRAINING_PICTURES = 12
_SIDE = 520  # pixels of the longer side of an example
_SMALL_SIDE = 240  # of a training picture
_RIGHT = 0.5  # the overlap from which on an object is found


def objects(report: Report, shown: str) -> dict[str, Any]:
    """The classes' figures and curves, and examples with the truth beside the answer."""
    metrics, store, task = report.measured[shown], report.stores[shown], report.task
    assert isinstance(metrics, DetectionMetrics)
    assert isinstance(task, DetectionTask)
    names: list[str | None] = [sample.name for sample in store.samples]
    answers = task.results(report.predictions[shown], names)
    truths = task.truth(store.labels, names)
    quality = [picture_f1(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
    order = np.argsort(quality, kind="stable")
    chosen = [int(order[at]) for at in spaced(len(order), _EXAMPLES)]
    compared = [_example(task, store.samples[at], truths[at], answers[at], quality[at]) for at in chosen]
    return {
        "counts": _objects_by_split(report),
        "samples": [("", _training_pictures(task, report.stores["train"]))],
        "curves_of_classes": draw_detection_curves(metrics.by_class),
        "classes": [{"name": name, **metrics.class_dict(name)} for name in metrics.by_class],
        "examples": [example for example in compared if example is not None],
    }


def picture_f1(truth: DetectedObjects, answer: DetectedObjects) -> float:
    """The harmonic mean of precision and recall of one picture at the overlap 0.5; 1 where nothing is and is said.

    Answers take the truth that they overlap most, the surest first; those that lie in what does not count are passed
    over.
    """
    left = [each for each in truth.objects if not each.ignored]
    wanted, right, counted = len(left), 0, 0
    for found in answer.objects:
        near = [(_iou(found, each), number) for number, each in enumerate(left) if each.label == found.label]
        overlap, number = max(near, default=(0.0, -1))
        if overlap >= _RIGHT:
            left.pop(number)
            right += 1
        elif any(each.ignored and each.label == found.label and _inside(found, each) for each in truth.objects):
            continue
        counted += 1
    return 2 * right / (wanted + counted) if wanted + counted else 1.0


def _shared(first: DetectedObject, second: DetectedObject) -> float:
    width = min(first.box[2], second.box[2]) - max(first.box[0], second.box[0])
    height = min(first.box[3], second.box[3]) - max(first.box[1], second.box[1])
    return width * height if width > 0 and height > 0 else 0.0


def _area(of: DetectedObject) -> float:
    return (of.box[2] - of.box[0]) * (of.box[3] - of.box[1])


def _iou(first: DetectedObject, second: DetectedObject) -> float:
    shared = _shared(first, second)
    return shared / (_area(first) + _area(second) - shared) if shared else 0.0


def _inside(found: DetectedObject, around: DetectedObject) -> bool:
    return _shared(found, around) >= _RIGHT * _area(found) > 0


def _objects_by_split(report: Report) -> dict[str, dict[str, int]]:
    """How many objects of each class every split has, those that do not count left out."""
    counts = {}
    for split, store in report.stores.items():
        labels: list[ObjectsLabel] = list(store.labels)
        numbers = [
            number
            for label in labels
            for number, ignored in zip(label.classes, label.ignored, strict=True)
            if not ignored
        ]
        of_each = np.bincount(np.array(numbers, dtype=np.int64), minlength=len(report.task.classes))
        counts[split] = dict(zip(report.task.classes, of_each.tolist(), strict=True))
    return counts


def _training_pictures(task: DetectionTask, store: PictureStore) -> list[str]:
    chosen = spaced(len(store), _TRAINING_PICTURES)
    truths = task.truth(store.labels[chosen], [None] * len(chosen))
    pictures = (drawn(task, store.samples[at], truth, _SMALL_SIDE) for at, truth in zip(chosen, truths, strict=True))
    return [picture for picture in pictures if picture is not None]


def _example(
    task: DetectionTask, sample: Sample, truth: DetectedObjects, answer: DetectedObjects, quality: float
) -> dict[str, Any] | None:
    pictures = [drawn(task, sample, result, _SIDE) for result in (truth, answer)]
    if None in pictures:
        return None
    counts = {"there": sum(not each.ignored for each in truth.objects), "said": len(answer.objects)}
    return {"name": sample.name, "truth": pictures[0], "answer": pictures[1], "f1": quality, **counts}
