"""How deep to freeze: what a probe, the number of pictures and the origin of the weights say together.

The rule is the usual one, similarity of the tasks times the amount of data (Yosinski et al. 2014, arXiv:1411.1792,
measured both). Similarity is measured here: where the accuracy of linear probes grows up to the last stage, the
weights' task is like the new one; where it falls before the end, the last stages have thrown away what the new task
needs, and the network does better without them. `benchmarks/freeze_depth_study.py` judges the rule.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hubel.results import Interval
from hubel.results.naming import TITLES

Added = npt.NDArray[Any]

# From so many pictures per class (label, tenth of the values) on, the later half of the stages is trained, and from so
# many on all of them. Both were chosen on a seed that the study does not use.
SOME_PER_CLASS, ENOUGH_PER_CLASS = 10, 50

# Features that are right this often (or explain as much) leave fine-tuning nothing to gain.
_NEARLY_ALL = 0.98

_Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True, eq=False)
class Evidence:
    """What advice is given on.

    Attributes:
        right: By stage, in the network's order: which pictures its probe got right, bool of shape (N,); or what each
            adds to the figure, float64 (N,), where it is another one than the accuracy.
        pictures_per_class: Of each class, label or tenth of the values.
        pretrained: Whether the network has weights from elsewhere.
        figure: The mean of what the pictures add: `accuracy`, `mean_average_precision`, `r2`.
        amount: What `pictures_per_class` counts pictures per.
    """

    right: Mapping[str, Added]
    pictures_per_class: Sequence[int]
    pretrained: bool
    figure: str = "accuracy"
    amount: str = "class"

    def text(self, stage: str) -> str:
        """The figure after a stage: `93.1 %`, `mean average precision 0.931`."""
        value = float(self.right[stage].mean())
        return _percent(value) if self.figure == "accuracy" else f"{TITLES[self.figure]} {value:.3f}"


@dataclass(frozen=True)
class Advice:
    """How much of the network to use, what of it to freeze, and why.

    Attributes:
        regime: `head`: every stage frozen; `mid`: the first stages frozen; `full`: nothing frozen at the end.
        recipe: The recipe of `hubel train` that does it.
        train: What trains at last, as in a recipe's phase: `head`, the first stage that trains, or `all`.
        through: The last stage that is used, the network's option of this name; None: all are.
        frozen: The stages that stay frozen.
        reasons: A sentence each.
    """

    regime: Literal["head", "mid", "full"]
    recipe: str
    train: str
    through: str | None
    frozen: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The advice without its reasons, as a line."""
        option = f", model.arguments.through={self.through}" if self.through else ""
        return f"{self.regime}: {self._what()} (recipe {self.recipe}{option})"

    def _what(self) -> str:
        """What is used, frozen and trained, in words."""
        used = f"end the network after {self.through}, " if self.through else ""
        if self.recipe == "scratch":
            return "train every stage"
        if self.regime == "full":
            return f"{used}train the head first, and every stage in the end"
        frozen = f"freeze {self.frozen[0]}" + (f" to {self.frozen[-1]}" if len(self.frozen) > 1 else "")
        if self.regime == "head":
            return f"{used}{frozen}, all stages, and train the head alone"
        return f"{used}{frozen}, and train from {self.train} on"

    def to_dict(self) -> dict[str, Any]:
        """This advice for JSON."""
        return {
            "regime": self.regime,
            "recipe": self.recipe,
            "train": self.train,
            "through": self.through,
            "frozen": list(self.frozen),
            "reasons": list(self.reasons),
        }


def advise(evidence: Evidence) -> Advice:
    """Where the features are best, and what the number of pictures allows to change of what comes before."""
    stages = tuple(evidence.right)
    if not evidence.pretrained:
        reason = "the weights are random: no stage has learnt anything that freezing would keep"
        return Advice("full", "scratch", "all", None, (), (reason,))
    last = last_useful_stage(evidence.right)
    used = stages[: stages.index(last) + 1]
    through = None if last == stages[-1] else last
    first = used[(len(used) + 1) // 2] if len(used) > 1 else None  # of the later half
    depth, figure = _reason_of_depth(evidence, last), float(evidence.right[last].mean())
    per_class = statistics.median(evidence.pictures_per_class)
    amount = f"{per_class:g} pictures per {evidence.amount} (the median) are"
    if figure >= _NEARLY_ALL:
        reached = f"{_percent(figure)} right" if evidence.figure == "accuracy" else evidence.text(last)
        nothing = f"with {reached}, training more than the head has next to nothing to gain"
        return Advice("head", "head", "head", through, used, (depth, nothing))
    if per_class >= ENOUGH_PER_CLASS:
        lacking = f"{_percent(1 - figure)} are still wrong"
        if evidence.figure != "accuracy":
            lacking = f"{evidence.text(last)} leaves room"
        return Advice(
            "full", "gradual", "all", through, (), (depth, f"{amount} enough to fit every stage, and {lacking}")
        )
    if per_class >= SOME_PER_CLASS and first is not None:
        half = f"{amount} enough to fit the later half of the stages, and too few for all"
        return Advice("mid", "mid", first, through, used[: used.index(first)], (depth, half))
    return Advice("head", "head", "head", through, used, (depth, f"{amount} too few to change features"))


def last_useful_stage(right: Mapping[str, Added]) -> str:
    """The deepest stage whose figure is no more than one standard error of the difference below the best.

    It is the rule of one standard error (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3), with
    the deeper stage in the simpler tree's place: a difference that may be luck cuts nothing off.
    """
    best = right[best_stage(right)]
    for stage in reversed(list(right)):
        behind, error = difference_and_error(best, right[stage])
        if behind < error or math.isclose(behind, error):  # one picture is one standard error, but for rounding
            return stage
    raise AssertionError("the best stage is not behind itself")


def best_stage(right: Mapping[str, Added]) -> str:
    """The stage with the highest figure; of equals, the deepest."""
    return max(reversed(list(right)), key=lambda stage: float(right[stage].mean()))


def difference_and_error(one: Added, other: Added) -> tuple[float, float]:
    """The mean of the differences picture by picture (of accuracies, -1, 0 or 1), and its standard error."""
    differences = one.astype(np.float64) - other
    return float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(len(differences))


def paired_difference(one: Added, other: Added) -> tuple[float, Interval]:
    """The difference of two figures on the same pictures, and its 95 % interval: Wald's, 1.96 standard errors."""
    mean, error = difference_and_error(one, other)
    return mean, (mean - _Z95 * error, mean + _Z95 * error)


def _reason_of_depth(evidence: Evidence, last: str) -> str:
    """Where the figure peaks, in words."""
    right = evidence.right
    stages, best = list(right), best_stage(right)
    top, found = evidence.text(best), evidence.text(last)
    if len(stages) == 1:
        return f"the network has one stage only: depth cannot be compared ({top} after {best})"
    if last == stages[-1]:
        if best == last:
            return f"the features fit: the deepest stage is the best one ({top} after {best})"
        return f"the features fit: {found} after {last} is within a standard error of the best, {top} after {best}"
    behind, (low, high) = paired_difference(right[best], right[stages[-1]])
    where = f"{best} ({top})" + (f", no worse after {last} ({found})" if last != best else "")
    if evidence.figure != "accuracy":
        less = f"it is {behind:.3f} less (95 % interval {low:.3f} to {high:.3f})"
    else:
        less = f"{100 * behind:.1f} points fewer are right (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    return f"the features fit best after {where}, and less later: after {stages[-1]}, {less}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
