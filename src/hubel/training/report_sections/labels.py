"""What the pages of tasks of classes, labels and numbers show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.drawing.thumbnails import thumbnail
from hubel.data.labels import label_text
from hubel.results import ClassificationMetrics, MultiLabelMetrics
from hubel.results.naming import number_text
from hubel.tasks.calibration import reliability
from hubel.tasks.classification import largest_confusions
from hubel.tasks.task import LabelTask
from hubel.training.report_sections.drawing import spaced

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.data.decoded.store import PictureStore
    from hubel.training.report import Report

_SAMPLES_IN_ROW = 6
_MOST_ROWS_OF_SAMPLES = 30
_MOST_CLASSES_IN_MATRIX = 40
_MISTAKES = 24
_ROWS_OF_NUMBERS = 4


def classification(report: Report, shown: str) -> dict[str, Any]:
    """Classes: the confusion matrix, the surest mistakes, the reliability diagram."""
    from hubel.training.charts import draw_reliability

    metrics, store, probabilities = report.measured[shown], report.stores[shown], report.predictions[shown]
    assert isinstance(metrics, ClassificationMetrics)
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != store.labels)
    names = report.task.classes
    mistakes = [
        _mistake(
            store,
            at,
            given=f"{names[predicted[at]]} {_percent(sure[at])}",
            true=f"{names[store.labels[at]]} ({_percent(probabilities[at, store.labels[at]])})",
        )
        for at in wrong[np.argsort(-sure[wrong], kind="stable")][:_MISTAKES]
    ]
    return {
        "counts": report.readable.counts(),
        "samples": _samples_by_class(report),
        "confusion": _shaded(metrics) if len(metrics.per_class) <= _MOST_CLASSES_IN_MATRIX else None,
        "confusions": largest_confusions(metrics),
        "mistakes": mistakes,
        "reliability": draw_reliability(reliability(probabilities, store.labels)),
        "wrong": metrics.images - int(np.trace(metrics.confusion)),
    }


def multilabel(report: Report, shown: str) -> dict[str, Any]:
    """Labels: curves of precision and recall, the least likely truths."""
    from hubel.training.charts import draw_precision_recall

    metrics, store, probabilities = report.measured[shown], report.stores[shown], report.predictions[shown]
    assert isinstance(metrics, MultiLabelMetrics)
    results = report.task.results(probabilities, [sample.name for sample in store.samples])
    given = [tuple(result.to_dict()["labels"]) for result in results]
    true = [tuple(label_text(sample.label, report.task.classes).split("|")) for sample in store.samples]
    likelihood = np.where(store.labels > 0, probabilities, 1 - probabilities).prod(axis=1)
    wrong = [at for at in np.argsort(likelihood, kind="stable").tolist() if set(given[at]) != set(true[at]) - {""}]
    return {
        "counts": report.readable.counts(),
        "samples": _samples_by_class(report),
        "precision_recall": draw_precision_recall(probabilities, store.labels, report.task.classes),
        "mistakes": [
            _mistake(store, at, given=", ".join(given[at]) or "no label", true=", ".join(true[at]) or "none of them")
            for at in wrong[:_MISTAKES]
        ],
        "wrong": len(wrong),
    }


def regression(report: Report, shown: str) -> dict[str, Any]:
    """Numbers: predicted against true ones, the largest errors."""
    from hubel.training.charts import draw_numbers

    store, numbers = report.stores[shown], report.predictions[shown][:, 0]
    values = store.labels.astype(np.float64)
    furthest = np.argsort(-np.abs(numbers - values), kind="stable")[:_MISTAKES]
    return {
        "numbers": {split: _summary(of_split.labels) for split, of_split in report.stores.items()},
        "samples": _samples_by_value(report.stores["train"]),
        "scatter": draw_numbers(values, numbers),
        "mistakes": [
            _mistake(store, at, given=number_text(numbers[at]), true=number_text(values[at])) for at in furthest
        ],
    }


def _mistake(store: PictureStore, at: int, *, given: str, true: str) -> dict[str, Any]:
    sample = store.samples[at]
    return {"picture": thumbnail(sample), "name": sample.name, "given": given, "true": true}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _shaded(metrics: ClassificationMetrics) -> list[tuple[str, list[tuple[int, float]]]]:
    """The confusion matrix's rows: the true class, and for each predicted one the count and its share of the row."""
    shares = metrics.confusion / np.maximum(metrics.confusion.sum(axis=1, keepdims=True), 1)
    return [
        (scores.name, [(int(count), float(share)) for count, share in zip(counts, row, strict=True)])
        for scores, counts, row in zip(metrics.per_class, metrics.confusion, shares, strict=True)
    ]


def _samples_by_class(report: Report) -> list[tuple[str, list[str]]]:
    """A few training pictures of each class, evenly spaced through the split."""
    store, task = report.stores["train"], report.task
    assert isinstance(task, LabelTask)
    return [
        (name, _row(store, np.flatnonzero(task.has(store.labels, position))))
        for position, name in enumerate(report.task.classes[:_MOST_ROWS_OF_SAMPLES])
    ]


def _samples_by_value(store: PictureStore) -> list[tuple[str, list[str]]]:
    """Training pictures from the lowest to the highest number, in rows of equally many."""
    rows = np.array_split(np.argsort(store.labels, kind="stable"), _ROWS_OF_NUMBERS)
    rows = [row for row in rows if len(row)]
    ends = [[number_text(float(store.labels[row[at]])) for at in (0, -1)] for row in rows]
    return [(f"{low} to {high}", _row(store, row)) for (low, high), row in zip(ends, rows, strict=True)]


def _row(store: PictureStore, positions: npt.NDArray[np.int64]) -> list[str]:
    chosen = positions[spaced(len(positions), _SAMPLES_IN_ROW)]
    return [picture for at in chosen if (picture := thumbnail(store.samples[at]))]


def _summary(values: npt.NDArray[np.float32]) -> dict[str, str]:
    """Of some numbers, as the page's table has them."""
    means = {"least": values.min(), "median": np.median(values), "mean": values.mean(dtype=np.float64)}
    figures = {name: number_text(float(value)) for name, value in {**means, "greatest": values.max()}.items()}
    return {"pictures": f"{len(values):,}", **figures}
