"""What a run tells while it goes, as lines of text: where stderr is no terminal, and in notebooks."""

from __future__ import annotations

import sys
import time
from typing import Any

from hubel.results.naming import TITLES, duration
from hubel.training.progress import Reporter, StepReport

_SECONDS_PER_LINE = 10.0


def epoch_line(row: dict[str, Any], *, best: bool) -> str:
    """An epoch's figures as a line."""
    validated = _figures(row, "validation_")
    return (
        f"epoch {row['epoch']:>3}  {row['phase']:<8} {_figures(row, 'train_')}  "
        f"{f'validation {validated}  ' if validated else ''}"
        f"{row['images_per_second']:,.0f} images/s  {duration(row['seconds'])}{'  best' if best else ''}"
    )


def _figures(row: dict[str, Any], split: str) -> str:
    """The loss and the first figure of a split in an epoch's row: `loss 0.1234  accuracy 0.9876`."""
    names = [name for name in row if name.startswith(split)][:2]
    return "  ".join(f"{TITLES[name.removeprefix(split)]} {_short(row[name])}" for name in names)


def _short(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.5g}"  # an error may be in thousands


def megabytes(done: int, total: int) -> str:
    """`34 of 98 MB`; the total is 0 while it is unknown."""
    return f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else f"{done / 1e6:,.0f} MB"


def step_figures(report: StepReport) -> str:
    """Where the loop is, as a line."""
    return (
        f"{report.images_per_second:,.0f} images/s  {duration(report.seconds_left)} left  "
        f"loss {report.loss:.4f}  {TITLES[report.score_name]} {_short(report.score)}"
    )


class PlainReporter(Reporter):
    """Lines on stderr, a few a minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def message(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def downloading(self, file: str, done: int, total: int) -> None:
        """Print how far a download is, at its beginning and now and then."""
        if self._due() or done == 0:
            self.message(f"downloading {file}: {megabytes(done, total)}")

    def preparing(self, what: str, done: int, total: int) -> None:
        """Print how far reading is, now and then."""
        if self._due() and done < total:
            self.message(f"reading {what} pictures: {done:,} of {total:,}")

    def step(self, report: StepReport) -> None:
        """Print where training is, now and then."""
        if self._due():
            self.message(f"epoch {report.epoch}/{report.epochs}  {report.step}/{report.steps}  {step_figures(report)}")

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Print an epoch's figures."""
        self._last = time.monotonic()
        self.message(epoch_line(row, best=best))

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= _SECONDS_PER_LINE
        if due:
            self._last = now
        return due
