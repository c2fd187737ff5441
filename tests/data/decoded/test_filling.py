"""The first pass by threads and by processes: the same pictures, and the same endings."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from tests.data.processes import refuse_processes
from tests.data.stores import PLENTY, SMALL, decoded, files_in, prepare, samples_of

from hubel.data.decoded import filling, store_file
from hubel.data.decoded.pixels import DECODER, Decoding
from hubel.data.files.remembered import remembered_verdicts
from hubel.errors import DataError

FORKS = "fork" in multiprocessing.get_all_start_methods()[:1]

# What a process of its own needs so that few pictures are enough.
BY_PROCESSES = """
    from hubel.data.decoded import filling
    filling._FEWEST_FOR_PROCESSES = 1
    filling.available_cpus, filling._FEWEST_CPUS = lambda: 2, 2
"""


@pytest.fixture
def by_processes(monkeypatch):
    if not FORKS:
        pytest.skip("processes are not forked here")
    monkeypatch.setattr(filling, "_FEWEST_FOR_PROCESSES", 1)
    monkeypatch.setattr(filling, "available_cpus", lambda: 2)
    monkeypatch.setattr(filling, "_FEWEST_CPUS", 2)


@pytest.fixture(params=["threads", "processes"])
def either(request):
    if request.param == "processes":
        request.getfixturevalue("by_processes")
    return request.param


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_the_same_pictures_and_reasons(class_folders, draw, either, cache_bytes):
    root = class_folders(cat=40, dog=40)
    for number in range(0, 40, 3):
        draw(root / f"cat/{number}.png", number, size=(20 + number, 30))
    (root / "cat/1.png").write_bytes((root / "cat/1.png").read_bytes()[:100])
    (root / "dog/7.png").write_bytes(b"")
    told: list[tuple[int, int]] = []
    store = prepare(
        samples_of(root),
        cache_bytes=cache_bytes,
        max_unreadable=0.1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert store.cached == (cache_bytes > 0)
    assert [(item.sample.name, item.reason) for item in store.unreadable] == [
        ("cat/1.png", "it is truncated"),
        ("dog/7.png", "it has zero bytes"),
    ]
    for position, sample in enumerate(store.samples):
        assert (store.array(position) == decoded(sample)).all()
    assert told == [(done, 80) for done in range(8, 88, 8)]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="files cannot be announced here")
def test_files_are_announced_before_they_are_decoded(class_folders, cache, either, monkeypatch):
    """All of a task's, to the process that hands out the tasks; what cannot be opened is told by who decodes it."""
    announced: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, *rest: announced.append(os.fstat(file).st_ino))
    samples = samples_of(class_folders(cat=20, dog=20))
    expected = [sample.path.stat().st_ino for sample in samples if sample.name != "dog/7.png"]
    (samples[0].folder / "dog/7.png").unlink()
    store = prepare(samples, max_unreadable=0.1)
    assert announced == expected
    assert [(item.sample.name, item.reason) for item in store.unreadable] == [("dog/7.png", "it does not exist")]


def test_a_block_is_in_the_order_of_the_samples(class_folders, either):
    root = class_folders(cat=100, dog=100)
    (root / "cat/1.png").write_bytes(b"x")
    store = prepare(samples_of(root), max_unreadable=0.1)
    positions = np.random.default_rng(0).permutation(len(store))
    block = store.block()
    assert (block[positions] == np.stack([store.array(int(position)) for position in positions])).all()


@pytest.mark.parametrize("failure", ["full", "too large"])
def test_processes_that_cannot_write_mean_no_cache(class_folders, cache, by_processes, monkeypatch, failure):
    def no_room(self, pictures):
        raise OSError(errno.ENOSPC, "No space left on device")

    samples = samples_of(class_folders(cat=40, dog=40))
    if failure == "full":
        monkeypatch.setattr(store_file.Space, "write", no_room)
    else:
        monkeypatch.setattr(Decoding, "estimate", lambda *arguments: 10)
    store = prepare(samples, cache_bytes=3000)
    assert not store.cached
    assert len(store) == 80
    assert files_in(cache) == []


def test_a_process_that_is_killed_is_named_with_what_it_held(class_folders, cache, by_processes, monkeypatch):
    kept = Decoding.kept

    def die(self, sample):
        if sample.name == "dog/3.png":
            os.kill(os.getpid(), signal.SIGKILL)
        return kept(self, sample)

    monkeypatch.setattr(Decoding, "kept", die)
    samples = samples_of(class_folders(cat=40, dog=40))
    message = r"a process that loads images was killed while it held (cat/\d+\.png, )?dog/3\.png .* leave this picture"
    for cache_bytes in (PLENTY, 0):
        with pytest.raises(DataError, match=message):
            prepare(samples, cache_bytes=cache_bytes)
    assert files_in(cache) == []


@pytest.mark.parametrize("started", [0, 1])
@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_where_processes_are_refused_threads_do_it(
    class_folders, cache, by_processes, monkeypatch, capsys, started, cache_bytes
):
    forked = refuse_processes(monkeypatch, after=started)
    samples = samples_of(class_folders(cat=40, dog=40))
    store = prepare(samples, cache_bytes=cache_bytes)
    assert store.cached == (cache_bytes > 0)
    for position, sample in enumerate(samples):
        assert (store.array(position) == decoded(sample)).all()
    assert len(forked) == started
    assert multiprocessing.active_children() == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("cache_bytes", [0, PLENTY])
def test_what_was_tried_before_an_interruption_is_not_tried_again(
    class_folders, cache, either, monkeypatch, cache_bytes
):
    def interrupt(done, total):
        if done == 40:
            raise KeyboardInterrupt

    root = class_folders(cat=40, dog=40)
    (root / "cat/1.png").write_bytes(b"x")
    samples = samples_of(root)
    with pytest.raises(KeyboardInterrupt):
        prepare(samples, cache_bytes=cache_bytes, max_unreadable=0.1, progress=interrupt)
    told: list[tuple[int, int]] = []
    store = prepare(samples, cache_bytes=0, max_unreadable=0.1, progress=lambda *done: told.append(done))
    assert told[-1] == (40, 40)
    assert [item.sample.name for item in store.unreadable] == ["cat/1.png"]


def test_what_was_tried_before_all_is_killed_is_not_tried_again(class_folders, cache, monkeypatch):
    """Nobody can do anything when that happens: verdicts are kept from time to time."""
    monkeypatch.setattr(filling, "_REMEMBERED_AT_ONCE", 16)
    known: list[int] = []
    samples = samples_of(class_folders(cat=40, dog=40))
    identities = [Decoding(SMALL, "training").identity(sample) for sample in samples]
    prepare(samples, cache_bytes=0, progress=lambda *done: known.append(len(remembered_verdicts(identities, DECODER))))
    assert known == [0, 16, 16, 32, 32, 48, 48, 64, 64, 80]


def test_a_process_that_is_killed_while_nobody_waits_for_it_is_told_in_the_same_words(
    class_folders, cache, by_processes
):
    def kill(done, total):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        time.sleep(30)  # which the signal of its end cuts short

    samples = samples_of(class_folders(cat=40, dog=40))
    for cache_bytes in (PLENTY, 0):
        with pytest.raises(DataError, match="a process that loads images was killed while it held"):
            prepare(samples, cache_bytes=cache_bytes, progress=kill)
    assert files_in(cache) == []


def test_when_all_is_killed_the_next_one_removes_what_was_begun(class_folders, cache, by_processes):
    """The processes that were writing have not kept the lock."""
    root = class_folders(cat=100, dog=100)
    code = """
        from pathlib import Path
        import os, time
        from tests.data.stores import prepare, samples_of
        os.environ["HUBEL_CACHE"] = "%s"
        def progress(done, total):
            if done >= 16:  # both processes have begun
                print(done, flush=True)
                time.sleep(30)
        prepare(samples_of(Path("%s")), progress=progress)
    """
    script = textwrap.dedent(BY_PROCESSES) + textwrap.dedent(code % (cache, root))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True
    )
    assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [path.suffix for path in files_in(cache)] == [".tmp"]
    samples = samples_of(root)
    store = prepare(samples)
    assert [path.suffix for path in files_in(cache)] == [".pictures"]
    for position, sample in enumerate(samples):
        assert (store.array(position) == decoded(sample)).all()


@pytest.mark.parametrize(
    ("method", "pictures", "cpus", "expected"),
    [("fork", 1000, 4, True), ("fork", 999, 4, False), ("fork", 1000, 3, False), ("spawn", 10**6, 64, False)],
)
def test_when_processes_pay(monkeypatch, method, pictures, cpus, expected):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: method)
    monkeypatch.setattr(filling, "available_cpus", lambda: cpus)
    assert filling._processes_pay(pictures) == expected


def test_a_task_is_many_small_pictures_or_one_large_one():
    assert [len(task) for task in filling._tasks(20, 10**5)] == [8, 8, 4]
    assert len(filling._tasks(10**6, 3072)) == 7813
    assert [len(task) for task in filling._tasks(3, 2**26)] == [1, 1, 1]
