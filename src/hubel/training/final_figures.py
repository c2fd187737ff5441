"""The figures that a run ends with: its written model on validation and, this once, on test, beside plain guesses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hubel.data.decoded.store import PictureStore, Unreadable
from hubel.inference.predictor import Predictor
from hubel.results import Metrics
from hubel.results.naming import headline
from hubel.tasks.task import AnyTask, LabelTask, Predictions, Task
from hubel.training.folder import RunFolder
from hubel.training.preparation import Prepared
from hubel.training.progress import Reporter


class Measured(NamedTuple):
    """What is predicted, its metrics by split, all splits' pictures less those that cannot be read any more, and those.

    The predictions are of a task whose thresholds are chosen, where they are to be chosen.
    """

    task: AnyTask
    metrics: dict[str, Metrics]
    predictions: dict[str, Predictions]
    stores: dict[str, PictureStore]
    lost: list[Unreadable]


def measure_run(prepared: Prepared, folder: RunFolder, reporter: Reporter) -> Measured:
    """Measure the written model, as anybody who loads it would, on validation and, this once, on test."""
    predictor = Predictor.load(folder.bundle, device=str(prepared.device))
    task: AnyTask = prepared.task
    stores, lost = dict(prepared.stores), list[Unreadable]()
    measured: dict[str, Metrics] = {}
    predictions: dict[str, Predictions] = {}
    for split in ("validation", "test"):
        if split in prepared.stores:
            loader = prepared.loader(split)
            stores[split], predictions[split] = predictor.predictions_of(loader)
            for item in loader.lost:
                reporter.message(f"can no longer be read, left out of {split}: {item.sample.name} ({item.reason})")
            lost += loader.lost
            labels = stores[split].labels
            if split == "validation" and isinstance(task, LabelTask):
                task = task.tuned(predictions[split], labels)
            measured[split] = task.measure(predictions[split], labels)
            reporter.message(f"{split}: {headline(measured[split].to_dict())}")
    return Measured(task, measured, predictions, stores, lost)


def baselines_of(task: Task, stores: Mapping[str, PictureStore], split: str) -> dict[str, Any]:
    """What guesses that know the training pictures' labels alone reach on a split."""
    found = task.baselines(stores[split].labels, stores["train"].labels)
    return {"baselines": [baseline.to_dict() for baseline in found]}
