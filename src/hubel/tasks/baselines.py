"""What an accuracy must be compared with: that of knowing nothing but how often each class occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.results import Interval
from hubel.tasks.classification import wilson_interval

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Baseline:
    """A way to classify that a model should beat, measured on the same pictures.

    Attributes:
        name: What it is.
        accuracy: The share that it has right.
        ci95: Its 95 % interval (Wilson).
    """

    name: str
    accuracy: float
    ci95: Interval

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {"name": self.name, "accuracy": self.accuracy, "accuracy_ci95": list(self.ci95)}


def majority_baseline(
    labels: npt.NDArray[np.int64], classes: Sequence[str], training_labels: Sequence[int] | None
) -> Baseline:
    """Always saying the most frequent class.

    Args:
        labels: int64 of shape (N,): the measured pictures' classes.
        classes: Names.
        training_labels: The training pictures' classes, whose most frequent one is said; None: they are not known,
            and the measured pictures' own is said, which no honest guess can beat.
    """
    known = training_labels is not None
    counts = np.bincount(training_labels if training_labels is not None else labels, minlength=len(classes))
    said = int(counts.argmax())
    right = int((labels == said).sum())
    source = "the training pictures" if known else "these pictures"
    return Baseline(
        f"always '{classes[said]}', the most frequent class of {source}",
        right / len(labels),
        wilson_interval(right, len(labels)),
    )
