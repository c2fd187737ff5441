"""What is chosen on validation pictures before a model of classes or labels is measured: thresholds, a temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hubel.bundle import load_tensors, save_bundle
from hubel.data.sources import Sample
from hubel.errors import ConfigError
from hubel.evaluation.binary import BinaryReading, Rule, Threshold, choose_threshold, positive_class, read_binary
from hubel.evaluation.measured import TemperatureFit
from hubel.evaluation.outputs import LabelOutputs, Outputs, Settings, label_outputs
from hubel.evaluation.selection import Selection
from hubel.evaluation.validation import overlap, refuse_overlap, select_validation
from hubel.inference.predictor import Predictor
from hubel.tasks.calibration import expected_calibration_error, fit_temperature
from hubel.tasks.classification import softmax
from hubel.tasks.task import AnyTask, Floats, Labels, LabelTask, label_task

_HALF = Threshold(0.5)


@dataclass(frozen=True)
class Asked:
    """What a user asked to be chosen; see `hubel.evaluation.evaluate.evaluate`."""

    positive: str | None = None
    threshold: str | float | None = None
    validation: str | Path | None = None
    calibrate: bool = False

    @property
    def rule(self) -> Rule:
        """How a threshold comes about."""
        return Rule("0.5", "given", 0.5) if self.threshold is None else Rule.parse(str(self.threshold))

    def check(self, task: AnyTask) -> None:
        """Raise a ConfigError where something was asked for that the task has not, or that has no meaning."""
        _ = self.rule
        options = {
            "--positive": self.positive,
            "--threshold": self.threshold,
            "--validation": self.validation,
            "--calibrate": self.calibrate or None,
        }
        for option, value in options.items():
            if value is not None:
                label_task(task, option)
        if self.calibrate and not (isinstance(task, LabelTask) and task.calibrates):
            raise ConfigError(
                f"--calibrate came for a model of the task {task.name}: a temperature is for one class of several"
            )


@dataclass(frozen=True)
class Choices:
    """What was chosen.

    Attributes:
        task: With its thresholds.
        asked: For what.
        of_class: The class that is told from the rest; None: none.
        limit: From which probability on a picture is taken for it.
        temperature: Fitted; None: none.
        chosen_on: The pictures; None: none were needed.
        chosen_name: What they are.
        notes: What a reader should know of it.
    """

    task: AnyTask
    asked: Asked
    of_class: int | None = None
    limit: Threshold = _HALF
    temperature: float | None = None
    chosen_on: Selection | None = None
    chosen_name: str = ""
    notes: tuple[str, ...] = ()

    def binary(self, predictions: Floats, labels: Labels) -> BinaryReading | None:
        """One class against the rest; None where none is, or where all or no pictures are of it and nobody asked."""
        if self.of_class is None or not isinstance(self.task, LabelTask):
            return None
        of_it = self.task.has(labels, self.of_class)
        asked = self.asked.positive is not None or self.asked.threshold is not None
        if not asked and not 0 < of_it.sum() < len(of_it):
            return None
        return read_binary(self.task.classes[self.of_class], predictions[:, self.of_class], of_it, self.limit)

    def fitted(self, plain: Outputs) -> TemperatureFit | None:
        """The temperature with the calibration errors of the measured pictures without and with it."""
        if self.temperature is None or self.chosen_on is None or not isinstance(plain, LabelOutputs):
            return None
        logits = plain.logits[0][:, 0]
        return TemperatureFit(
            self.temperature,
            chosen_on=self.chosen_name,
            images=len(self.chosen_on.samples),
            before=expected_calibration_error(softmax(logits * self.temperature), plain.labels),
            after=expected_calibration_error(softmax(logits), plain.labels),
        )


def choose(
    asked: Asked,
    predictors: Sequence[Predictor],
    data: Path,
    selection: Selection,
    settings: Settings,
    predict: Callable[[Sequence[Sample]], tuple[Floats, Labels]],
) -> Choices:
    """Choose what was asked for.

    Args:
        asked: That; it was checked.
        predictors: The models.
        data: The folder that is measured.
        selection: What of it is.
        settings: How models are run.
        predict: Gives what the models say of pictures, as it will be measured, and their labels.

    Raises:
        HubelError: There are no validation pictures, some of them are measured, or a rule cannot be met.
    """
    task, rule = predictors[0].task, asked.rule
    if not isinstance(task, LabelTask):
        return Choices(task, asked)
    of_class = positive_class(task, asked.positive)
    each_label = of_class is None and asked.threshold is not None
    if each_label:
        task = task.with_thresholds([rule.number] * len(task.classes))
    choosing = (of_class is not None or each_label) and rule.needs_validation
    made = Choices(task, asked, of_class, Threshold(rule.number))
    if not (asked.calibrate or choosing):
        return made
    given = Path(asked.validation) if asked.validation is not None else None
    chosen_on, name = select_validation(data, predictors, given)
    made = replace(made, chosen_on=chosen_on, chosen_name=name)
    if choosing:
        refuse_overlap(selection.samples, chosen_on.samples, "threshold")
    if asked.calibrate:
        made = _with_temperature(made, predictors[0], selection, settings)
    if not choosing:
        return made
    scores, labels = predict(chosen_on.samples)
    if of_class is not None:
        return replace(made, limit=choose_threshold(rule, scores[:, of_class], task.has(labels, of_class), name))
    chosen = _with_chosen_thresholds(label_task(predictors[0].task, "--threshold"), rule, scores, labels, name)
    return replace(made, task=chosen, notes=(*made.notes, f"each label's threshold is chosen by {rule.text} on {name}"))


def _with_temperature(made: Choices, predictor: Predictor, selection: Selection, settings: Settings) -> Choices:
    assert made.chosen_on is not None
    notes = made.notes
    if selection.split != "validation":
        refuse_overlap(selection.samples, made.chosen_on.samples, "temperature")
    elif overlap(selection.samples, made.chosen_on.samples):
        notes += ("the temperature is measured on the pictures that it was fitted to: --split test is honest",)
    return replace(made, temperature=_calibrate(predictor, made.chosen_on, settings), notes=notes)


def _with_chosen_thresholds(task: LabelTask, rule: Rule, scores: Floats, labels: Labels, chosen_on: str) -> LabelTask:
    """The task with a threshold for each label; a label that all or none of the pictures have keeps its own."""
    chosen = []
    for position, own in enumerate(task.thresholds):
        of_label = task.has(labels, position)
        told = 0 < of_label.sum() < len(of_label)
        chosen.append(choose_threshold(rule, scores[:, position], of_label, chosen_on).value if told else own)
    return task.with_thresholds(chosen)


def _calibrate(predictor: Predictor, chosen_on: Selection, settings: Settings) -> float:
    """Fit a temperature, write it into the model's bundle, and let it use it from now on."""
    if predictor.path is None:
        raise ConfigError("a model that is no file cannot keep a temperature: expected a bundle's path")
    predictor.bundle = replace(predictor.bundle, temperature=1.0)
    raw = label_outputs([predictor], chosen_on.samples, settings)
    temperature = fit_temperature(raw.logits[0][:, 0].numpy(), raw.labels)
    bundle = replace(predictor.bundle, temperature=temperature)
    save_bundle(predictor.path, bundle, load_tensors(predictor.path))
    predictor.bundle = bundle
    return temperature
