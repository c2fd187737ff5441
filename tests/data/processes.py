"""A system that refuses processes."""

from __future__ import annotations

import errno
import os

import pytest


def refuse_processes(monkeypatch: pytest.MonkeyPatch, *, after: int) -> list[int]:
    """Have the system refuse processes from some number of them on; those that are started come into the list."""
    fork, forked = os.fork, list[int]()

    def refuse() -> int:
        if len(forked) == after:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", refuse)
    return forked
