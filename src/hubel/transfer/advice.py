"""How deep to freeze: what a probe, the number of pictures and the origin of the weights say together.

The rule is the usual one, similarity of the tasks times the amount of data (Yosinski et al. 2014, arXiv:1411.1792,
measured both). Similarity is measured here: where the accuracy of linear probes grows up to the last stage, the
weights' task is like the new one; where it falls before the end, the last stages have thrown away what the new task
needs, and are learnt anew. `benchmarks/freeze_depth_study.py` judges the rule.
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
from hubel.tasks.paired import mean_difference

Added = npt.NDArray[Any]

# From so many pictures per class (label, tenth of the values) on, everything is trained.
ENOUGH_PER_CLASS = 50

# Features that are right this often (or explain as much) leave fine-tuning nothing to gain.
_NEARLY_ALL = 0.98

# Below it, two stages are distinguishable.
_SMALL_P = 0.05

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
    stages = tuple(evidence.right)
    if not evidence.pretrained:
        reason = "the weights are random: no stage has learnt anything that freezing would keep"
        return Advice("full", "scratch", "all", (), (reason,))
    per_class = statistics.median(evidence.pictures_per_class)
    enough = per_class >= ENOUGH_PER_CLASS
    amount = f"{per_class:g} pictures per {evidence.amount} (the median) are {'enough' if enough else 'too few'} to"
    best, fits = best_stage(evidence.right), features_fit(evidence.right)
    depth = _reason_of_depth(evidence)
    accuracy = float(evidence.right[stages[-1]].mean())
    if fits and accuracy >= _NEARLY_ALL:
        reached = f"{_percent(accuracy)} right" if evidence.figure == "accuracy" else evidence.text(stages[-1])
        nothing = f"with {reached}, training more than the head has next to nothing to gain"
        return Advice("head", "head", "head", stages, (depth, nothing))
    if fits and not enough:
        return Advice("head", "head", "head", stages, (depth, f"{amount} change features that fit"))
    if not fits and not enough and best != stages[0]:
        frozen = stages[: stages.index(best)]
        return Advice("mid", "mid", best, frozen, (depth, f"{amount} change what comes before, which stays as it is"))
    if not fits:
        stay = f"{amount} change every stage for this task" if enough else f"nothing comes before {best} to be frozen"
        return Advice("full", "gradual", "all", (), (depth, stay))
    lacking = f"{_percent(1 - accuracy)} are still wrong"
    if evidence.figure != "accuracy":
        lacking = f"{evidence.text(stages[-1])} leaves room"
    room = f"{amount} fit the features closer, and {lacking}"
    return Advice("full", "gradual", "all", (), (depth, room))


def features_fit(right: Mapping[str, Added]) -> bool:
    """Whether the last stage's probe is not distinguishable from the best one's, on the same pictures.

    The test is the sign test of right and wrong, Student's paired test of other figures. The best stage is the best of
    several by luck, too: the test's p is multiplied by how many there are beside the last one (Bonferroni).
    """
    *others, last = right
    best = right[best_stage(right)]
    p = sign_test(best, right[last]) if best.dtype == bool else mean_difference("", best, right[last]).p_value
    return p * max(len(others), 1) > _SMALL_P


def best_stage(right: Mapping[str, Added]) -> str:
    """The stage with the highest figure; of equals, the deepest."""
    return max(reversed(list(right)), key=lambda stage: float(right[stage].mean()))


def sign_test(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """The two-sided p of the exact sign test (McNemar's): that each gets as many right that the other misses."""
    ahead, behind = int((one & ~other).sum()), int((other & ~one).sum())
    count = ahead + behind
    tail: int = sum(math.comb(count, number) for number in range(min(ahead, behind) + 1))
    return min(1.0, float(2 * tail / 2**count))


def paired_difference(one: Added, other: Added) -> tuple[float, Interval]:
    """The difference of two figures on the same pictures, and its 95 % interval.

    The interval is Wald's: the mean of the differences picture by picture (of accuracies, -1, 0 or 1), and 1.96 of its
    standard errors to either side.
    """
    differences = one.astype(np.float64) - other
    mean = float(differences.mean())
    half = _Z95 * float(differences.std()) / math.sqrt(len(differences))
    return mean, (mean - half, mean + half)


def _reason_of_depth(evidence: Evidence) -> str:
    """Where the figure peaks, in words."""
    right = evidence.right
    stages, best = list(right), best_stage(right)
    top, last = evidence.text(best), evidence.text(stages[-1])
    if len(stages) == 1:
        return f"the network has one stage only: depth cannot be compared ({top} after {best})"
    if best == stages[-1]:
        return f"the features fit: the deepest stage is the best one ({top} after {best})"
    if features_fit(right):
        return f"the features fit: {last} after {stages[-1]} is not distinguishable from the best, {top} after {best}"
    behind, (low, high) = paired_difference(right[best], right[stages[-1]])
    if evidence.figure != "accuracy":
        return (
            f"the features fit best after {best} ({top}) and less later: after {stages[-1]}, it is {behind:.3f} less "
            f"(95 % interval {low:.3f} to {high:.3f})"
        )
    return (
        f"the features fit best after {best} ({top}) and less later: after {stages[-1]}, {100 * behind:.1f} points "
        f"fewer are right (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
