"""How a run shows itself: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hubel.training.plain_progress import PlainReporter, epoch_line, megabytes, step_figures
from hubel.training.progress import Reporter, StepReport


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
