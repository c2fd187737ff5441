"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import Outcome, call


@pytest.fixture
def hubel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Outcome]:
    """Call `hubel` with some arguments, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return call
