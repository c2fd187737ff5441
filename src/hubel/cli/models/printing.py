"""How the verbs of `hubel models` print facts, shapes and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from hubel.models.registry import ModelEntry

# Columns whose text may take several lines.
_PROSE = ("layers", "source", "what")

# Columns of a terminal below which prose has no room beside figures.
NARROW = 130


def facts(entry: ModelEntry) -> dict[str, Any]:
    """What is known about a network before it is built, for JSON."""
    names = ("name", "task", "summary", "input_size", "fixed_size", "source")
    return {name: getattr(entry, name) for name in names}


def shape(values: tuple[int, ...]) -> str:
    """`3×224×224`."""
    return "×".join(map(str, values))


def scaled(count: int) -> str:
    """`25.56 M`, `4.09 G`, `138.4 M`, `840`."""
    for unit, scale in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= scale:
            return f"{count / scale:.{2 if count < 100 * scale else 1}f} {unit}"
    return str(count)


def bytes_(size: int) -> str:
    """`8.63 MB`, `18.8 kB`: of 10⁶ and 10³ bytes."""
    return f"{size / 1e6:,.2f} MB" if size >= 10**5 else f"{size / 1e3:.1f} kB"


def float32_size(values: int) -> str:
    """What so many values take as float32."""
    return bytes_(4 * values)


def empty_table(columns: Mapping[str, Literal["left", "right"]]) -> Table:
    """A table without rows: the columns' titles, and on which side each is flush."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title, side in columns.items():
        table.add_column(title, justify=side, no_wrap=title not in _PROSE)
    return table
