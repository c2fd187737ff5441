"""A run on tar shards, which are decoded as they come, is resumed as exactly as one on files, and can be evaluated."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.command_line import call
from tests.data.shard_files import write_shards
from tests.training.test_resume import SETTINGS, last_weights, sha256, stop_at, train

STREAMED = (*SETTINGS, "--set", "data.cache_gb=0", "--set", "data.shuffle_buffer=10", "--epochs", "2")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shards"
    write_shards(folder, "train", shards=6, pictures=12)
    write_shards(folder, "val", shards=1, pictures=10, first=1000)
    write_shards(folder, "test", shards=1, pictures=10, first=2000)
    (folder / "classes.txt").write_text("even\nodd\n")
    return folder


def test_killed_in_mid_epoch_and_resumed(shards: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(shards, "--out", whole, *STREAMED)
    stop_at(shards, stopped, 5, signal.SIGKILL, *STREAMED)
    train(shards, "--out", stopped, "--resume")
    assert sha256(stopped) == sha256(whole)
    assert last_weights(stopped) == last_weights(whole)

    figures = json.loads(call("evaluate", whole, shards, "--device", "cpu", "--json").out)
    test = json.loads((whole / "metrics.json").read_text())["test"]
    assert test["images"] == 10
    assert f'"accuracy": {test["accuracy"]}' in json.dumps(figures)


def test_a_pattern_is_trained_on(shards: Path, tmp_path: Path) -> None:
    pattern = str(shards / "{train-{000000..000005},val-000000}.tar")
    done = train(pattern, "--out", tmp_path / "run", *STREAMED, "--epochs", "1")
    assert "72 train, 10 validation pictures of 2 classes" in done.err
    missing = call("train", shards / "train-{000000..000009}.tar", "--out", tmp_path / "other", *STREAMED)
    assert missing.status == 2
    assert "4 of the 10 shards that" in missing.error
