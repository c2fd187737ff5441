"""One model or several, one view of a picture or several: all outputs are averaged into one prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
import torch

from hubel import runtime
from hubel.bundle import Bundle
from hubel.data.augmentation.label_keeping import doubts
from hubel.data.decoding import UnreadableImage, load_for, read_array
from hubel.data.sources import Sample
from hubel.errors import ConfigError, DataError, unknown_name
from hubel.inference.views import Views
from hubel.preprocessing import Preprocess
from hubel.results import Result
from hubel.tasks.task import Floats, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.inference.predictor import Picture, Predictor

Average = Literal["probabilities", "logits"]

Item = TypeVar("Item")
Read = TypeVar("Read")


def averaged(outputs: Sequence[torch.Tensor], tasks: Sequence[Task], average: Average = "probabilities") -> Floats:
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


def check_average(name: str) -> Average:
    """The name as one of the two ways to average.

    Raises:
        ConfigError: It is none.
    """
    for known in get_args(Average):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise unknown_name("average", name, get_args(Average))


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
                f"the models' classes differ ({_listed(first.classes)} and {_listed(other.classes)}): "
                "only models of the same classes in the same order can be averaged or compared"
            )
    if average == "logits" and not first.classes:
        raise ConfigError("average is logits, but the model predicts a number: numbers themselves are averaged")


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
    tasks = [predictor.task for predictor in predictors]

    def read(picture: Picture) -> list[npt.NDArray[np.uint8]] | UnreadableImage:
        try:
            return [read_views(picture, predictor.preprocess, views) for predictor in predictors]
        except UnreadableImage as error:
            return error

    for arrived in _read_ahead(images, read, _pictures_together(batch_size, views)):
        readable: list[tuple[Picture, list[npt.NDArray[np.uint8]]]] = []
        for picture, arrays in arrived:
            if not isinstance(arrays, UnreadableImage):
                readable.append((picture, arrays))
            elif on_unreadable is None:
                raise arrays
            else:
                on_unreadable(picture, arrays)
        if readable:
            stacks = [np.stack(arrays) for arrays in zip(*(arrays for _, arrays in readable), strict=True)]
            outputs = [p.view_logits(stack, batch_size=batch_size) for p, stack in zip(predictors, stacks, strict=True)]
            pictures = [picture for picture, _ in readable]
            predictions = averaged(outputs, tasks, way)
            results = tasks[0].results(predictions, [_path_of(picture) for picture in pictures])
            yield from zip(pictures, results, strict=True)


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

    for arrived in _read_ahead(pictures, read, _pictures_together(batch_size, views)):
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
    return Views.named(tta) if isinstance(tta, str) else tta


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


def _read_ahead(items: Iterable[Item], read: Callable[[Item], Read], size: int) -> Iterator[list[tuple[Item, Read]]]:
    """Read some items at a time in threads; the next ones are being read while the caller works."""
    coming_items = iter(items)
    with ThreadPoolExecutor(runtime.available_cpus()) as pool:

        def start() -> list[tuple[Item, Future[Read]]]:
            return [(item, pool.submit(read, item)) for item in islice(coming_items, size)]

        coming = start()
        while coming:
            arrived = [(item, future.result()) for item, future in coming]
            coming = start()
            yield arrived


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
