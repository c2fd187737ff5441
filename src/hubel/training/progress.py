"""What a run tells while it goes: hooks that the command line fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepReport:
    """Where the loop is.

    Attributes:
        epoch: From 1.
        epochs: Of the whole run.
        step: Batches done in this epoch.
        steps: Batches of an epoch.
        loss: Mean over this epoch's pictures so far.
        score: Likewise, of what the task scores.
        score_name: What that is, such as `accuracy`.
        images_per_second: Over this epoch so far.
        seconds_left: Estimate for the run.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    score: float
    score_name: str
    images_per_second: float
    seconds_left: float


class Reporter:
    """Hears what happens; this one says nothing. A progress bar or a log overrides what it wants to show."""

    def message(self, text: str) -> None:
        """A line for a person."""

    def downloading(self, file: str, done: int, total: int) -> None:
        """Some bytes of a weights file have come; `total` is 0 while it is unknown."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Some of the pictures have been read."""

    def step(self, report: StepReport) -> None:
        """Training has advanced; called a few times a second at most."""

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """An epoch has ended; `row` is its row of `metrics.csv`."""
