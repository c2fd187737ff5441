"""Ctrl-C and SIGTERM ask the loop to save everything and stop; a second Ctrl-C stops at once."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupted(Exception):  # noqa: N818 - no error: the user asked for it
    """The run was asked to stop; all that it had done is saved.

    Attributes:
        signal: The number of the signal that asked.
        run: The run's folder, once the run knows.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.signal = number
        self.run: Path | None = None


class StopRequest:
    """While entered, notes SIGINT and SIGTERM in `signal` in place of dying of them."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python forbids handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not None:  # of a program around Python, which could not be put back
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
