"""What is said of processes that load pictures and die."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubel.data.sources import Sample
from hubel.data.workers import Held
from hubel.errors import DataError

SAMPLES = [Sample(Path(), "cat/1.png", 0, "0"), Sample(Path(), "cat/2.png", 0, "1")]
KILLED = "DataLoader worker (pid {}) is killed by signal: Killed. "


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """As in a worker that loads the second picture, and has this process's number."""
    worker = type("Worker", (), {"id": 0})()
    monkeypatch.setattr("hubel.data.workers.get_worker_info", lambda: worker)
    both = Held(1)
    both.hold(1)
    return both


def test_the_picture_is_named(held: Held) -> None:
    explained = held.explained(RuntimeError(KILLED.format(os.getpid())), SAMPLES)
    assert isinstance(explained, DataError)
    assert str(explained).startswith(
        "a process that loads images was killed while it held cat/2.png (DataLoader worker"
    )


def test_so_it_is_where_another_error_came_of_the_first(held: Held) -> None:
    """torch's signal handler raises while a checkpoint is written, whose writer then complains, too."""
    error = RuntimeError("unexpected pos 829056 vs 828952")
    error.__context__ = RuntimeError(KILLED.format(os.getpid()))
    assert "killed while it held cat/2.png (DataLoader worker" in str(held.explained(error, SAMPLES))


def test_other_errors_stay_as_they_are(held: Held) -> None:
    error = RuntimeError("out of memory")
    assert held.explained(error, SAMPLES) is error
