"""How the command line writes figures and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def tell(text: object) -> None:
    """Say something to whoever sits there, on stderr: what a script reads is on stdout."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def percent(share: float, interval: Sequence[float] | None = None) -> str:
    """`91.4 % (95 % interval 88.1 to 93.9)`."""
    text = f"{100 * share:.2f} %"
    if interval is not None:
        text += f" (95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return text


def output() -> Console:
    """A console on stdout: colours and the window's width on a terminal, plain and wide elsewhere.

    It takes every text as it is: a class may be called `[bold]`.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)


def figures_table(named: str, *figures: str) -> Table:
    """A table without rows: what a row is about stands at the left, its figures flush right; nothing is cut off."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(named, overflow="fold")
    for title in figures:
        table.add_column(title, justify="right", overflow="fold")
    return table
