"""Pictures tried once each, in parallel: decoded, and kept in a file where one is wanted.

Threads do that, for decoders let go of Python's lock; or processes, where there are many pictures and what lies around
the decoders, which does not let go of it, would keep many processors waiting.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hubel.data.decoded.pixels import DECODER, Decoding, Pixels
from hubel.data.decoded.store_file import DoesNotFitError, Index, Space, Stretch, write_pictures
from hubel.data.decoding import UnreadableImage
from hubel.data.files.cache import FREE_DISK_KEPT, make_room
from hubel.data.files.remembered import remember_verdicts, remembered_verdicts
from hubel.data.sources import Sample
from hubel.runtime import available_cpus

if TYPE_CHECKING:
    from hubel.data.workers import Held

Progress = Callable[[int, int], None]

_FEWEST_FOR_PROCESSES = 1000  # pictures: forking, and waiting for the slowest, takes its time
_FEWEST_CPUS = 4
_MOST_PROCESSES = 16
_TASKS = 1000  # about so many of many pictures: each is a message between processes
_LEAST_IN_TASK, _MOST_IN_TASK, _BYTES_IN_TASK = 8, 128, 2**25  # pictures, and bytes that wait to be written
_TASKS_AHEAD = 3  # per thread
_REMEMBERED_AT_ONCE = 2000  # pictures: what is lost where the whole process is killed
_READS_AHEAD = hasattr(os, "posix_fadvise")  # Linux and others


class Filler:
    """Tries pictures, once each, and remembers which are unreadable.

    Args:
        samples: The pictures.
        decoding: How they are decoded.
        needed: About how many bytes all of them take, decoded.
        progress: Called with how many pictures are done and how many there are.
    """

    def __init__(self, samples: Sequence[Sample], decoding: Decoding, needed: int, progress: Progress | None) -> None:
        self.samples, self.decoding, self.needed = samples, decoding, needed
        self._progress = progress or (lambda done, total: None)
        self._bytes_of_each = needed // max(len(samples), 1)
        self._verdicts: dict[str, str] = {}  # reasons by identity, empty for readable pictures
        self._not_remembered: dict[str, str] = {}  # those of them that a later run does not know yet
        self._trial: _Trial | None = None

    def fill(self, path: Path, limit: int) -> Index | None:
        """Write the pictures to a file; None if they do not fit or it cannot be written.

        Args:
            path: The file.
            limit: How many bytes all files in its folder may take.

        Raises:
            DataError: A process that decodes was killed.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(path.parent).free - FREE_DISK_KEPT
            room = min(make_room(path.parent, self.needed, limit), free)
            if self.needed > room:
                return None
            with self._ending_early():
                return write_pictures(
                    path,
                    partial(self._stretches, self.samples),
                    self.decoding.planes,
                    most_bytes=room,
                    processes=_processes_pay(len(self.samples)),
                )
        except (OSError, DoesNotFitError):
            return None

    def reasons(self) -> dict[int, str]:
        """Why pictures are unreadable, by position; only those that were never tried are decoded.

        Raises:
            DataError: A process that decodes was killed.
        """
        identities = [self.decoding.identity(sample) for sample in self.samples]
        known = remembered_verdicts(identities, DECODER) | self._verdicts
        new = {own: sample for own, sample in zip(identities, self.samples, strict=True) if own not in known}
        with self._ending_early():
            for _ in self._stretches(list(new.values())):
                if len(self._not_remembered) >= _REMEMBERED_AT_ONCE:
                    self._remember()
        self._remember()
        known |= self._verdicts
        return {at: known[own] for at, own in enumerate(identities) if known[own]}

    def _stretches(self, samples: Sequence[Sample], space: Space | None = None) -> Generator[Stretch]:
        """What became of each task's pictures, in their order; they are written where there is space for them."""
        tasks = _tasks(len(samples), self._bytes_of_each)
        try_in_parallel = _try_in_processes if _processes_pay(len(samples)) else _try_in_threads
        self._trial = _Trial(samples, self.decoding, space)
        for task, tried in zip(tasks, try_in_parallel(self._trial, tasks), strict=True):
            for number, position in enumerate(task):
                own, reason = self.decoding.identity(samples[position]), tried.stretch.reasons.get(number, "")
                self._verdicts[own] = self._not_remembered[own] = reason
            if tried.failure is not None:
                raise tried.failure
            yield tried.stretch
            self._progress(task.stop, len(samples))

    @contextlib.contextmanager
    def _ending_early(self) -> Iterator[None]:
        """Where trying ends before its end, remember what was tried, and say of a process that died what it held."""
        try:
            yield
        except BaseException as error:
            self._remember()
            if isinstance(error, RuntimeError):
                raise self._explained(error) from error
            raise

    def _remember(self) -> None:
        """Keep for later runs what was found out since the last time."""
        remember_verdicts(self._not_remembered, DECODER)
        self._not_remembered.clear()

    def _explained(self, error: RuntimeError) -> Exception:
        """What to say of an error that torch raises, wherever this process is, when another one has died."""
        if self._trial is None or self._trial.held is None:
            return error
        return self._trial.held.explained(error, self._trial.samples, "free some, or leave this picture out")


def _tasks(pictures: int, bytes_of_each: int) -> list[range]:
    """The positions of pictures in parts that are worth a message, and do not fill the memory."""
    length = min(max(pictures // _TASKS, _LEAST_IN_TASK), _MOST_IN_TASK)
    length = max(1, min(length, _BYTES_IN_TASK // max(bytes_of_each, 1)))
    return [range(start, min(start + length, pictures)) for start in range(0, pictures, length)]


class _Tried(NamedTuple):
    """What became of a task, and why its pictures could not be written, if they could not."""

    stretch: Stretch
    failure: OSError | DoesNotFitError | None


@dataclass
class _Trial:
    """Tries pictures; where processes do that, each has one."""

    samples: Sequence[Sample]
    decoding: Decoding
    space: Space | None
    held: Held | None = None

    def __getitem__(self, task: range) -> _Tried:
        """Try the pictures at some positions."""
        pictures: list[Pixels] = []
        shapes: list[tuple[int, int]] = []
        reasons: dict[int, str] = {}
        for number, position in enumerate(task):
            if self.held is not None:
                self.held.hold(position)
            try:
                picture = self.decoding.kept(self.samples[position])
            except UnreadableImage as error:
                reasons[number] = error.reason
                shapes.append((0, 0))
            else:
                shapes.append((picture.shape[0], picture.shape[1]))
                if self.space is not None:
                    pictures.append(picture)
        if self.held is not None:
            self.held.let_go()
        start, failure = 0, None
        if self.space is not None:
            try:
                start = self.space.write(pictures)
            except (OSError, DoesNotFitError) as error:
                failure = error
        return _Tried(Stretch(shapes, reasons, start), failure)


def _announced(samples: Sequence[Sample], tasks: Iterable[range]) -> Generator[range]:
    """The same tasks; their files are read from the disk from now on, while others are decoded."""
    for task in tasks:
        for position in task if _READS_AHEAD else ():
            if (path := samples[position].path) is not None:
                with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        yield task


def _try_in_threads(trial: _Trial, tasks: Sequence[range]) -> Generator[_Tried]:
    """Try pictures; what becomes of each task, in their order."""
    threads = available_cpus() + (not _READS_AHEAD)  # or one may wait for the disk
    pool = ThreadPoolExecutor(threads)
    try:
        ahead: deque[Future[_Tried]] = deque()
        coming = _announced(trial.samples, tasks)
        while True:
            while len(ahead) < threads * _TASKS_AHEAD and (task := next(coming, None)) is not None:
                ahead.append(pool.submit(trial.__getitem__, task))
            if not ahead:
                break
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _try_in_processes(trial: _Trial, tasks: Sequence[range]) -> Generator[_Tried]:
    """The same in processes that are forked from this one; in threads, where the system refuses so many.

    Raises:
        RuntimeError: One of them was killed; `trial.held` knows which picture it held.
    """
    import torch
    from torch.utils.data import DataLoader

    from hubel.data.workers import Held, as_it_is, leave_interruptions_to_the_caller, started

    workers = min(available_cpus(), _MOST_PROCESSES)
    trial.held = Held(workers)

    def begin(worker: int) -> None:
        leave_interruptions_to_the_caller(worker)
        if trial.space is not None:
            trial.space.leave_lock_to_the_caller()

    loader: Any = DataLoader(
        trial,  # type: ignore[arg-type]
        batch_size=None,
        sampler=_announced(trial.samples, tasks),
        num_workers=workers,
        collate_fn=as_it_is,
        worker_init_fn=begin,
        generator=torch.Generator(),  # or it would draw from the global one
    )
    try:
        coming = started(loader)
    except OSError:
        trial.held = None
        coming = _try_in_threads(trial, tasks)
    yield from coming


def _processes_pay(pictures: int) -> bool:
    """Whether processes gain more than they cost.

    They start in milliseconds where they can be forked, and in seconds elsewhere. Of a photo's time a tenth is spent
    with Python's lock, of a small picture's nearly all: with two processors, processes were slower even so.
    """
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    if method != "fork" or multiprocessing.current_process().daemon:  # which may have no processes of its own
        return False
    return pictures >= _FEWEST_FOR_PROCESSES and available_cpus() >= _FEWEST_CPUS
