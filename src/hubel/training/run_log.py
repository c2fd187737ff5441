"""Everything that a run says, into its log."""

from __future__ import annotations

from typing import Any

from hubel.training.folder import RunFolder
from hubel.training.progress import Reporter, StepReport


class LoggingReporter(Reporter):
    """Passes everything on and writes the messages into the run's log, once the run has a folder."""

    def __init__(self, inner: Reporter) -> None:
        self.inner = inner
        self._folder: RunFolder | None = None
        self._waiting: list[str] = []

    def attach(self, folder: RunFolder) -> None:
        """From now on, log into this folder; what was said before comes first."""
        self._folder = folder
        for text in self._waiting:
            folder.append_log(text)

    def downloading(self, file: str, done: int, total: int) -> None:
        """Pass it on."""
        self.inner.downloading(file, done, total)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        self.inner.preparing(what, done, total)

    def step(self, report: StepReport) -> None:
        """Pass it on."""
        self.inner.step(report)

    def message(self, text: str) -> None:
        """Show a line and log it."""
        self.inner.message(text)
        self._log(text)

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Show an epoch's row and log it."""
        self.inner.epoch(row, best=best)
        figures = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        self._log(figures + (", best so far" if best else ""))

    def _log(self, text: str) -> None:
        if self._folder is None:
            self._waiting.append(text)
        else:
            self._folder.append_log(text)
