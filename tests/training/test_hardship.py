"""Runs under conditions that are not hubel's to choose: workers that are killed, disks that are full or read-only,
processes that are spawned instead of forked."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.data.shard_files import write_shards
from tests.training.test_resume import command, resume, wait_for_checkpoints

import hubel
from hubel.data.loading.loader import Loader
from hubel.training.interruption import Interrupted
from hubel.training.progress import Reporter, StepReport

SMALL = {"threads": 1, "device": "cpu", "batch_size": 8, "epochs": 1, "data.cache_gb": 0, "data.size": 32}


def children_of(parent: int) -> list[int]:
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            _, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        if int(rest.split()[1]) == parent:
            children.append(int(folder.name))
    return sorted(children)


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds the workers in /proc")
def test_a_run_whose_worker_is_killed_says_what_it_held_and_can_go_on(coloured_squares: Path, tmp_path: Path) -> None:
    settings = [f"{name}={value}" for name, value in {**SMALL, "data.workers": 2, "checkpoint_seconds": 0.0001}.items()]
    settings = [text for text in settings if not text.startswith(("device", "epochs"))]
    flags = [part for text in settings for part in ("--set", text)]
    run = tmp_path / "run"
    arguments = command(coloured_squares, run, "--model", "resnet20_cifar", "--device", "cpu", "--epochs", "2", *flags)
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoints(run, 2, process)
    workers = children_of(process.pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2, said
    assert "a process that loads images was killed while it held " in said
    assert "try fewer workers" in said
    assert "Traceback" not in said
    resume(run)
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 2


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds the workers in /proc")
@pytest.mark.parametrize("stopped", [False, True])
def test_workers_end_with_the_run(coloured_squares: Path, tmp_path: Path, stopped: bool) -> None:
    """At once: not when Python looks for cycles, which would then wait for each of them."""

    class Stops(Reporter):
        def step(self, report: StepReport) -> None:
            assert len(children_of(os.getpid())) > before
            os.kill(os.getpid(), signal.SIGINT)

    before = len(children_of(os.getpid()))
    settings = {**SMALL, "data.workers": 2}
    reporter = Stops() if stopped else Reporter()
    gc.disable()
    try:
        with pytest.raises(Interrupted) if stopped else contextlib.nullcontext():
            hubel.train(
                coloured_squares, model="resnet20_cifar", out=tmp_path / "run", settings=settings, reporter=reporter
            )
        assert len(children_of(os.getpid())) == before
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds the workers in /proc")
@pytest.mark.parametrize("when", ["computing", "waiting"])
def test_workers_end_with_an_evaluation_that_is_interrupted(
    coloured_squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Though somebody keeps the error with all its frames, as a notebook does."""
    run = hubel.train(coloured_squares, model="resnet20_cifar", out=tmp_path / "run", settings=SMALL)
    before = children_of(os.getpid())

    def interrupt(*_: object) -> None:
        assert len(children_of(os.getpid())) == len(before) + 2
        raise KeyboardInterrupt

    progress = None
    if when == "computing":
        progress = lambda what, done, total: interrupt() if what == "evaluating" else None  # noqa: E731
    else:
        monkeypatch.setattr(Loader, "_checked", interrupt)
    with pytest.raises(KeyboardInterrupt) as kept:
        hubel.evaluate(
            run.bundle, coloured_squares, split="all", batch_size=2, workers=2, cache_gb=0, progress=progress
        )
    assert children_of(os.getpid()) == before
    assert kept.value.__traceback__ is not None


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """What a writer would change: a temporary file that is gone again leaves its trace in the folder's time."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("layout", ["class folders", "shards"])
@pytest.mark.parametrize("cache_gb", [0, 1])
def test_nothing_is_written_where_the_pictures_are(
    coloured_squares: Path, tmp_path: Path, layout: str, cache_gb: int
) -> None:
    data = coloured_squares
    if layout == "shards":
        data = tmp_path / "shards"
        write_shards(data, shards=3, pictures=20)
    for path in [data, *data.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(data)
    settings = {**SMALL, "data.cache_gb": cache_gb, "data.workers": 1}
    run = hubel.train(data, model="resnet20_cifar", out=tmp_path / "run", settings=settings)
    hubel.evaluate(run.bundle, data)
    assert snapshot(data) == before
    for path in [data, *data.rglob("*")]:
        path.chmod(0o755)


def test_training_spawns_its_workers_where_it_cannot_fork(coloured_squares: Path, tmp_path: Path) -> None:
    """As on macOS and Windows; the same bytes come out."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import torch
        import hubel

        if __name__ == "__main__":
            settings = {{**{SMALL!r}, "data.workers": 1}}
            for method in ("fork", "spawn"):
                torch.multiprocessing.set_start_method(method, force=True)
                hubel.train({str(coloured_squares)!r}, model="resnet20_cifar", out=method, settings=settings)
        """)
    )
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True, cwd=tmp_path)
    forked, spawned = ((tmp_path / method / "best.safetensors").read_bytes() for method in ("fork", "spawn"))
    assert forked == spawned


class _Told(Reporter):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_a_disk_too_full_for_the_outputs_of_frozen_layers(
    coloured_squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(handle: int, start: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hubel.transfer.cached_features._BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", no_room, raising=False)
    told = _Told()
    phase = {"name": "one", "epochs": 2, "train": "head", "learning_rate": 0.001}
    settings = {**{name: value for name, value in SMALL.items() if name != "epochs"}, "phases": [phase]}
    run = hubel.train(coloured_squares, model="resnet20_cifar", out=tmp_path / "run", settings=settings, reporter=told)
    assert run.metrics["epochs"] == 2
    message = "frozen layers run in every step: their outputs cannot be kept (No space left on device)"
    assert message in told.messages


def test_a_full_disk_for_the_run_itself_is_told_in_one_line(coloured_squares: Path, tmp_path: Path) -> None:
    """The operating system refuses files above a size, as it refuses them on a full disk: with an OSError."""
    pytest.importorskip("resource")
    code = """
        import resource, sys
        from hubel.cli import main
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        sys.argv = ["hubel", *sys.argv[1:]]
        main()
    """
    flags = [part for name, value in SMALL.items() if "." in name for part in ("--set", f"{name}={value}")]
    arguments = command(coloured_squares, tmp_path / "run", "--model", "resnet20_cifar", "--device", "cpu", *flags)[3:]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments, "--epochs", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write " in done.stderr
    assert "earlier files are whole, mend this and try again" in done.stderr
    assert "Traceback" not in done.stderr
