"""How the verbs of `hubel models` print facts, shapes, tables and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hubel.models.registry import ModelEntry

# Columns whose text may take several lines.
_PROSE = ("layers", "source", "what")


def facts(entry: ModelEntry) -> dict[str, Any]:
    """What is known about a network before it is built, for JSON."""
    names = ("name", "task", "summary", "input_size", "fixed_size", "source")
    return {name: getattr(entry, name) for name in names}


def shape(values: tuple[int, ...]) -> str:
    """`3×224×224`."""
    return "×".join(map(str, values))


def empty_table(columns: Mapping[str, Literal["left", "right"]]) -> Table:
    """A table without rows: the columns' titles, and on which side each is flush."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title, side in columns.items():
        table.add_column(title, justify=side, no_wrap=title not in _PROSE)
    return table


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
