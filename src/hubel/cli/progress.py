"""How a run shows itself: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hubel.cli.text import duration
from hubel.results.naming import TITLES
from hubel.training.progress import Reporter, StepReport

_SECONDS_PER_PLAIN_LINE = 10.0


@contextmanager
def progress_reporter() -> Iterator[Reporter]:
    """A reporter that fits where stderr goes."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        yield BarReporter(bar)


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
        due = now - self._last >= _SECONDS_PER_PLAIN_LINE
        if due:
            self._last = now
        return due


class BarReporter(Reporter):
    """A bar that fills with every epoch, and a line above it for each that has ended.

    Args:
        bar: A rich Progress with a field `figures`.
    """

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._line = bar.add_task("starting", total=None, figures="")

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False, soft_wrap=True)

    def downloading(self, file: str, done: int, total: int) -> None:
        """Show how far a download is."""
        self._bar.update(
            self._line,
            description=f"downloading {file}",
            completed=done,
            total=total or None,
            figures=megabytes(done, total),
        )

    def preparing(self, what: str, done: int, total: int) -> None:
        """Show how far reading is."""
        self._bar.update(
            self._line,
            description=f"reading {what}",
            completed=done,
            total=total,
            figures=f"{done:,}/{total:,} pictures",
        )

    def step(self, report: StepReport) -> None:
        """Show where training is."""
        self._bar.update(
            self._line,
            description=f"epoch {report.epoch}/{report.epochs}",
            completed=report.step,
            total=report.steps,
            figures=step_figures(report),
        )

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Print an epoch's figures above the bar."""
        self.message(epoch_line(row, best=best))


@contextmanager
def evaluation_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows how much of something is done: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(line, description=what, completed=done, total=total)
