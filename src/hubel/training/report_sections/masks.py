"""What the page of a run that learnt masks shows: the classes, the confusion of their pixels, examples with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.drawing.masks import draw_errors, draw_mask
from hubel.data.drawing.thumbnails import as_address
from hubel.results import SegmentationMetrics
from hubel.results.palette import colours_of, has_background
from hubel.tasks.segmentation import SegmentationTask
from hubel.training.report_sections.drawing import spaced

if TYPE_CHECKING:
    from PIL import Image

    from hubel.data.decoded.store import PictureStore
    from hubel.data.sources import Sample
    from hubel.results import Segmentation
    from hubel.training.report import Report

_EXAMPLES = 6
_SIDE = 360  # pixels of the longer side of an example
_TRAINING_PICTURES = 6
_SMALL_SIDE = 240  # of a training picture
_MOST_CLASSES_IN_MATRIX = 40


def masks(report: Report, shown: str) -> dict[str, Any]:
    """The classes' figures, the confusion of pixels, and pictures from the worst to the best."""
    metrics, store, task = report.measured[shown], report.stores[shown], report.task
    assert isinstance(metrics, SegmentationMetrics)
    assert isinstance(task, SegmentationTask)
    right, true, _ = metrics.counts.sum(axis=2).T  # (N,) each
    accuracy = right / np.maximum(true, 1)
    order = np.argsort(accuracy, kind="stable")
    chosen = order[spaced(len(order), _EXAMPLES)].tolist()
    names: list[str | None] = [store.samples[at].name for at in chosen]
    answers = task.results([report.predictions[shown][at] for at in chosen], names)
    truths = task.truth(store.labels[chosen], names)
    drawn = [
        _example(task, store.samples[at], truth, answer, float(accuracy[at]))
        for at, truth, answer in zip(chosen, truths, answers, strict=True)
    ]
    return {
        "counts": report.readable.counts(),
        "samples": [("", _training_pictures(task, report.stores["train"]))],
        "classes": _classes(metrics),
        "confusion": _shares(metrics) if len(metrics.classes) <= _MOST_CLASSES_IN_MATRIX else None,
        "examples": [example for example in drawn if example],
    }


def _training_pictures(task: SegmentationTask, store: PictureStore) -> list[str]:
    """Some training pictures with their masks, evenly spaced."""
    chosen = spaced(len(store), _TRAINING_PICTURES)
    drawn = []
    for at, truth in zip(chosen, task.truth(store.labels[chosen], [None] * len(chosen)), strict=True):
        try:
            picture = draw_mask(load_image(store.samples[at], channels=3), truth.mask, task.classes, {})
        except UnreadableImage:
            continue
        picture.thumbnail((_SMALL_SIDE, _SMALL_SIDE))
        drawn.append(as_address(picture))
    return drawn


def _classes(metrics: SegmentationMetrics) -> list[dict[str, Any]]:
    """A row for each class: its figures, and the colour that it has in the pictures; a background has none."""
    colours: list[tuple[int, int, int] | None] = [*colours_of(metrics.classes)]
    if has_background(metrics.classes):
        colours[0] = None
    return [
        {"name": name, "colour": colour, "pixels": int(row.sum()), "iou": iou, "dice": dice}
        | {f"{of}_ci95": metrics.intervals[f"{of}/{name}"] for of in ("iou", "dice")}
        for name, colour, row, iou, dice in zip(
            metrics.classes, colours, metrics.confusion, metrics.iou, metrics.dice, strict=True
        )
    ]


def _shares(metrics: SegmentationMetrics) -> list[tuple[str, list[tuple[int, float]]]]:
    """The rows of the confusion: the true class, and for each predicted one the pixels and their share of the row."""
    shares = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1, keepdims=True), 1)
    return [
        (name, [(int(count), float(share)) for count, share in zip(counts, row, strict=True)])
        for name, counts, row in zip(metrics.classes, metrics.confusion, shares, strict=True)
    ]


def _example(
    task: SegmentationTask, sample: Sample, truth: Segmentation, answer: Segmentation, accuracy: float
) -> dict[str, Any] | None:
    """A picture, its truth, the answer and its errors as `data:` addresses; None where it cannot be read (any more)."""
    try:
        image = load_image(sample, channels=3)
    except UnreadableImage:
        return None
    pictures: dict[str, Image.Image] = {
        "picture": image.copy(),
        "truth": draw_mask(image, truth.mask, task.classes, {}),
        "model": draw_mask(image, answer.mask, task.classes, {}),
        "errors": draw_errors(image, truth.mask, answer.mask),
    }
    for picture in pictures.values():
        picture.thumbnail((_SIDE, _SIDE))
    addresses = {name: as_address(picture) for name, picture in pictures.items()}
    return {"name": sample.name, "accuracy": accuracy, "pictures": addresses}
