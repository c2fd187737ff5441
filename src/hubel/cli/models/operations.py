"""What `hubel models show --ops` adds: every layer's multiplications, and the arithmetic of the inception module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hubel.models.complexity import Complexity


def print_operations(name: str, cost: Complexity, console: Console) -> None:
    """Print a line per layer that multiplies, has parameters or puts out values."""
    console.print()
    console.print(f"Operations of {name}, layer by layer")
    console.print(_layers(cost))


def _layers(cost: Complexity) -> Table:
    from hubel.cli.models.printing import empty_table, shape

    table = empty_table(
        {
            "layer": "left",
            "kind": "left",
            "output": "right",
            "parameters": "right",
            "MACs": "right",
            "of all": "right",
            "values": "right",
        }
    )
    for layer in cost.layers:
        if layer.macs or layer.parameters or layer.activations:
            table.add_row(
                layer.name,
                layer.kind,
                shape(layer.output_shape),
                f"{layer.parameters:,}",
                f"{layer.macs:,}",
                f"{layer.macs / cost.macs:.1%}",
                f"{layer.activations:,}",
            )
    return table
