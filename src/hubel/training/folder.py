"""The run's folder: what lies in it, and where a new one goes."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubel.bundle import BUNDLE_NAME
from hubel.errors import TrainingError
from hubel.files import write_json, write_whole
from hubel.training.checkpoint import CHECKPOINT_NAME


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration; `hubel train --config` repeats the run from it."""
        return self.path / "config.yaml"

    @property
    def splits(self) -> Path:
        """Which picture is in which split, with its content's hash."""
        return self.path / "splits.csv"

    @property
    def bundle(self) -> Path:
        """The best epoch's model."""
        return self.path / BUNDLE_NAME

    @property
    def checkpoint(self) -> Path:
        """All that `--resume` needs."""
        return self.path / CHECKPOINT_NAME

    @property
    def history(self) -> Path:
        """A row per epoch."""
        return self.path / "metrics.csv"

    @property
    def metrics(self) -> Path:
        """The final figures."""
        return self.path / "metrics.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """All messages, with their times."""
        return self.path / "log.txt"

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write `metrics.csv` anew."""
        write_whole(self.history, table(rows))

    def write_metrics(self, values: dict[str, Any]) -> None:
        """Write `metrics.json`."""
        write_json(self.metrics, values)

    def append_log(self, text: str) -> None:
        """Add a line to `log.txt`."""
        try:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")
        except OSError as error:
            raise TrainingError(f"cannot write {self.log}: {error.strerror}; what was saved before is whole") from error


def table(rows: list[dict[str, Any]]) -> str:
    """Rows with equal keys as CSV text with a header."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def new_folder(data: str, out: Path | None) -> RunFolder:
    """Where a new run goes: `out`, or `runs/<the data's name>`, numbered on when it is taken.

    Raises:
        TrainingError: `out` holds a run already, or is no folder.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise TrainingError(f"{out} is a file: expected a folder for the run")
        if RunFolder(out).config.exists():
            raise TrainingError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
        return RunFolder(out)
    name = Path(data).resolve().name or "run"
    candidates = [Path("runs") / name, *(Path("runs") / f"{name}-{number}" for number in range(2, 10_000))]
    return RunFolder(next(folder for folder in candidates if not folder.exists()))


def newest_folder(data: str) -> RunFolder:
    """The newest of the data's runs, for `--resume` without `--out`.

    Raises:
        TrainingError: There is none.
    """
    name = Path(data).resolve().name or "run"
    runs = [RunFolder(path) for path in Path("runs").glob(f"{name}*")]
    runs = [run for run in runs if run.path.name == name or run.path.name.removeprefix(f"{name}-").isdigit()]
    runs = [run for run in runs if run.config.is_file()]
    if not runs:
        raise TrainingError(f"nothing to resume: there is no run of '{name}' under runs/; say which with --out DIR")
    return max(runs, key=lambda run: run.config.stat().st_mtime)


def existing_folder(path: Path) -> RunFolder:
    """A run's folder that the user names.

    Raises:
        TrainingError: There is no run in it.
    """
    if not RunFolder(path).config.is_file():
        raise TrainingError(f"nothing to resume in {path}: expected a run's folder, with its config.yaml")
    return RunFolder(path)
