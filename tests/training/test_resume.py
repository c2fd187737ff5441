"""A run that is killed, at any moment, ends in the same weights as one that is not."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.command_line import Outcome, call

SETTINGS = (
    *("--model", "resnet20_cifar", "--device", "cpu", "--epochs", "2"),
    *("--set", "batch_size=8", "--set", "data.workers=2", "--set", "threads=1"),
    *("--set", "checkpoint_seconds=0.0001", "--set", "augment.preset=standard"),
)


def command(pictures: Path, out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "hubel", "train", str(pictures), "--out", str(out), *arguments]


def train(*arguments: object) -> Outcome:
    """Train in this process; what is stopped or killed has one of its own."""
    outcome = call("train", *arguments)
    assert outcome.status == 0, outcome.err
    return outcome


def resume(run: Path) -> None:
    """Go on with a run that a process before this one began."""
    train("--out", run, "--resume")


def sha256(run: Path) -> str:
    return hashlib.sha256((run / "best.safetensors").read_bytes()).hexdigest()


def last_weights(run: Path) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in torch.load(run / "last.ckpt", weights_only=True)["states"]["network"].items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def wait_for_checkpoints(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the checkpoint has been written so many times."""
    seen: set[int] = set()
    deadline = time.monotonic() + 120
    while len(seen) < count and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        if (run / "last.ckpt").exists():
            seen.add((run / "last.ckpt").stat().st_mtime_ns)
        time.sleep(0.0005)
    assert len(seen) >= count


def stop_at(pictures: Path, run: Path, count: int, number: int, *arguments: str) -> tuple[int, str]:
    """Start (or resume) a run and send it a signal after so many checkpoints: its exit status and what it said."""
    process = subprocess.Popen(command(pictures, run, *arguments), stderr=subprocess.PIPE, text=True)
    wait_for_checkpoints(run, count, process)
    process.send_signal(number)
    return process.wait(timeout=60), process.communicate()[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pictures and the folder of a run on them that nothing disturbed."""
    import numpy as np
    from PIL import Image

    pictures = tmp_path_factory.mktemp("data") / "noise"
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (pictures / name).mkdir(parents=True)
        for number in range(40):
            pixels = generator.integers(0, 255, (36, 36, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(pictures / name / f"{number}.png")
    run = tmp_path_factory.mktemp("whole") / "run"
    train(pictures, "--out", run, *SETTINGS)
    return pictures, run


@pytest.mark.parametrize("points", [*(pytest.param(point, marks=pytest.mark.slow) for point in [(3,), (5,)]), (9, 3)])
def test_killed_in_mid_epoch_and_resumed(whole: tuple[Path, Path], tmp_path: Path, points: tuple[int, ...]) -> None:
    pictures, undisturbed = whole
    run = tmp_path / "run"
    for attempt, point in enumerate(points):
        status, _ = stop_at(pictures, run, point, signal.SIGKILL, *(("--resume",) if attempt else SETTINGS))
        assert status == -signal.SIGKILL
        assert not (run / "metrics.json").exists()
    resume(run)
    assert sha256(run) == sha256(undisturbed)
    assert last_weights(run) == last_weights(undisturbed)
    assert (run / "splits.csv").read_bytes() == (undisturbed / "splits.csv").read_bytes()
    columns = slice(0, 8)  # behind them come the times
    rows, expected = ((path / "metrics.csv").read_text().splitlines() for path in (run, undisturbed))
    assert [row.split(",")[columns] for row in rows] == [row.split(",")[columns] for row in expected]


def test_killed_where_frozen_layers_run_once(whole: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, _ = whole
    averaged = ("--set", "transfer.views=2", "--set", "average_decay=0.9")
    settings = (*SETTINGS, "--recipe", "head", "--epochs", "4", *averaged)
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    assert "frozen layers run once: " in train(pictures, "--out", undisturbed, *settings).err
    status, _ = stop_at(pictures, run, 9, signal.SIGKILL, *settings)
    assert status == -signal.SIGKILL
    assert not (run / "metrics.json").exists()
    resume(run)
    assert sha256(run) == sha256(undisturbed)
    assert last_weights(run) == last_weights(undisturbed)


def test_killed_with_balanced_sampling(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for name, count in {"many": 60, "few": 12}.items():
        (tmp_path / "noise" / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 255, (36, 36, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "noise" / name / f"{number}.png")
    settings = (*SETTINGS, "--set", "imbalance=sampling")
    undisturbed, run = tmp_path / "undisturbed", tmp_path / "run"
    train(tmp_path / "noise", "--out", undisturbed, *settings)
    status, _ = stop_at(tmp_path / "noise", run, 5, signal.SIGKILL, *settings)
    assert status == -signal.SIGKILL
    assert not (run / "metrics.json").exists()
    resume(run)
    assert sha256(run) == sha256(undisturbed)
    assert last_weights(run) == last_weights(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_everything_and_says_how_to_go_on(
    whole: tuple[Path, Path], tmp_path: Path, number: signal.Signals
) -> None:
    pictures, undisturbed = whole
    run = tmp_path / "run"
    status, said = stop_at(pictures, run, 4, number, *SETTINGS)
    assert status == 128 + number
    assert f"by {number.name}; go on with: hubel train --out {run} --resume" in said
    assert "Traceback" not in said
    resume(run)
    assert sha256(run) == sha256(undisturbed)


def test_resuming_notices_that_the_pictures_have_changed(whole: tuple[Path, Path], tmp_path: Path) -> None:
    import shutil

    pictures = Path(shutil.copytree(whole[0], tmp_path / "noise"))
    run = tmp_path / "run"
    stop_at(pictures, run, 3, signal.SIGTERM, *SETTINGS)
    (pictures / "a" / "3.png").unlink()
    resumed = call("train", "--out", run, "--resume")
    assert resumed.status == 2
    assert "have changed since the run began (0 new or changed, 1 gone)" in resumed.error
