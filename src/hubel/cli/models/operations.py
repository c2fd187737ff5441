"""What `hubel models show --ops` adds: every layer's multiplications, and the arithmetic of the inception module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hubel.models.complexity import Complexity
    from hubel.models.inception_arithmetic import ModuleCost

# The networks that the arithmetic of the inception module is about.
_GOOGLENETS = ("googlenet", "googlenet_bn")


def print_operations(name: str, cost: Complexity, console: Console) -> None:
    """Print a line per layer that multiplies, has parameters or puts out values; for GoogLeNet, the arithmetic, too."""
    console.print(f"\nOperations of {name}, layer by layer")
    console.print(_layers(cost))
    if name in _GOOGLENETS:
        from hubel.models.inception_arithmetic import inception_arithmetic

        console.print("What the 1×1 convolutions of an inception module save, by multiply-accumulates (without biases)")
        for module in inception_arithmetic():
            _print_module(module, console)


def inception_arithmetic_as_json(name: str) -> list[dict[str, Any]] | None:
    """The arithmetic of the inception module for GoogLeNet; None for other networks."""
    if name not in _GOOGLENETS:
        return None
    from dataclasses import asdict

    from hubel.models.inception_arithmetic import inception_arithmetic

    return [
        {
            **asdict(module),
            "rows": [{**asdict(row), "weights": row.weights, "macs": row.macs} for row in module.rows],
            "weights": module.weights,
            "macs": module.macs,
        }
        for module in inception_arithmetic()
    ]


def _layers(cost: Complexity) -> Table:
    from hubel.cli.models.printing import empty_table, shape

    figures = ("output", "parameters", "MACs", "of all", "values")
    table = empty_table({"layer": "left", "kind": "left", **dict.fromkeys(figures, "right")})
    for layer in cost.layers:
        if layer.macs or layer.parameters or layer.activations:
            table.add_row(
                layer.name,
                layer.kind,
                shape(layer.output_shape),
                f"{layer.parameters:,}",
                f"{layer.macs:,}",
                f"{100 * layer.macs / cost.macs:.1f} %",
                f"{layer.activations:,}",
            )
    return table


def _print_module(module: ModuleCost, console: Console) -> None:
    from hubel.cli.models.printing import empty_table, shape

    console.print(f"\n{module.name}: {shape(module.input_shape)} to {shape(module.output_shape)}")
    table = empty_table({"convolution": "left", **dict.fromkeys(("input", "output", "weights", "MACs"), "right")})
    for row in module.rows:
        table.add_row(row.name, shape(row.input_shape), shape(row.output_shape), f"{row.weights:,}", f"{row.macs:,}")
    table.add_section()
    table.add_row("together", "", "", f"{module.weights:,}", f"{module.macs:,}")
    console.print(table)
    if module.note:
        console.print(module.note)
