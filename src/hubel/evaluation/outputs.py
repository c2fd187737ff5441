"""What models say of pictures: plainly, from the cache of decoded pictures, and in several views, from the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from hubel.data.loading import Loader, default_workers
from hubel.data.store import Unreadable, prepare_store, refuse_share
from hubel.inference.ensemble import Average, averaged, view_logits_of
from hubel.inference.predictor import Predictor
from hubel.inference.views import Views
from hubel.tasks.task import Floats, Labels, Task

if TYPE_CHECKING:
    from hubel.data.sources import Sample

_BYTES_PER_GB = 10**9
_PICTURES_TIMED = 64


@dataclass(frozen=True)
class Settings:
    """How models are run.

    Attributes:
        batch_size: Inputs computed together.
        workers: Processes that load pictures; None: as many as pay.
        cache_gb: How much disk decoded pictures may take, in GB; 0: none.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.
    """

    batch_size: int = 32
    workers: int | None = None
    cache_gb: float = 20.0
    max_unreadable: float = 0.01
    progress: Callable[[str, int, int], None] = lambda what, done, total: None


@dataclass(frozen=True, eq=False)
class Outputs:
    """What models say of the same pictures.

    Attributes:
        samples: The pictures, in order.
        labels: Of the pictures, as a `PictureStore` has them.
        unreadable: The pictures left out.
        logits: Of each model, float32 of shape (N, views, outputs); one view is the plain crop.
        tasks: Of each model.
        average: How views and models are averaged.
    """

    samples: tuple[Sample, ...]
    labels: Labels
    unreadable: tuple[Unreadable, ...]
    logits: tuple[torch.Tensor, ...]
    tasks: tuple[Task, ...]
    average: Average

    def predictions(self) -> Floats:
        """Those of all models together, (N, outputs)."""
        return averaged(self.logits, self.tasks, self.average)

    def predictions_of(self, number: int) -> Floats:
        """Those of one of the models, (N, outputs)."""
        return averaged([self.logits[number]], [self.tasks[number]], self.average)


@dataclass(frozen=True)
class Cost:
    """What views cost: seconds a picture, decoding included, of all models together.

    Attributes:
        plain: For the plain crop alone.
        views: For all views.
    """

    plain: float
    views: float


def plain_outputs(
    predictors: Sequence[Predictor],
    samples: Sequence[Sample],
    settings: Settings,
    *,
    average: Average = "probabilities",
) -> Outputs:
    """Run models over pictures as training measures them.

    Raises:
        DataError: Too many pictures are unreadable.
    """
    logits = []
    for predictor in predictors:
        store = prepare_store(
            samples,
            predictor.preprocess,
            classes=predictor.classes,
            labelling=predictor.task.labelling,
            purpose="evaluation",
            cache_bytes=int(settings.cache_gb * _BYTES_PER_GB),
            max_unreadable=1.0,
            progress=partial(settings.progress, "reading"),
        )
        refuse_share(store.unreadable, len(samples), settings.max_unreadable, option="--max-unreadable ")
        loader = Loader(
            store,
            batch_size=settings.batch_size,
            preprocess=predictor.preprocess,
            workers=default_workers(store, predictor.device) if settings.workers is None else settings.workers,
        )
        logits.append(predictor.logits_of(loader, partial(settings.progress, "evaluating"))[:, None])
    store, _ = loader.without_lost(logits[-1])  # a picture that vanishes stays away: the last model has missed them all
    logits = [loader.without_lost(rows)[1] for rows in logits]
    tasks = tuple(predictor.task for predictor in predictors)
    return Outputs(tuple(store.samples), store.labels, tuple(store.unreadable), tuple(logits), tasks, average)


def view_outputs(
    predictors: Sequence[Predictor], plain: Outputs, views: Views, settings: Settings
) -> tuple[Outputs, Cost]:
    """Run models over several views of pictures that were run plainly before, and tell what a picture costs.

    The views are timed on all pictures, the plain crop on some, read from their files as the views are.
    """
    progress = partial(settings.progress, f"evaluating {views.count} views")

    def run(pictures: Sequence[Sample], of: Views | None) -> tuple[list[torch.Tensor], float]:
        began = time.perf_counter()
        tell = progress if of is not None else None
        logits = [view_logits_of(p, pictures, of, batch_size=settings.batch_size, progress=tell) for p in predictors]
        return logits, (time.perf_counter() - began) / len(pictures)

    _, plain_seconds = run(plain.samples[:: -(-len(plain.samples) // _PICTURES_TIMED)], None)
    logits, seconds = run(plain.samples, views)
    return replace(plain, logits=tuple(logits)), Cost(plain=plain_seconds, views=seconds)
