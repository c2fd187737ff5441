"""One model or several, one view of a picture or several: all outputs are averaged into one prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import torch

from hubel.bundle import Bundle
from hubel.config import AugmentConfig
from hubel.data.augmentation import augment_of
from hubel.data.augmentation.label_keeping import doubts
from hubel.data.decoded.pixels import Decoding
from hubel.data.decoding import UnreadableImage, load_for, read_array, upright_size
from hubel.data.sources import Sample
from hubel.errors import ConfigError, DataError, unknown_name
from hubel.inference.predictions import PLACES_TOGETHER
from hubel.inference.reading import read_ahead
from hubel.preprocessing import Preprocess
from hubel.results import Result
from hubel.results.naming import some
from hubel.tasks.task import Floats, LabelTask, PlaceTask, Predictions, label_task
from hubel.tasks.views import Views

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.inference.predictor import Picture, Predictor

Average = Literal["probabilities", "logits"]

_A_QUARTER = 90  # degrees


def averaged(outputs: Sequence[torch.Tensor], tasks: Sequence[LabelTask], average: Average = "probabilities") -> Floats:
    """Average the outputs of models over their views, and then over the models.

    Args:
        outputs: Of each model, (N, views, outputs of its task); the models may have different numbers of views.
        tasks: Of each model; they are alike (see `check_same_task`).
        average: `"probabilities"` (the arithmetic mean: one view that is sure cannot overrule the others; of numbers
            it is their mean), or `"logits"` (the geometric mean of the probabilities, made to sum to 1 where one of
            several classes is right: a class that one view excludes is excluded).

    Returns:
        Predictions, float64 of shape (N, outputs).
    """
    if average == "logits":
        return tasks[0].predictions(torch.stack([of_one.double().mean(dim=1) for of_one in outputs]).mean(dim=0))
    total = np.zeros(())
    for of_one, task in zip(outputs, tasks, strict=True):
        each = task.predictions(of_one.flatten(0, 1)).reshape(of_one.shape)
        total = total + each.mean(axis=1)
    predictions: Floats = total / len(outputs)
    return predictions


def averaged_places(predictors: Sequence[Predictor], of_models: Sequence[Sequence[Any]]) -> list[Any]:
    """The predictions (N) of models of a `PlaceTask` (of each, N) together; of one model, its own."""
    task = predictors[0].task
    assert isinstance(task, PlaceTask)
    return task.average(of_models) if len(of_models) > 1 else list(of_models[0])


def check_average(name: str) -> Average:
    """The name as one of the two ways to average.

    Raises:
        ConfigError: It is none.
    """
    for known in get_args(Average):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise unknown_name("average", name, get_args(Average))


def check_batch_size(batch_size: int) -> None:
    """Refuse to compute no inputs together.

    Raises:
        ConfigError: The number is none, or less than 1.
    """
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size!r}: expected a whole number of at least 1")


def check_same_task(predictors: Sequence[Predictor], average: Average = "probabilities") -> None:
    """Make sure that the outputs of models mean the same, and can be averaged.

    Raises:
        ConfigError: There is no model, or logits of numbers would be averaged.
        DataError: The models' tasks or classes differ.
    """
    if not predictors:
        raise ConfigError("no model came: expected at least one")
    first = predictors[0]
    for other in predictors[1:]:
        if other.task.name != first.task.name:
            raise DataError(
                f"the models' tasks differ ({first.task.name} and {other.task.name}): only models of the same task can "
                "be averaged or compared"
            )
        if other.classes != first.classes:
            raise DataError(
                f"the models' classes differ ({some(first.classes)} and {some(other.classes)}): "
                "only models of the same classes in the same order can be averaged or compared"
            )
    if average == "logits" and not (isinstance(first.task, LabelTask) and first.classes):
        what = (
            "predicts a number: numbers" if isinstance(first.task, LabelTask) else f"is for {first.task.name}: results"
        )
        raise ConfigError(f"average is logits, but the model {what} themselves are averaged")


def mirror_note(bundle: Bundle, views: Views) -> str | None:
    """What to say where views are mirrored, but the model never saw a mirror image in training; else None."""
    augment = bundle.config.get("augment", {})
    mirror = augment.get("mirror")
    against = next((doubt.because for doubt in doubts(bundle.classes) if "mirror" in doubt.fields), None)
    without = mirror == 0 or (mirror is None and (against is not None or augment.get("preset") == "none"))
    if not views.mirrored or not without:
        return None
    why = against if against is not None and mirror is None else "its augmentation had none"
    return f"the model was trained without mirror images ({why}): those of --tta {views.name} may mislead it"


def turn_note(bundle: Bundle, views: Views) -> str | None:
    """What to say where views are turned, but the model never saw a turned picture in training; else None."""
    known = bundle.config.get("augment", {})
    if len(views.turns) == 1 or not known:
        return None
    settings = AugmentConfig(**{name: value for name, value in known.items() if name in AugmentConfig.model_fields})
    augment, _ = augment_of(settings, bundle.classes, bundle.preprocess.size, bundle.task)
    if augment.turn or augment.rotate >= _A_QUARTER:
        return None
    return f"the model was trained without turned pictures: those of --tta {views.name} may mislead it"


def view_notes(bundle: Bundle, views: Views | None) -> list[str]:
    """What to say of views that are unlike all that the model saw in training."""
    if views is None:
        return []
    return [note for note in (mirror_note(bundle, views), turn_note(bundle, views)) if note is not None]


def predict_each(
    predictors: Sequence[Predictor],
    images: Iterable[Picture],
    *,
    batch_size: int = 32,
    tta: str | Views | None = None,
    average: str = "probabilities",
    on_unreadable: Callable[[Picture, UnreadableImage], None] | None = None,
) -> Iterator[tuple[Picture, Result]]:
    """Predict many pictures with one model or several, reading the next while some are computed.

    Args:
        predictors: The models, of the same task and classes; their networks, sizes and preprocessing may differ.
        images: Paths, files' bytes, PIL images or uint8 arrays.
        batch_size: Inputs computed together.
        tta: Views of each picture (see `Views.named`); None: the plain crop.
        average: `"probabilities"` or `"logits"`.
        on_unreadable: Called for a picture that cannot be read, which is then left out; None: the error is raised.

    Yields:
        Each picture with its result, in order.

    Raises:
        HubelError: Unknown views or average, or models whose tasks or classes differ.
    """
    way, views = check_average(average), named_views(tta)
    check_same_task(predictors, way)
    check_batch_size(batch_size)
    group: _Group = (
        _OfPlaces(predictors, views, batch_size)
        if isinstance(predictors[0].task, PlaceTask)
        else _OfLabels(predictors, views, batch_size, way)
    )

    def read(picture: Picture) -> Any:
        try:
            return group.read(picture)
        except UnreadableImage as error:
            return error

    for arrived in read_ahead(images, read, group.together):
        readable: list[tuple[Picture, Any]] = []
        for picture, inputs in arrived:
            if not isinstance(inputs, UnreadableImage):
                readable.append((picture, inputs))
            elif on_unreadable is None:
                raise inputs
            else:
                on_unreadable(picture, inputs)
        if readable:
            pictures = [picture for picture, _ in readable]
            predictions = group.predictions([inputs for _, inputs in readable])
            results = predictors[0].task.results(predictions, [_path_of(picture) for picture in pictures])
            yield from zip(pictures, results, strict=True)


class _Group(Protocol):
    """Models of the same task that predict together.

    Attributes:
        together: Pictures that are computed at once.
    """

    together: int

    def read(self, picture: Picture) -> Any:
        """A picture as the models take it."""

    def predictions(self, read: Sequence[Any]) -> Predictions:
        """What all of them together predict for pictures that were read."""


class _OfLabels:
    """Models of a `LabelTask`: stacks of views, whose outputs are averaged."""

    def __init__(self, predictors: Sequence[Predictor], views: Views | None, batch_size: int, average: Average) -> None:
        self.predictors, self.views, self.batch_size, self.average = predictors, views, batch_size, average
        self.tasks = [label_task(predictor.task, "averaging") for predictor in predictors]
        self.together = _pictures_together(batch_size, views)

    def read(self, picture: Picture) -> list[npt.NDArray[np.uint8]]:
        return [read_views(picture, predictor.preprocess, self.views) for predictor in self.predictors]

    def predictions(self, read: Sequence[list[npt.NDArray[np.uint8]]]) -> Floats:
        stacks = [np.stack(arrays) for arrays in zip(*read, strict=True)]
        outputs = [
            predictor.view_logits(stack, batch_size=self.batch_size)
            for predictor, stack in zip(self.predictors, stacks, strict=True)
        ]
        return averaged(outputs, self.tasks, self.average)


class _OfPlaces:
    """Models of a `PlaceTask`: pictures of any shapes with the sizes of their originals; the task averages."""

    def __init__(self, predictors: Sequence[Predictor], views: Views | None, batch_size: int) -> None:
        self.predictors, self.views = predictors, views
        self.decodings = [
            Decoding(predictor.preprocess, "evaluation", predictor.task.labelling == "mask") for predictor in predictors
        ]
        self.together = min(batch_size, PLACES_TOGETHER)

    def read(self, picture: Picture) -> tuple[tuple[int, int], list[npt.NDArray[np.uint8]]]:
        return upright_size(picture), [decoding.picture(picture) for decoding in self.decodings]

    def predictions(self, read: Sequence[tuple[tuple[int, int], list[npt.NDArray[np.uint8]]]]) -> list[Any]:
        sizes = [size for size, _ in read]
        of_each = zip(*(arrays for _, arrays in read), strict=True)
        of_models = [
            predictor.places(arrays, sizes, self.views)
            for predictor, arrays in zip(self.predictors, of_each, strict=True)
        ]
        return averaged_places(self.predictors, of_models)


def view_logits_of(
    predictor: Predictor,
    pictures: Sequence[Picture],
    views: Views | None,
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """A model's outputs for the views of pictures, each decoded from its file.

    Returns:
        float32 of shape (N, views, num_classes) on the CPU.

    Raises:
        UnreadableImage: A picture cannot be read.
    """
    rows: list[torch.Tensor] = []
    done = 0

    def read(picture: Picture) -> npt.NDArray[np.uint8]:
        return read_views(picture, predictor.preprocess, views)

    for arrived in read_ahead(pictures, read, _pictures_together(batch_size, views)):
        rows.append(predictor.view_logits(np.stack([array for _, array in arrived]), batch_size=batch_size))
        done += len(arrived)
        if progress is not None:
            progress(done, len(pictures))
    return torch.cat(rows)


def named_views(tta: str | Views | None) -> Views | None:
    """The views of a name; None for none.

    Raises:
        ConfigError: There are no such views.
    """
    if tta is None or isinstance(tta, Views):
        return tta
    if not isinstance(tta, str):
        raise ConfigError(f"tta is {tta!r}: expected a name, such as 'flip', or hubel.tasks.views.Views")
    return Views.named(tta)


def read_views(picture: Picture, preprocess: Preprocess, views: Views | None) -> npt.NDArray[np.uint8]:
    """The views of a picture, uint8 of shape (views, height, width, channels); without views, the plain crop alone."""
    if views is None:
        return read_array(picture, preprocess)[None]
    return views.of(load_for(picture, preprocess), preprocess)


def _path_of(picture: Picture) -> str | None:
    if isinstance(picture, Sample):
        return picture.location
    return str(picture) if isinstance(picture, (str, Path)) else None


def _pictures_together(batch_size: int, views: Views | None) -> int:
    return batch_size if views is None else max(1, batch_size // views.count)
