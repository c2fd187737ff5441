"""One class against the rest, as a clinic reads it: is it there or not, at which threshold, how often is that right.

The threshold is a choice, and a choice made on the pictures that are then measured flatters. So it is a given number,
or it is chosen on validation pictures (Youden 1950, Cancer 3:32, the highest F1, a wanted sensitivity or specificity).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.errors import ConfigError, DataError, unknown_name
from hubel.results import Interval
from hubel.results.naming import counted
from hubel.tasks.classification import wilson_interval
from hubel.tasks.ranking import Curve, average_precision, roc_auc, trace

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.tasks.task import Floats, LabelTask

    Booleans = npt.NDArray[np.bool_]

_WANTED = ("sensitivity", "specificity")
_OPTIMA = ("youden", "f1")


@dataclass(frozen=True)
class Share:
    """A share of some pictures.

    Attributes:
        right: How many.
        of: Of how many.
    """

    right: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of no pictures."""
        return self.right / self.of if self.of else None

    @property
    def ci95(self) -> Interval | None:
        """Its 95 % interval (Wilson); None of no pictures."""
        return wilson_interval(self.right, self.of) if self.of else None


@dataclass(frozen=True)
class Threshold:
    """From which probability on a picture is taken for the class.

    Attributes:
        value: It.
        rule: How it came: `given`, `youden`, `sensitivity=0.95`, ...
        chosen_on: Which pictures it was chosen on; empty for a given one.
    """

    value: float
    rule: str = "given"
    chosen_on: str = ""


@dataclass(frozen=True)
class Rule:
    """How a threshold comes about; `Rule.parse` reads one.

    Attributes:
        text: As it was given.
        number: A threshold, or the wanted share.
        kind: `given`, `youden`, `f1`, `sensitivity` or `specificity`.
    """

    text: str
    kind: str
    number: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read `0.5`, `youden`, `f1`, `sensitivity=0.95` or `specificity=0.9`.

        Raises:
            ConfigError: It is none of these.
        """
        kind, equals, number = text.partition("=")
        if text in _OPTIMA:
            return cls(text, text)
        if not equals and _is_share(text):
            return cls(text, "given", float(text))
        if equals and kind in _WANTED and _is_share(number):
            return cls(text, kind, float(number))
        if kind.isalpha() and kind not in _WANTED:
            raise unknown_name("threshold", kind, (*_OPTIMA, *_WANTED))
        raise ConfigError(
            f"threshold is '{text}': expected a probability between 0 and 1, youden, f1, sensitivity=0.95 or "
            "specificity=0.95"
        )

    @property
    def needs_validation(self) -> bool:
        """Whether it must be chosen on pictures."""
        return self.kind != "given"

    def choose(self, curve: Curve) -> float:
        """The threshold that the rule finds on a curve: half-way between the scores that it separates.

        `youden`: the greatest sum of sensitivity and specificity. `f1`: the greatest F1. `sensitivity=s`: the highest
        threshold that finds the share s of the positives. `specificity=s`: the lowest that leaves the share s of the
        negatives alone.
        """
        if self.kind == "youden":
            at = int((curve.sensitivity + curve.specificity).argmax())
        elif self.kind == "f1":
            at = int(curve.f1.argmax())
        elif self.kind == "sensitivity":
            at = int((curve.sensitivity >= self.number - 1e-12).argmax())
        else:
            at = int(np.flatnonzero(curve.specificity >= self.number - 1e-12)[-1])
        return curve.halfway(at)


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False


@dataclass(frozen=True, eq=False)
class BinaryReading:
    """How well one class is told from all others.

    Attributes:
        positive: The class.
        positives: Pictures of it.
        negatives: All others.
        auc: Area under the ROC curve.
        auc_ci95: Its 95 % interval (DeLong on the logit scale; see `hubel.tasks.ranking`).
        average_precision: Area under the precision-recall steps.
        average_precision_ci95: Its 95 % interval (jackknife on the logit scale).
        threshold: From which probability on a picture is taken for the class.
        sensitivity: The share of the positives that is found (recall).
        specificity: The share of the negatives that is left alone.
        positive_predictive_value: The share of those taken for the class that are of it (precision).
        negative_predictive_value: The share of the others that are not of it.
        curve: What every threshold would do.
    """

    positive: str
    positives: int
    negatives: int
    auc: float
    auc_ci95: Interval
    average_precision: float
    average_precision_ci95: Interval
    threshold: Threshold
    sensitivity: Share
    specificity: Share
    positive_predictive_value: Share
    negative_predictive_value: Share
    curve: Curve

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON, without the curve."""
        values: dict[str, Any] = {
            "positive": self.positive,
            "positives": self.positives,
            "negatives": self.negatives,
            "auc": self.auc,
            "auc_ci95": list(self.auc_ci95),
            "average_precision": self.average_precision,
            "average_precision_ci95": list(self.average_precision_ci95),
            "threshold": self.threshold.value,
            "threshold_rule": self.threshold.rule,
            "threshold_chosen_on": self.threshold.chosen_on,
        }
        for name in ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value"):
            share: Share = getattr(self, name)
            values |= {name: share.value, f"{name}_ci95": None if share.ci95 is None else list(share.ci95)}
        return values

    def curve_csv(self) -> str:
        """Every threshold with what it does, as CSV text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["threshold", "sensitivity", "specificity", "precision", "true_positives", "false_positives"])
        c = self.curve
        rows = zip(
            *(c.thresholds, c.sensitivity, c.specificity, c.precision, c.true_positives, c.false_positives), strict=True
        )
        writer.writerows([*(f"{value:.6f}" for value in row[:4]), *(int(count) for count in row[4:])] for row in rows)
        return text.getvalue()


def positive_class(task: LabelTask, named: str | None) -> int | None:
    """Which class is told from the rest: the named one, else the second of two of which one is right, else none.

    Raises:
        ConfigError: There is no class of that name.
    """
    classes = task.classes
    if named is None:
        return 1 if task.calibrates and len(classes) == 2 else None
    if not classes:
        raise ConfigError(f"--positive came with '{named}', but the model predicts a number: it has no classes")
    if named not in classes:
        raise unknown_name("class", named, classes)
    return list(classes).index(named)


def choose_threshold(rule: Rule, scores: Floats, of_class: Booleans, chosen_on: str) -> Threshold:
    """Choose a threshold on validation pictures.

    Args:
        rule: How.
        scores: float64 of shape (N,): each picture's probability of the class.
        of_class: bool of shape (N,): which pictures are of it.
        chosen_on: What the pictures are, for people.

    Raises:
        DataError: One side has no picture there.
    """
    positives, negatives = scores[of_class], scores[~of_class]
    if not len(positives) or not len(negatives):
        raise DataError(
            f"{chosen_on}: {counted(len(positives), 'picture')} of the class and {len(negatives):,} of the rest came "
            "to choose a threshold on, expected some of both"
        )
    note = f"{chosen_on} ({len(positives):,} and {len(negatives):,} others)"
    return Threshold(rule.choose(trace(positives, negatives)), rule.text, note)


def read_binary(name: str, scores: Floats, of_class: Booleans, threshold: Threshold) -> BinaryReading:
    """Measure how well a class is told from the rest.

    Args:
        name: The class.
        scores: float64 of shape (N,): each picture's probability of it.
        of_class: bool of shape (N,): which pictures are of it.
        threshold: From which probability on a picture is taken for it.

    Raises:
        DataError: The class, or everything else, has no picture.
    """
    of_it, others = scores[of_class], scores[~of_class]
    if not len(of_it) or not len(others):
        raise DataError(
            f"{len(of_it)} of the measured pictures are of class '{name}' and {len(others)} are not: "
            "expected some of both"
        )
    found, missed = int((of_it >= threshold.value).sum()), int((of_it < threshold.value).sum())
    left, alarmed = int((others < threshold.value).sum()), int((others >= threshold.value).sum())
    auc, auc_ci95 = roc_auc(of_it, others)
    precision, precision_ci95 = average_precision(of_it, others)
    return BinaryReading(
        positive=name,
        positives=len(of_it),
        negatives=len(others),
        auc=auc,
        auc_ci95=auc_ci95,
        average_precision=precision,
        average_precision_ci95=precision_ci95,
        threshold=threshold,
        sensitivity=Share(found, found + missed),
        specificity=Share(left, left + alarmed),
        positive_predictive_value=Share(found, found + alarmed),
        negative_predictive_value=Share(left, left + missed),
        curve=trace(of_it, others),
    )
