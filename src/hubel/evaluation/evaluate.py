"""`hubel.evaluate`: one model, the average of several, or several beside each other, measured on pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubel.data.labels import label_array
from hubel.errors import ConfigError
from hubel.evaluation.choices import Asked, choose
from hubel.evaluation.measured import Evaluation, Member, ViewsGain
from hubel.evaluation.outputs import Cost, Outputs, Settings, plain_outputs, view_outputs
from hubel.evaluation.selection import Selection, select_samples
from hubel.inference.ensemble import check_average, check_batch_size, check_same_task, named_views, view_notes
from hubel.inference.predictor import Predictor
from hubel.tasks.calibration import calibration_error
from hubel.tasks.task import Labels, LabelTask, Predictions, Task
from hubel.tasks.views import Views

if TYPE_CHECKING:
    from hubel.data.sources import Sample

Models = str | Path | Predictor | Sequence[str | Path | Predictor]


def evaluate(
    models: Models,
    data: str | Path,
    *,
    split: str = "auto",
    tta: str | Views | None = None,
    average: str = "probabilities",
    compare: bool = False,
    positive: str | None = None,
    threshold: str | float | None = None,
    validation: str | Path | None = None,
    calibrate: bool = False,
    device: str = "auto",
    batch_size: int = 32,
    workers: int | None = None,
    cache_gb: float = 20.0,
    max_unreadable: float = 0.01,
    progress: Callable[[str, int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure a model; several models are measured as one, their outputs averaged, or compared with each other.

    Args:
        models: A bundle's path, a run's folder, a `Predictor`; or several of them.
        data: A folder of class folders, with or without split folders above them.
        split: `train`, `validation`, `test`, `all`, or `auto`: the test split of a folder that has one, or of the
            folder that the model was trained on; otherwise all pictures.
        tta: Test-time augmentation, such as `"flip"` or `"ten-crop"` (see `hubel.tasks.views`); its gain over the
            plain prediction is measured, too.
        average: What is averaged over views and models: `"probabilities"` or `"logits"`.
        compare: Measure several models beside each other, each against the first, instead of averaging them.
        positive: A class to tell from the rest: ROC AUC, sensitivity, specificity. Of two classes, the second
            one without asking.
        threshold: From which probability on a picture is taken for that class: a number, `"youden"`, `"f1"`,
            `"sensitivity=0.95"` or `"specificity=0.95"`, chosen on validation pictures; None: 0.5. Of several labels
            without `positive`, from which on a picture is given each; None: the bundle's.
        validation: A folder of pictures to choose the threshold, or fit the temperature, on; None: the validation
            split of the model's run.
        calibrate: Fit a temperature on validation pictures, write it into the bundle, and measure with it.
        device: As for `hubel.runtime.choose_device`.
        batch_size: Inputs computed together.
        workers: Processes that load pictures; None: as many as pay.
        cache_gb: How much disk decoded pictures may take, in GB; 0: none.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.
        tell: Hears of what takes a while before the pictures are listed, such as the copy of a compressed archive.

    Raises:
        HubelError: A path that does not exist, classes that the model does not know, models whose classes differ,
            names that do not exist, no validation pictures where a choice needs some.
    """
    several = [models] if isinstance(models, (str, Path, Predictor)) else list(models)
    views, way = named_views(tta), check_average(average)
    asked = Asked(positive, threshold, validation, calibrate)
    _check_options(several, views, compare=compare, calibrate=calibrate)
    _check_numbers(batch_size, workers)
    predictors = [m if isinstance(m, Predictor) else Predictor.load(m, device=device) for m in several]
    check_same_task(predictors, way)
    asked.check(predictors[0].task)
    settings = Settings(
        batch_size, workers, cache_gb, max_unreadable, way, progress or (lambda what, done, total: None)
    )
    selection = select_samples(Path(data), predictors, split, max_unreadable=max_unreadable, tell=tell)
    notes = list(selection.notes)
    notes += dict.fromkeys(note for predictor in predictors for note in view_notes(predictor.bundle, views))

    def run(samples: Sequence[Sample]) -> tuple[Outputs, Outputs, Cost | None]:
        """The plain outputs, and those that count: with views, where there are some."""
        plain = plain_outputs(predictors, samples, settings)
        return (plain, plain, None) if views is None else (plain, *view_outputs(predictors, plain, views, settings))

    def shown(of: Outputs) -> Predictions:
        return of.predictions_of(0) if compare else of.predictions()

    def predict(samples: Sequence[Sample]) -> tuple[Predictions, Labels]:
        _, outputs, _ = run(samples)
        return shown(outputs), outputs.labels

    choices = choose(asked, predictors, Path(data), selection, settings, predict)
    task = choices.task
    plain, outputs, cost = run(selection.samples)
    labels, predictions = outputs.labels, shown(outputs)
    gain = None
    if views is not None and cost is not None:
        before = shown(plain)
        gain = ViewsGain(
            views.name, views.count, task.measure(before, labels), task.compare(predictions, before, labels), cost
        )
    return Evaluation(
        task=task,
        metrics=task.measure(predictions, labels),
        samples=outputs.samples,
        labels=labels,
        predictions=predictions,
        split=selection.split,
        notes=(*notes, *choices.notes),
        unreadable=outputs.unreadable,
        average=way,
        baselines=task.baselines(labels, _training_labels(selection, task)),
        calibration=calibration_error(predictions, labels) if isinstance(task, LabelTask) and task.calibrates else None,
        members=_members(several, outputs, task, predictions, compare=compare),
        compared=compare,
        views=gain,
        binary=choices.binary(predictions, labels),
        temperature=choices.fitted(plain),
    )


def _training_labels(selection: Selection, task: Task) -> Labels | None:
    if selection.training_labels is None:
        return None
    return label_array(selection.training_labels, task.labelling, len(task.classes))


def _check_numbers(batch_size: int, workers: int | None) -> None:
    check_batch_size(batch_size)
    if workers is not None and workers < 0:
        raise ConfigError(f"workers is {workers}: expected 0 (the calling process) or more")


def _check_options(models: Sequence[Any], views: Views | None, *, compare: bool, calibrate: bool) -> None:
    if compare and len(models) < 2:
        raise ConfigError(f"--compare came with {len(models)} model: expected at least two")
    if calibrate and len(models) != 1:
        raise ConfigError(f"--calibrate came with {len(models)} models: a temperature belongs to one, expected one")
    if calibrate and views is not None:
        raise ConfigError(
            "--calibrate came with --tta: a temperature is fitted to plain predictions, expected one of both"
        )


def _members(
    several: Sequence[str | Path | Predictor], outputs: Outputs, task: Task, together: Predictions, *, compare: bool
) -> tuple[Member, ...]:
    """Each of several models alone, and against the first or against all of them together."""
    if len(several) == 1:
        return ()
    members = []
    for number, model in enumerate(several):
        alone = outputs.predictions_of(number)
        if compare:
            against = task.compare(alone, together, outputs.labels) if number else None
        else:
            against = task.compare(together, alone, outputs.labels)
        name = str(model.path or f"model {number + 1}") if isinstance(model, Predictor) else str(model)
        members.append(Member(name, task.measure(alone, outputs.labels), against))
    return tuple(members)
