"""`report.html`: a run on one page that opens anywhere, without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hubel.bundle import Bundle
from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.sources import Sample
from hubel.data.splits import DataSplits
from hubel.data.store import PictureStore, Unreadable
from hubel.files import write_whole
from hubel.results import ClassificationMetrics
from hubel.tasks.calibration import reliability
from hubel.tasks.classification import largest_confusions, softmax

_SAMPLES_PER_CLASS = 6
_MOST_CLASSES_WITH_SAMPLES = 30
_MOST_CLASSES_IN_MATRIX = 40
_MISTAKES = 24
_UNREADABLE_LISTED = 200
_THUMBNAIL_SIDE = 144


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What the page tells.

    Attributes:
        bundle: The model.
        splits: The division of the pictures.
        stores: The readable pictures of each split.
        unreadable: The pictures left out.
        history: The rows of `metrics.csv`.
        best_epoch: From 1.
        wait_share: How much of the training steps' time was waiting for pictures, 0 to 1.
        measured: Metrics by split.
        logits: float32 (N, num_classes) by split, in the order of its store.
        parameters: Of the network.
        device: Where it was trained.
        config: The resolved configuration as YAML.
        rate_search: The rows of `rates.csv`; empty where no learning rate was searched for.
        learning_rate: The head's in the first phase.
    """

    bundle: Bundle
    splits: DataSplits
    stores: Mapping[str, PictureStore]
    unreadable: Sequence[Unreadable]
    history: Sequence[dict[str, Any]]
    best_epoch: int
    wait_share: float
    measured: Mapping[str, ClassificationMetrics]
    logits: Mapping[str, torch.Tensor]
    parameters: int
    device: str
    config: str
    rate_search: Sequence[dict[str, float]] = ()
    learning_rate: float = 0.0


def write_report(path: Path, report: Report) -> None:
    """Write the page, whole or not at all."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hubel.training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    write_whole(path, environment.get_template("report.html.j2").render(_context(path.parent.name, report)))


def _context(name: str, report: Report) -> dict[str, Any]:
    from hubel.training.charts import draw_curves, draw_rate_search, draw_reliability

    shown = "test" if "test" in report.measured else "validation"
    metrics = report.measured[shown]
    return {
        "name": name,
        "report": report,
        "shown": shown,
        "metrics": metrics,
        "counts": report.splits.counts(),
        "split_names": list(report.stores),
        "samples": _samples_by_class(report),
        "curves": draw_curves(report.history, report.best_epoch),
        "rate_search": draw_rate_search(report.rate_search, report.learning_rate) if report.rate_search else None,
        "seconds": sum(row["seconds"] for row in report.history),
        "confusion": _shaded(metrics) if len(metrics.per_class) <= _MOST_CLASSES_IN_MATRIX else None,
        "confusions": largest_confusions(metrics),
        "mistakes": _mistakes(report, shown),
        "reliability": draw_reliability(reliability(softmax(report.logits[shown]), report.stores[shown].labels)),
        "wrong": metrics.images - int(np.trace(metrics.confusion)),
        "unreadable": report.unreadable[:_UNREADABLE_LISTED],
    }


def _shaded(metrics: ClassificationMetrics) -> list[tuple[str, list[tuple[int, float]]]]:
    """The confusion matrix's rows: the true class, and for each predicted one the count and its share of the row."""
    shares = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1, keepdims=True), 1)
    return [
        (scores.name, [(int(count), float(share)) for count, share in zip(counts, row, strict=True)])
        for scores, counts, row in zip(metrics.per_class, metrics.confusion, shares, strict=True)
    ]


def _samples_by_class(report: Report) -> list[tuple[str, list[str]]]:
    """A few training pictures of each class, evenly spaced through the split."""
    store = report.stores["train"]
    rows = []
    for label, name in enumerate(report.bundle.classes[:_MOST_CLASSES_WITH_SAMPLES]):
        of_class = np.flatnonzero(store.labels == label)
        chosen = of_class[np.linspace(0, len(of_class) - 1, min(_SAMPLES_PER_CLASS, len(of_class))).astype(int)]
        rows.append((name, [picture for i in chosen if (picture := _thumbnail(store.samples[i]))]))
    return rows


def _mistakes(report: Report, split: str) -> list[dict[str, Any]]:
    """The wrong predictions that the model was surest of."""
    store, probabilities = report.stores[split], softmax(report.logits[split])
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != store.labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:_MISTAKES]
    classes = report.bundle.classes
    return [
        {
            "picture": _thumbnail(store.samples[i]),
            "name": store.samples[i].name,
            "true": classes[store.labels[i]],
            "true_probability": float(probabilities[i, store.labels[i]]),
            "predicted": classes[predicted[i]],
            "probability": float(sure[i]),
        }
        for i in wrong
    ]


def _thumbnail(sample: Sample) -> str | None:
    """A small copy of a picture as a `data:` address; None when its file has gone."""
    try:
        image = load_image(sample, channels=3, shorter_side=_THUMBNAIL_SIDE)
    except UnreadableImage:
        return None
    if max(image.size) <= _THUMBNAIL_SIDE // 2:  # digits and icons: show the pixels
        factor = _THUMBNAIL_SIDE // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((_THUMBNAIL_SIDE * 2, _THUMBNAIL_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
