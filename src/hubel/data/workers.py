"""What a `DataLoader`'s workers share: which picture each holds, so that one that dies is named with it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

from hubel.data.sources import Sample
from hubel.errors import DataError

_NOTHING = -1


class Held:
    """Which picture each worker is loading, or was when it ended; all processes see it.

    Args:
        workers: How many there are.
    """

    def __init__(self, workers: int) -> None:
        self._of_worker = torch.full((workers, 2), _NOTHING)  # its process, and the picture's position
        self._of_worker.share_memory_()  # type: ignore[no-untyped-call]

    def hold(self, position: int) -> None:
        """Say, in a worker, which picture it is loading now; elsewhere, nothing happens."""
        worker = get_worker_info()
        if worker is not None:
            self._of_worker.numpy()[worker.id] = os.getpid(), position  # quicker than through the tensor's items

    def let_go(self) -> None:
        """Say that the worker is loading none now."""
        self.hold(_NOTHING)

    def explained(self, error: RuntimeError, samples: Sequence[Sample], advice: str = "try fewer workers") -> Exception:
        """The error for a worker that died, naming what it held of some samples; any other error as it is.

        torch raises its error wherever this process is: in the midst of writing a file, say, where another error comes
        of it, and that one is seen.
        """
        told, match = _first_that_matches(error, r"worker \(pid(?:\(s\))? ([\d, ]+)\)")
        if match is None:
            return error
        dead = {int(process) for process in match[1].split(",") if process.strip()}
        held = [
            samples[position].name
            for process, position in self._of_worker.tolist()
            if process in dead and position != _NOTHING
        ]
        return DataError(
            f"a process that loads images was killed while it held {', '.join(held) or 'no picture'} "
            f"({told.splitlines()[0]}); it may have run out of memory: {advice}"
        )


def _first_that_matches(error: BaseException | None, pattern: str) -> tuple[str, re.Match[str] | None]:
    """The text of an error, or of the nearest one that it came of, in which a pattern is found; and where."""
    while error is not None:
        if match := re.search(pattern, str(error)):
            return str(error), match
        error = error.__context__
    return "", None


def started(loader: DataLoader[Any]) -> Iterator[Any]:
    """What comes from a loader, whose workers have been started.

    Raises:
        OSError: The system refuses so many processes; those that were started have ended.
    """
    try:
        return iter(loader)
    except OSError as error:
        # The last reference to torch's iterator: it ends its workers, and complains of being unfinished itself.
        hook, sys.unraisablehook = sys.unraisablehook, lambda complaint: None
        error.__traceback__ = None
        sys.unraisablehook = hook
        raise


def leave_interruptions_to_the_caller(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the calling one decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def as_it_is(result: Any) -> Any:
    """A result, not collated."""
    return result
