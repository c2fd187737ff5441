"""Runs without validation: every picture but those of the test trains, and the last epoch is kept."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import hubel
from hubel.errors import ConfigError
from hubel.training.run import Run

SMALL = {"data.size": 16, "batch_size": 8, "threads": 1, "data.validation_fraction": 0}


def trained(pictures: Path, out: Path, **options: object) -> Run:
    settings = SMALL | options.pop("settings", {})  # type: ignore[operator]
    return hubel.train(pictures, model="resnet20_cifar", out=out, settings=settings, **options)


@pytest.fixture
def run(coloured_squares: Path, tmp_path: Path) -> Run:
    return trained(coloured_squares, tmp_path / "run", epochs=3, settings={"average_decay": 0.9, "patience": 1})


def test_the_last_epoch_is_kept_and_the_test_measured(run: Run, coloured_squares: Path) -> None:
    assert run.metrics.keys() >= {"train", "test"}
    assert "validation" not in run.metrics
    assert run.metrics["best_epoch"] == run.metrics["epochs"] == 3
    checkpoint = torch.load(run.dir / "last.ckpt", weights_only=True)
    name = "stages.conv2.block1.conv1.weight"
    assert torch.equal(checkpoint["states"]["average"][f"module.{name}"], load_file(run.bundle)[name])
    rows = list(csv.DictReader((run.dir / "metrics.csv").open()))
    assert not [column for column in rows[0] if column.startswith("validation")]
    assert len(list(csv.DictReader((run.dir / "splits.csv").open()))) == 60
    assert "best" not in (run.dir / "log.txt").read_text(encoding="utf-8")
    page = run.report.read_text(encoding="utf-8")
    assert "the last epoch, whose weights were kept" in page
    assert "it chose the epoch" not in page
    evaluation = hubel.evaluate(run.dir, coloured_squares)
    assert evaluation.split == "test"
    assert evaluation.metrics.to_dict()["accuracy"] == pytest.approx(run.metrics["test"]["accuracy"])


def test_a_phase_that_runs_frozen_layers_once(coloured_squares: Path, tmp_path: Path) -> None:
    first = trained(coloured_squares, tmp_path / "first", epochs=1)
    run = trained(
        coloured_squares,
        tmp_path / "head",
        weights=str(first.bundle),
        recipe="head",
        epochs=2,
        settings={"transfer.views": 1, "augment.preset": "none"},
    )
    assert "frozen layers run once" in (run.dir / "log.txt").read_text(encoding="utf-8")
    assert run.metrics["best_epoch"] == 2
    assert "validation" not in run.metrics


def test_what_needs_validation_pictures_is_refused(rectangles: Path, tmp_path: Path) -> None:
    settings = SMALL | {"label_threshold": "f1"}
    with pytest.raises(ConfigError, match=r"label_threshold is f1, .* but data\.validation_fraction is 0: leave some"):
        hubel.train(rectangles, task="multilabel", model="resnet20_cifar", out=tmp_path / "tags", settings=settings)
    with pytest.raises(ConfigError, match=r"data\.validation_fraction=0 came, but the network is a GAN"):
        hubel.train(rectangles, model="dcgan", out=tmp_path / "gan", settings=SMALL | {"data.size": 32})
    assert not list(tmp_path.glob("*/config.yaml"))
