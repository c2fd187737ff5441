"""Pictures that vanish while a run goes on, and the time that a run waits for pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from hubel.config import TrainConfig
from hubel.training import run as runs
from hubel.training.fit_run import wait_share
from hubel.training.progress import Reporter


class _Vandal(Reporter):
    """Deletes a picture of every split after the first epoch."""

    def __init__(self, out: Path, pictures: Path) -> None:
        self.out, self.pictures = out, pictures
        self.gone: dict[str, str] = {}

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        if not self.gone:
            with (self.out / "splits.csv").open() as file:
                for division in csv.DictReader(file):
                    self.gone[division["split"]] = division["name"]
            for name in self.gone.values():
                (self.pictures / name).unlink()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_outlives_pictures_that_vanish(coloured_squares: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "run"
    config = TrainConfig.from_values(
        {
            "data": {"path": str(coloured_squares), "cache_gb": 0, "workers": workers},
            "model": {"name": "resnet20_cifar"},
            "epochs": 2,
            "batch_size": 8,
            "device": "cpu",
            "threads": 1,
        }
    )
    vandal = _Vandal(out, coloured_squares)
    run = runs.start(config, out=out, reporter=vandal)
    assert set(vandal.gone) == {"train", "validation", "test"}

    with (out / "splits.csv").open() as file:
        counts = [row["split"] for row in csv.DictReader(file)]
    assert run.metrics["validation"]["images"] == counts.count("validation") - 1
    assert run.metrics["test"]["images"] == counts.count("test") - 1
    log, report = (out / "log.txt").read_text(), (out / "report.html").read_text()
    for split, name in vandal.gone.items():
        where = f" of {split}" if split == "test" else ""
        assert f"can no longer be read, left out{where}: {name} (it does not exist)" in log
        assert f"<li>{name}: it does not exist</li>" in report

    with (out / "metrics.csv").open() as file:
        history = [
            {key: float(row[key]) for key in ("wait_share", "images_per_second")} for row in csv.DictReader(file)
        ]
    assert all(0 < row["wait_share"] < 1 for row in history)
    share = json.loads((out / "metrics.json").read_text())["wait_share"]
    assert share == pytest.approx(wait_share(history), abs=1e-4)
    stated = f"raining waited for pictures {100 * wait_share(history):.1f} % of its time"
    assert stated in log
    assert stated in report


def test_an_epochs_share_counts_by_its_time() -> None:
    slow = {"wait_share": 0.8, "images_per_second": 10.0}
    fast = {"wait_share": 0.0, "images_per_second": 30.0}
    assert wait_share([slow, fast]) == pytest.approx(0.6)  # three quarters of the time was the slow epoch's
