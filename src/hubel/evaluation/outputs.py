"""What models say of pictures: plainly, from the cache of decoded pictures, and in several views."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from hubel.config.settings import BYTES_PER_GB
from hubel.data.decoded.store import Unreadable, prepare_store, refuse_share
from hubel.data.loading.loader import Loader, default_workers
from hubel.inference.ensemble import Average, averaged, averaged_places, view_logits_of
from hubel.inference.predictor import Predictor
from hubel.tasks.task import Floats, Labels, LabelTask, PlaceTask, Predictions, label_task
from hubel.tasks.views import Views

if TYPE_CHECKING:
    from hubel.data.sources import Sample

Result = TypeVar("Result")

_PICTURES_TIMED = 64


@dataclass(frozen=True)
class Settings:
    """How models are run.

    Attributes:
        batch_size: Inputs computed together.
        workers: Processes that load pictures; None: as many as pay.
        cache_gb: How much disk decoded pictures may take, in GB; 0: none.
        max_unreadable: Share of pictures that may be unreadable.
        average: How views and models are averaged, where a row of numbers is predicted.
        progress: Called with what is done, how much of it, and how much there is.
    """

    batch_size: int = 32
    workers: int | None = None
    cache_gb: float = 20.0
    max_unreadable: float = 0.01
    average: Average = "probabilities"
    progress: Callable[[str, int, int], None] = lambda what, done, total: None


class Outputs(Protocol):
    """What models say of the same pictures."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The pictures, in order."""

    @property
    def labels(self) -> Labels:
        """Theirs, as a `PictureStore` has them."""

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The pictures left out."""

    def predictions(self) -> Predictions:
        """Those of all models together."""

    def predictions_of(self, number: int) -> Predictions:
        """Those of one of the models."""


@dataclass(frozen=True, eq=False)
class LabelOutputs:
    """The outputs of models of a `LabelTask`.

    Attributes:
        samples: As for `Outputs`, and so are the next two.
        labels: Of the pictures.
        unreadable: The pictures left out.
        logits: Of each model, float32 of shape (N, views, outputs); one view is the plain crop.
        tasks: Of each model.
        average: How views and models are averaged.
    """

    samples: tuple[Sample, ...]
    labels: Labels
    unreadable: tuple[Unreadable, ...]
    logits: tuple[torch.Tensor, ...]
    tasks: tuple[LabelTask, ...]
    average: Average

    def predictions(self) -> Floats:
        """Those of all models together, (N, outputs)."""
        return averaged(self.logits, self.tasks, self.average)

    def predictions_of(self, number: int) -> Floats:
        """Those of one of the models, (N, outputs)."""
        return averaged([self.logits[number]], [self.tasks[number]], self.average)


@dataclass(frozen=True, eq=False)
class PlaceOutputs:
    """The predictions of models of a `PlaceTask`.

    Attributes:
        samples: As for `Outputs`, and so are the next two.
        labels: Of the pictures.
        unreadable: The pictures left out.
        of_models: Of each model, N.
        predictors: The models.
    """

    samples: tuple[Sample, ...]
    labels: Labels
    unreadable: tuple[Unreadable, ...]
    of_models: tuple[list[Any], ...]
    predictors: tuple[Predictor, ...]

    def predictions(self) -> list[Any]:
        """Those of all models together."""
        return averaged_places(self.predictors, self.of_models)

    def predictions_of(self, number: int) -> list[Any]:
        """Those of one of the models."""
        return self.of_models[number]


@dataclass(frozen=True)
class Cost:
    """What views cost: seconds a picture of all models together; decoding is included where views are cut out anew.

    Attributes:
        plain: For one view alone.
        views: For all views.
    """

    plain: float
    views: float


def plain_outputs(predictors: Sequence[Predictor], samples: Sequence[Sample], settings: Settings) -> Outputs:
    """Run models over pictures as training measures them.

    Raises:
        DataError: Too many pictures are unreadable.
    """
    if isinstance(predictors[0].task, PlaceTask):
        return _of_places(predictors, samples, None, settings, "evaluating")
    return label_outputs(predictors, samples, settings)


def view_outputs(
    predictors: Sequence[Predictor], plain: Outputs, views: Views, settings: Settings
) -> tuple[Outputs, Cost]:
    """Run models over several views of pictures that were run plainly before, and tell what a picture costs.

    The views are timed on all pictures, one view on some of them.
    """
    what, some = f"evaluating {views.count} views", plain.samples[:: -(-len(plain.samples) // _PICTURES_TIMED)]
    if not isinstance(plain, LabelOutputs):
        _, one = _timed(partial(_of_places, predictors, some, None, settings, "timing one view"), len(some))
        outputs, seconds = _timed(
            partial(_of_places, predictors, plain.samples, views, settings, what), len(plain.samples)
        )
        return outputs, Cost(one, seconds)
    _, one = _timed(partial(_view_logits, predictors, some, None, settings), len(some))
    tell = partial(settings.progress, what)
    logits, seconds = _timed(
        partial(_view_logits, predictors, plain.samples, views, settings, tell), len(plain.samples)
    )
    return replace(plain, logits=tuple(logits)), Cost(one, seconds)


def label_outputs(predictors: Sequence[Predictor], samples: Sequence[Sample], settings: Settings) -> LabelOutputs:
    """As `plain_outputs`, for models of a `LabelTask`."""
    logits = []
    for predictor in predictors:
        loader = loader_of(predictor, samples, settings)
        logits.append(predictor.logits_of(loader, partial(settings.progress, "evaluating"))[:, None])
        loader.close()
    store, _ = loader.without_lost(logits[-1])  # a picture that vanishes stays away: the last model has missed them all
    logits = [loader.without_lost(rows)[1] for rows in logits]
    tasks = tuple(label_task(predictor.task, "logits") for predictor in predictors)
    return LabelOutputs(
        tuple(store.samples), store.labels, tuple(store.unreadable), tuple(logits), tasks, settings.average
    )


def _of_places(
    predictors: Sequence[Predictor], samples: Sequence[Sample], views: Views | None, settings: Settings, what: str
) -> PlaceOutputs:
    unreadable: list[Unreadable] = []
    of_pictures: list[dict[str, Any]] = []  # of each model, its predictions by the pictures' names
    for predictor in predictors:
        loader = loader_of(predictor, samples, settings)
        store, predictions = predictor.predictions_of(loader, views=views, progress=partial(settings.progress, what))
        samples = store.samples
        unreadable += store.unreadable
        of_pictures.append(dict(zip((sample.name for sample in samples), predictions, strict=True)))
    of_models = tuple([own[sample.name] for sample in samples] for own in of_pictures)
    return PlaceOutputs(tuple(samples), store.labels, tuple(unreadable), of_models, tuple(predictors))


def loader_of(predictor: Predictor, samples: Sequence[Sample], settings: Settings) -> Loader:
    """Loads pictures as a model is measured on them.

    Raises:
        DataError: Too many pictures are unreadable.
    """
    store = prepare_store(
        samples,
        predictor.preprocess,
        classes=predictor.classes,
        labelling=predictor.task.labelling,
        purpose="evaluation",
        cache_bytes=int(settings.cache_gb * BYTES_PER_GB),
        max_unreadable=1.0,
        progress=partial(settings.progress, "reading"),
    )
    refuse_share(store.unreadable, len(samples), settings.max_unreadable, option="--max-unreadable ")
    return Loader(
        store,
        batch_size=settings.batch_size,
        preprocess=predictor.preprocess,
        workers=default_workers(store, predictor.device) if settings.workers is None else settings.workers,
    )


def _view_logits(
    predictors: Sequence[Predictor],
    pictures: Sequence[Sample],
    views: Views | None,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> list[torch.Tensor]:
    return [view_logits_of(p, pictures, views, batch_size=settings.batch_size, progress=progress) for p in predictors]


def _timed(run: Callable[[], Result], pictures: int) -> tuple[Result, float]:
    """What a function gives, and the seconds that it took for a picture."""
    began = time.perf_counter()
    result = run()
    return result, (time.perf_counter() - began) / pictures
