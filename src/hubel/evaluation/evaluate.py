"""`hubel.evaluate`: one model, the average of several, or several beside each other, measured on pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.bundle import load_tensors, save_bundle
from hubel.errors import ConfigError
from hubel.evaluation.binary import (
    Rule,
    Threshold,
    choose_threshold,
    positive_class,
    read_binary,
)
from hubel.evaluation.measured import Evaluation, Member, TemperatureFit, ViewsGain
from hubel.evaluation.outputs import Cost, Outputs, Settings, plain_outputs, view_outputs
from hubel.evaluation.selection import Selection, select_samples
from hubel.evaluation.validation import overlap, refuse_overlap, select_validation
from hubel.inference.ensemble import check_average, check_same_classes, mirror_note, named_views
from hubel.inference.predictor import Predictor
from hubel.inference.views import Views
from hubel.results import ClassificationMetrics
from hubel.tasks.baselines import majority_baseline
from hubel.tasks.calibration import (
    calibration_error,
    expected_calibration_error,
    fit_temperature,
)
from hubel.tasks.classification import measure, softmax
from hubel.tasks.paired import paired_difference

if TYPE_CHECKING:
    import numpy.typing as npt

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
) -> Evaluation:
    """Measure a model; several models are measured as one, their outputs averaged, or compared with each other.

    Args:
        models: A bundle's path, a run's folder, a `Predictor`; or several of them.
        data: A folder of class folders, with or without split folders above them.
        split: `train`, `validation`, `test`, `all`, or `auto`: the test split of a folder that has one, or of the
            folder that the model was trained on; otherwise all pictures.
        tta: Test-time augmentation, such as `"flip"` or `"ten-crop"` (see `hubel.inference.views`); its gain over the
            plain prediction is measured, too.
        average: What is averaged over views and models: `"probabilities"` or `"logits"`.
        compare: Measure several models beside each other, each against the first, instead of averaging them.
        positive: A class to tell from the rest: ROC AUC, sensitivity, specificity. Of two classes, the second
            one without asking.
        threshold: From which probability on a picture is taken for that class: a number, `"youden"`,
            `"sensitivity=0.95"` or `"specificity=0.95"`, chosen on validation pictures; None: 0.5.
        validation: A folder of pictures to choose the threshold, or fit the temperature, on; None: the validation
            split of the model's run.
        calibrate: Fit a temperature on validation pictures, write it into the bundle, and measure with it.
        device: As for `hubel.runtime.choose_device`.
        batch_size: Inputs computed together.
        workers: Processes that load pictures; None: as many as pay.
        cache_gb: How much disk decoded pictures may take, in GB; 0: none.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.

    Raises:
        HubelError: A path that does not exist, classes that the model does not know, models whose classes differ,
            names that do not exist, no validation pictures where a choice needs some.
    """
    several = [models] if isinstance(models, (str, Path, Predictor)) else list(models)
    views, way = named_views(tta), check_average(average)
    rule = Rule.parse(str(threshold)) if threshold is not None else Rule("0.5", "given", 0.5)
    _check_options(several, views, compare=compare, calibrate=calibrate)
    predictors = [m if isinstance(m, Predictor) else Predictor.load(m, device=device) for m in several]
    check_same_classes(predictors)
    classes = predictors[0].classes
    of_class = positive_class(classes, positive)
    if of_class is None and threshold is not None:
        raise ConfigError(f"a threshold is for one class: name it with --positive, one of {', '.join(classes)}")
    settings = Settings(batch_size, workers, cache_gb, max_unreadable, progress or (lambda what, done, total: None))
    selection = select_samples(Path(data), predictors, split)
    notes = list(selection.notes)
    notes += [note for p in predictors if views and (note := mirror_note(p.bundle, views)) and note not in notes]

    chosen_on, name = None, ""
    if calibrate or (of_class is not None and rule.needs_validation):
        given = Path(validation) if validation is not None else None
        chosen_on, name = select_validation(Path(data), predictors, given)
    if chosen_on is not None and of_class is not None and rule.needs_validation:
        refuse_overlap(selection.samples, chosen_on.samples, "threshold")
    temperature = None
    if chosen_on is not None and calibrate:
        if selection.split != "validation":
            refuse_overlap(selection.samples, chosen_on.samples, "temperature")
        elif overlap(selection.samples, chosen_on.samples):
            notes.append("the temperature is measured on the pictures that it was fitted to: --split test is honest")
        temperature = _calibrate(predictors[0], chosen_on, settings)

    def run(samples: Sequence[Sample]) -> tuple[Outputs, Outputs, Cost | None]:
        """The plain outputs, and those that count: with views, where there are some."""
        plain = plain_outputs(predictors, samples, settings, average=way)
        return (plain, plain, None) if views is None else (plain, *view_outputs(predictors, plain, views, settings))

    def shown(of: Outputs) -> npt.NDArray[np.float64]:
        return of.probabilities_of(0) if compare else of.probabilities()

    limit = Threshold(rule.number)
    if chosen_on is not None and of_class is not None and rule.needs_validation:
        _, validated, _ = run(chosen_on.samples)
        limit = choose_threshold(rule, shown(validated), validated.labels, of_class, name)
    plain, outputs, cost = run(selection.samples)
    labels, probabilities = outputs.labels, shown(outputs)
    binary = None
    if of_class is not None and (positive is not None or threshold is not None or len(np.unique(labels)) > 1):
        binary = read_binary(probabilities, labels, classes, of_class, limit)
    gain = None
    if views is not None and cost is not None:
        gain = _gain(views, cost, measure(shown(plain), labels, classes), shown(plain), probabilities, labels)
    return Evaluation(
        metrics=measure(probabilities, labels, classes),
        samples=outputs.samples,
        probabilities=probabilities,
        classes=classes,
        split=selection.split,
        notes=tuple(notes),
        unreadable=outputs.unreadable,
        average=way,
        baselines=(majority_baseline(labels, classes, selection.training_labels),),
        calibration=calibration_error(probabilities, labels),
        members=_members(several, outputs, classes, probabilities, compare=compare),
        compared=compare,
        views=gain,
        binary=binary,
        temperature=None if temperature is None or chosen_on is None else _fitted(temperature, name, chosen_on, plain),
    )


def _check_options(models: Sequence[Any], views: Views | None, *, compare: bool, calibrate: bool) -> None:
    if compare and len(models) < 2:
        raise ConfigError(f"--compare came with {len(models)} model: expected at least two")
    if calibrate and len(models) != 1:
        raise ConfigError(f"--calibrate came with {len(models)} models: a temperature belongs to one, expected one")
    if calibrate and views is not None:
        raise ConfigError(
            "--calibrate came with --tta: a temperature is fitted to plain predictions, expected one of both"
        )


def _calibrate(predictor: Predictor, chosen_on: Selection, settings: Settings) -> float:
    """Fit a temperature, write it into the model's bundle, and let it use it from now on."""
    if predictor.path is None:
        raise ConfigError("a model that is no file cannot keep a temperature: expected a bundle's path")
    predictor.bundle = replace(predictor.bundle, temperature=1.0)
    raw = plain_outputs([predictor], chosen_on.samples, settings)
    temperature = fit_temperature(raw.logits[0][:, 0].numpy(), raw.labels)
    bundle = replace(predictor.bundle, temperature=temperature)
    save_bundle(predictor.path, bundle, load_tensors(predictor.path))
    predictor.bundle = bundle
    return temperature


def _fitted(temperature: float, name: str, chosen_on: Selection, plain: Outputs) -> TemperatureFit:
    """A temperature with the calibration errors of the measured pictures without and with it."""
    logits = plain.logits[0][:, 0]
    return TemperatureFit(
        temperature,
        chosen_on=name,
        images=len(chosen_on.samples),
        before=expected_calibration_error(softmax(logits * temperature), plain.labels),
        after=expected_calibration_error(softmax(logits), plain.labels),
    )


def _members(
    several: Sequence[str | Path | Predictor],
    outputs: Outputs,
    classes: Sequence[str],
    together: npt.NDArray[np.float64],
    *,
    compare: bool,
) -> tuple[Member, ...]:
    """Each of several models alone, and against the first or against all of them together."""
    if len(several) == 1:
        return ()
    right = outputs.labels == together.argmax(axis=1)
    members = []
    for number, model in enumerate(several):
        alone = outputs.probabilities_of(number)
        right_alone = alone.argmax(axis=1) == outputs.labels
        if compare:
            against = paired_difference(right_alone, right) if number else None
        else:
            against = paired_difference(right, right_alone)
        name = str(model.path or f"model {number + 1}") if isinstance(model, Predictor) else str(model)
        members.append(Member(name, measure(alone, outputs.labels, classes), against))
    return tuple(members)


def _gain(
    views: Views,
    cost: Cost,
    metrics: ClassificationMetrics,
    plain: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
) -> ViewsGain:
    gain = paired_difference(probabilities.argmax(axis=1) == labels, plain.argmax(axis=1) == labels)
    return ViewsGain(views.name, views.count, metrics, gain, cost)
