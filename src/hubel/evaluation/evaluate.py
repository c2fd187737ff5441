"""`hubel.evaluate`: one model, or the average of several, measured on a folder of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubel.data.loading import Loader, default_workers
from hubel.data.store import Unreadable, prepare_store, refuse_share
from hubel.errors import DataError
from hubel.evaluation.selection import select_samples
from hubel.inference.predictor import Predictor
from hubel.results import ClassificationMetrics
from hubel.tasks.classification import measure, softmax

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.data.sources import Sample

_BYTES_PER_GB = 10**9


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured, on which pictures.

    Attributes:
        metrics: The figures.
        samples: The pictures, in order.
        probabilities: float64 of shape (N, num_classes), in the same order.
        classes: The classes' names, in the model's order.
        split: Which part of the folder was measured: `test`, `validation`, `train` or `all`.
        notes: What a reader should know of the choice of pictures.
        unreadable: The pictures left out.
    """

    metrics: ClassificationMetrics
    samples: tuple[Sample, ...]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    split: str
    notes: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]

    def to_csv(self) -> str:
        """Every picture with its class, the predicted class and that one's probability, as CSV text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "label", "predicted", "probability"])
        for sample, row in zip(self.samples, self.probabilities, strict=True):
            best = int(row.argmax())
            writer.writerow([sample.path, self.classes[sample.label], self.classes[best], f"{row[best]:.6f}"])
        return text.getvalue()


def evaluate(
    models: str | Path | Predictor | Sequence[str | Path | Predictor],
    data: str | Path,
    *,
    split: str = "auto",
    device: str = "auto",
    batch_size: int = 32,
    workers: int | None = None,
    cache_gb: float = 20.0,
    max_unreadable: float = 0.01,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Measure a model; several models are measured as one, their probabilities averaged.

    Args:
        models: A bundle's path, a run's folder, a `Predictor`; or several of them.
        data: A folder of class folders, with or without split folders above them.
        split: `train`, `validation`, `test`, `all`, or `auto`: the test split of a folder that has one, or of the
            folder that the model was trained on; otherwise all pictures.
        device: As for `hubel.runtime.choose_device`.
        batch_size: Pictures computed together.
        workers: Processes that load pictures; None: as many as pay.
        cache_gb: How much disk decoded pictures may take, in GB; 0: none.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.

    Raises:
        HubelError: A path that does not exist, classes that the model does not know, models whose classes differ.
    """
    several = [models] if isinstance(models, (str, Path, Predictor)) else models
    predictors = [m if isinstance(m, Predictor) else Predictor.load(m, device=device) for m in several]
    first = predictors[0]
    for other in predictors[1:]:
        if other.classes != first.classes:
            raise DataError(
                f"the models' classes differ ({_listed(first.classes)} and {_listed(other.classes)}): "
                "only models of the same classes in the same order can be averaged"
            )
    selection = select_samples(Path(data), predictors, split)
    tell = progress or (lambda what, done, total: None)
    total = np.zeros(())
    for predictor in predictors:
        store = prepare_store(
            selection.samples,
            predictor.preprocess,
            classes=first.classes,
            purpose="evaluation",
            cache_bytes=int(cache_gb * _BYTES_PER_GB),
            max_unreadable=1.0,
            progress=partial(tell, "reading"),
        )
        refuse_share(store.unreadable, len(selection.samples), max_unreadable, option="--max-unreadable ")
        loader = Loader(
            store,
            batch_size=batch_size,
            preprocess=predictor.preprocess,
            workers=default_workers(store, predictor.device) if workers is None else workers,
        )
        total = total + softmax(predictor.logits_of(loader, partial(tell, "evaluating")))
    probabilities = total / len(predictors)
    return Evaluation(
        metrics=measure(probabilities, store.labels, first.classes),
        samples=tuple(store.samples),
        probabilities=probabilities,
        classes=first.classes,
        split=selection.split,
        notes=selection.notes,
        unreadable=tuple(store.unreadable),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
