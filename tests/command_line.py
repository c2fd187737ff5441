"""The command line, called in this process: a process of its own takes seconds to import what it needs."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

import pytest

from hubel import cli


@dataclass
class Outcome:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line on stderr, which is the error's when there is one."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


def call(*arguments: object) -> Outcome:
    """Call `hubel` with some arguments, in the current folder."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["hubel", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as exit_,
    ):
        cli.main()
    return Outcome(int(exit_.value.code or 0), out.getvalue(), err.getvalue())
