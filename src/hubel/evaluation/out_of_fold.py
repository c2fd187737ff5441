"""What the models of a cross-validation say of the pictures that each has not seen, and what that comes to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hubel.config import TrainConfig
from hubel.data.decoded.store import prepare_store
from hubel.data.division.splits import Folds
from hubel.data.labels import COLUMN_OF, label_text
from hubel.data.loading.loader import Loader, default_workers
from hubel.data.sources import Sample
from hubel.evaluation.binary import positive_class
from hubel.inference.predictor import Predictor
from hubel.results.base import interval_fields
from hubel.tasks.ranking import roc_auc
from hubel.tasks.task import Floats, Labels, LabelTask, label_task
from hubel.training.run import Run
from hubel.training.usual import BATCH_SIZE


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a fold's model says of the pictures that it has not seen.

    Attributes:
        fold: From 1.
        task: Of its model.
        samples: The pictures that can be read.
        labels: Theirs.
        predictions: (N, outputs).
    """

    fold: int
    task: LabelTask
    samples: tuple[Sample, ...]
    labels: Labels
    predictions: Floats


def predict_held_out(run: Run, held_out: Sequence[Sample], fold: int, config: TrainConfig) -> HeldOut:
    """Predict a fold with the model that was trained on the others.

    Args:
        run: That model's.
        held_out: The fold's pictures.
        fold: Its number, from 1.
        config: Of the cross-validation.
    """
    predictor = Predictor.load(run.bundle, device=config.device)
    store = prepare_store(
        held_out,
        predictor.preprocess,
        classes=predictor.classes,
        labelling=predictor.task.labelling,
        purpose="evaluation",
        cache_bytes=config.data.cache_bytes,
        max_unreadable=1.0,  # the fold's run has judged it
    )
    workers = default_workers(store, predictor.device) if config.data.workers is None else config.data.workers
    loader = Loader(store, batch_size=config.batch_size or BATCH_SIZE, preprocess=predictor.preprocess, workers=workers)
    store, predictions = predictor.predictions_of(loader)
    task = label_task(predictor.task, "a cross-validation")
    return HeldOut(fold, task, store.samples, store.labels, predictions)


def measure_folds(runs: Sequence[Run], predictions: Sequence[HeldOut], folds: Folds) -> dict[str, Any]:
    """What the `metrics.json` of a cross-validation says: each fold, their mean, and all predictions together."""
    rows = []
    for run, of_fold in zip(runs, predictions, strict=True):
        figures = _figures(of_fold.task, of_fold.predictions, of_fold.labels)
        rows.append({"fold": of_fold.fold, **figures, "best_epoch": run.metrics["best_epoch"], "dir": run.dir.name})
    task = predictions[0].task
    if task.thresholds:  # each fold may have chosen its own
        task = task.with_thresholds(np.mean([of_fold.task.thresholds for of_fold in predictions], axis=0).tolist())
    together = np.concatenate([of_fold.predictions for of_fold in predictions])
    labels = np.concatenate([of_fold.labels for of_fold in predictions])
    pooled = _figures(task, together, labels)
    headlines = [name for name in (*task.measure(together, labels).figures(), "roc_auc") if name in rows[0]]
    values = {name: np.array([row[name] for row in rows if row[name] is not None]) for name in headlines}
    if folds.groups:
        names = [folds.groups[sample.name] for of_fold in predictions for sample in of_fold.samples]
        distinct, groups = np.unique(np.array(names), return_inverse=True)
        for name, ci95 in task.grouped_intervals(together, labels, groups).items():
            pooled[f"{name}_ci95"] = None if ci95 is None else list(ci95)
        pooled["groups"] = len(distinct)
    return {
        "folds": rows,
        "mean": {name: float(value.mean()) for name, value in values.items() if len(value)},
        "standard_deviation": {name: float(value.std(ddof=1)) for name, value in values.items() if len(value)},
        "out_of_fold": pooled,
        "baselines": [baseline.to_dict() for baseline in task.baselines(labels, None)],
        "seconds": round(sum(run.metrics["seconds"] for run in runs), 1),
    }


def _figures(task: LabelTask, predictions: Floats, labels: Labels) -> dict[str, Any]:
    """All figures of some predictions; where one of two classes is right, with the ROC curve's area of the second."""
    figures = task.measure(predictions, labels).to_full_dict()
    positive = positive_class(task, None)
    if positive is not None and 0 < (of_it := task.has(labels, positive)).sum() < len(of_it):
        scores = predictions[:, positive]
        figures |= interval_fields("roc_auc", *roc_auc(scores[of_it], scores[~of_it]))
    return figures


def out_of_fold_table(predictions: Sequence[HeldOut], folds: Folds) -> str:
    """`out_of_fold.csv`: every picture with its label, its group, its fold and what is predicted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    task = predictions[0].task
    group = ["group"] * bool(folds.groups)
    shares = [f"probability {name}" for name in task.classes]
    writer.writerow(["path", COLUMN_OF[task.labelling], *group, "fold", "predicted", *shares])
    for of_fold in predictions:
        results = of_fold.task.results(of_fold.predictions, [sample.name for sample in of_fold.samples])
        for sample, row, result in zip(of_fold.samples, of_fold.predictions, results, strict=True):
            own = [folds.groups[sample.name]] if folds.groups else []
            [(_, predicted, *_)] = [row.values() for row in result.csv_rows(1)]
            shares = [f"{probability:.6f}" for probability in row] if task.classes else []
            label = label_text(sample.label, folds.classes)
            writer.writerow([sample.name, label, *own, of_fold.fold, predicted, *shares])
    return text.getvalue()
