"""Torch's operators on one thread, for work on one picture at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch's operators without threads of their own, in this thread and in those that it starts meanwhile.

    An operation on one picture takes about 0.1 ms; where another process has a core, waiting for a second thread takes
    milliseconds.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
