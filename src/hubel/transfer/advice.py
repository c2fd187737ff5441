"""How deep to freeze: what a probe, the number of pictures and the origin of the weights say together.

The rule is the usual one, similarity of the tasks times the amount of data (Yosinski et al. 2014, arXiv:1411.1792,
measured both). Similarity is measured here: where the accuracy of linear probes still grows up to the last stage, the
weights' task is like the new one; where it falls before the end, the last stages have thrown away what the new task
needs. `benchmarks/freeze_depth_study.py` judges the rule.
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

# From so many pictures per class on, everything is trained.
ENOUGH_PER_CLASS = 50

# Features that are right this often leave fine-tuning nothing to gain.
_NEARLY_ALL = 0.98

_Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True, eq=False)
class Evidence:
    """What advice is given on.

    Attributes:
        right: By stage, in the network's order: which pictures its probe got right, bool of shape (N,).
        pictures_per_class: Of each class.
        pretrained: Whether the network has weights from elsewhere.
    """

    right: Mapping[str, npt.NDArray[np.bool_]]
    pictures_per_class: Sequence[int]
    pretrained: bool


@dataclass(frozen=True)
class Advice:
    """What to freeze, and why.

    Attributes:
        regime: `head`: every stage frozen, deep-layer feature extraction; `mid`: the first stages frozen, mid-layer
            feature extraction; `full`: nothing frozen at the end.
        recipe: The recipe of `hubel train` that does it.
        train: What trains at last, as in a recipe's phase: `head`, the first stage that trains, or `all`.
        frozen: The stages that stay frozen.
        reasons: A sentence each.
    """

    regime: Literal["head", "mid", "full"]
    recipe: str
    train: str
    frozen: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The advice without its reasons, as a line."""
        if self.recipe == "scratch":
            return "full: train every stage (recipe scratch)"
        if self.regime == "full":
            return f"full: train the head first, and every stage in the end (recipe {self.recipe})"
        frozen = f"freeze {self.frozen[0]}" + (f" to {self.frozen[-1]}" if len(self.frozen) > 1 else "")
        if self.regime == "head":
            return f"head: {frozen}, all stages, and train the head alone (recipe {self.recipe})"
        return f"mid: {frozen}, and train from {self.train} on (recipe {self.recipe})"

    def to_dict(self) -> dict[str, Any]:
        """This advice for JSON."""
        return {
            "regime": self.regime,
            "recipe": self.recipe,
            "train": self.train,
            "frozen": list(self.frozen),
            "reasons": list(self.reasons),
        }


def advise(evidence: Evidence) -> Advice:
    """Weigh how well the features fit against how many pictures there are to change them."""
    stages = list(evidence.right)
    if not evidence.pretrained:
        reason = "the weights are random: no stage has learnt anything that freezing would keep"
        return Advice("full", "scratch", "all", (), (reason,))
    per_class = statistics.median(evidence.pictures_per_class)
    enough = per_class >= ENOUGH_PER_CLASS
    amount = f"{per_class:g} pictures per class (the median) are {'enough' if enough else 'too few'} to"
    last = deepest_of_the_best(evidence.right)
    depth = _reason_of_depth(evidence.right, last)
    accuracy = float(evidence.right[stages[-1]].mean())
    if last != stages[-1] and not enough:
        following = stages[stages.index(last) + 1]
        return Advice(
            "mid",
            "mid",
            following,
            tuple(stages[: stages.index(following)]),
            (depth, f"{amount} train what comes before: it stays as it is, what comes after is learnt anew"),
        )
    if last != stages[-1]:
        return Advice("full", "gradual", "all", (), (depth, f"{amount} change every stage for this task"))
    if accuracy >= _NEARLY_ALL:
        nothing = f"with {_percent(accuracy)} right, training more than the head has next to nothing to gain"
        return Advice("head", "head", "head", tuple(stages), (depth, nothing))
    if not enough:
        return Advice("head", "head", "head", tuple(stages), (depth, f"{amount} change features that fit"))
    room = f"{amount} fit the features closer, and {_percent(1 - accuracy)} are still wrong"
    return Advice("full", "gradual", "all", (), (depth, room))


def deepest_of_the_best(right: Mapping[str, npt.NDArray[np.bool_]]) -> str:
    """The deepest stage whose probe is not distinguishable from the best one's, on the same pictures."""
    best = _best_stage(right)
    return next(stage for stage in reversed(list(right)) if paired_difference(right[best], right[stage])[1][0] <= 0)


def paired_difference(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> tuple[float, Interval]:
    """The difference of two accuracies on the same pictures, and its 95 % interval.

    The interval is Wald's for paired proportions: the mean of the differences picture by picture (-1, 0 or 1), and
    1.96 of its standard errors to either side.
    """
    differences = one.astype(np.float64) - other
    mean = float(differences.mean())
    half = _Z95 * float(differences.std()) / math.sqrt(len(differences))
    return mean, (mean - half, mean + half)


def _best_stage(right: Mapping[str, npt.NDArray[np.bool_]]) -> str:
    """The stage with the highest accuracy; of equals, the deepest."""
    return max(reversed(list(right)), key=lambda stage: int(right[stage].sum()))


def _reason_of_depth(right: Mapping[str, npt.NDArray[np.bool_]], last: str) -> str:
    """Where the accuracy peaks, in words."""
    stages = list(right)
    best = _best_stage(right)
    peak = f"{_percent(float(right[best].mean()))} after {best}"
    if len(stages) == 1:
        return f"the network has one stage only: depth cannot be compared ({peak})"
    if last != stages[-1]:
        behind, (low, high) = paired_difference(right[best], right[stages[-1]])
        return (
            f"the features fit best after {best} ({peak.split()[0]} %) and lose it again: after {stages[-1]} "
            f"{100 * behind:.1f} points less are right (95 % interval {100 * low:.1f} to {100 * high:.1f})"
        )
    if best == stages[-1]:
        return f"the features fit: the deepest stage is the best one ({peak})"
    accuracy = _percent(float(right[stages[-1]].mean()))
    return f"the features fit: {accuracy} after the last stage is not distinguishable from the best ({peak})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
