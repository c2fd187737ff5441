"""What figures must be compared with: those of a guess that never looks at a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hubel.results import Interval
from hubel.results.base import interval_fields


@dataclass(frozen=True)
class Baseline:
    """A way to guess that a model should beat, measured on the same pictures.

    Attributes:
        name: What it is.
        figures: Each figure by its usual name with its 95 % interval, the headline first.
    """

    name: str
    figures: Mapping[str, tuple[float, Interval | None]]

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        values: dict[str, Any] = {"name": self.name}
        for name, (value, ci95) in self.figures.items():
            values |= interval_fields(name, value, ci95)
        return values


def whose(known: bool) -> str:
    """Whose labels a baseline says."""
    return "the training pictures" if known else "these pictures"
