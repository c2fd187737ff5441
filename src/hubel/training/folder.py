"""The run's folder: what lies in it, and where a new one goes."""

from __future__ import annotations

import csv
import glob
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubel.config import TrainConfig
from hubel.data.layouts.finding import settled, title_of
from hubel.errors import TrainingError
from hubel.files import write_json, write_whole
from hubel.training.checkpoint import CHECKPOINT_NAME
from hubel.weights.checkpoint import BUNDLE_NAME


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
        """The model of the best epoch, or of the last one where there is no validation."""
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
    def rates(self) -> Path:
        """A row per step of the search for a learning rate, where there was one."""
        return self.path / "rates.csv"

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
            with self.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
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


def read_table(path: Path) -> list[dict[str, float]]:
    """The rows of numbers that `table` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def claim_folder(data: str, out: Path | None) -> RunFolder:
    """Make the folder of a new run: `out`, or `runs/<the data's name>`, numbered on when it is taken.

    Raises:
        TrainingError: It cannot be made, or `out` holds a run already.
    """
    if out is not None:
        refuse_taken(out)
        _make(out, exist_ok=True)
        return RunFolder(out)
    name = title_of(data)
    for candidate in (name, *(f"{name}-{number}" for number in range(2, 10_000))):
        try:
            _make(Path("runs") / candidate, exist_ok=False)
        except FileExistsError:
            continue
        return RunFolder(Path("runs") / candidate)
    raise TrainingError(f"runs/{name} and its successors are all taken: choose another folder with --out")


def refuse_taken(out: Path) -> None:
    """Refuse a folder for a new run that holds one already.

    Raises:
        TrainingError: It does, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file: expected a folder for the run")
    if RunFolder(out).config.exists():
        raise TrainingError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")


def _make(folder: Path, *, exist_ok: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise TrainingError(f"cannot write {folder}: {error.strerror}; choose another folder with --out") from error


def find_folder(data: str, out: Path | None) -> tuple[RunFolder, TrainConfig]:
    """The run to go on with, and its configuration.

    Args:
        data: The data set; empty: whatever the run in `out` was trained on.
        out: The run's folder; None: the newest run of `data` under `runs/`, an unfinished one before a finished one.

    Raises:
        TrainingError: There is no such run, or it is of other data.
    """
    wanted = settled(data) if data else None
    if out is not None:
        if not RunFolder(out).config.is_file():
            raise TrainingError(f"nothing to resume in {out}: expected a run's folder, with its config.yaml")
        config = TrainConfig.from_yaml(RunFolder(out).config)
        if wanted is not None and config.data.path != wanted:
            raise TrainingError(f"the run in {out} is of {config.data.path}, not of {data}: leave one of the two out")
        return RunFolder(out), config
    runs = [RunFolder(path) for path in Path("runs").glob(f"{glob.escape(title_of(data))}*")]
    runs = [run for run in runs if run.config.is_file()]
    of_data = [(run, config) for run in runs if (config := TrainConfig.from_yaml(run.config)).data.path == wanted]
    if not of_data:
        raise TrainingError(f"nothing to resume: there is no run of {data} under runs/; say which with --out DIR")
    return max(of_data, key=lambda found: (not found[0].metrics.exists(), found[0].config.stat().st_mtime))
