"""Stages that work beside each other, each in a thread of its own, joined by queues that never hold much."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Any


class Stage(threading.Thread):
    """A stage that works beside the others; what it fails of is raised where its work is wanted.

    Attributes:
        seconds: How long it was at work.
    """

    def __init__(self, waiting: int) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.queue: queue.Queue[Any] = queue.Queue(waiting)
        self.failure: Exception | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        """Work, and keep what it fails of."""
        try:
            self.work()
        except Exception as error:  # it is raised again in the thread that waits
            self.failure = error

    def work(self) -> None:
        """Do it all."""
        raise NotImplementedError

    def pass_on(self, item: Any, to: queue.Queue[Any], other: threading.Thread | None = None) -> bool:
        """Put something into a queue unless this stage is stopped or the other one is dead; whether it was put."""
        while not self.stopped.is_set() and (other is None or other.is_alive()):
            with suppress(queue.Full):
                to.put(item, timeout=0.1)
                return True
        return False

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self.stopped.set()
        if self.ident is not None:
            self.join()


def reason(error: Exception) -> str:
    """What went wrong, as the system or the library says it."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
