"""`hubel models show` for a network that is no row of stages with a head behind them, such as a detector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hubel.cli.models.catalogue_lines import print_weights, weights_facts

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from hubel.models.complexity import Complexity
    from hubel.models.registry import ModelEntry


class Parts:
    """What the parts of a network cost at one input size.

    Raises:
        ConfigError: The network does not take this input.
    """

    def __init__(self, entry: ModelEntry, network: nn.Module, input_size: tuple[int, int, int]) -> None:
        from hubel.cli.models.printing import shape
        from hubel.errors import ConfigError
        from hubel.models.complexity import complexity

        self.entry, self.network, self.input_size = entry, network, input_size
        try:
            self.cost: Complexity = complexity(network, input_size)
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"{entry.name} does not take an input of {shape(input_size)}: {error}") from error
        self.parts = [_sums(path, self.cost) for path in _part_names(network)]

    def to_dict(self, *, ops: bool) -> dict[str, Any]:
        """For JSON; every layer is in it anyway."""
        from dataclasses import asdict

        from hubel.cli.models.printing import facts

        return {
            **facts(self.entry),
            "input_size": self.input_size,
            "parameters": self.cost.parameters,
            "macs": self.cost.macs,
            "activations": self.cost.activations,
            "parts": self.parts,
            "layers": [asdict(layer) for layer in self.cost.layers],
            "weights": weights_facts(self.entry.name),
        }

    def print_on(self, console: Console, *, ops: bool) -> None:
        """A line per part, the totals, the source."""
        from hubel.cli.models.printing import empty_table, float32_size, shape

        entry, cost = self.entry, self.cost
        only = ", no other size" if entry.fixed_size else ""
        console.print(f"{entry.name}: {entry.summary}; input {shape(self.input_size)}{only}")
        numbers = ("parameters", "MACs", "activations")
        table = empty_table({"part": "left", **dict.fromkeys(numbers, "right")})
        for part in self.parts:
            values = (f"{part['parameters']:,}", f"{part['macs']:,}", float32_size(part["activations"]))
            table.add_row(part["name"], *values)
        table.add_section()
        table.add_row("total", f"{cost.parameters:,}", f"{cost.macs:,}", float32_size(cost.activations))
        console.print(table)
        console.print(
            "MACs: multiply-accumulates for one image; where the number of regions depends on the picture, for the "
            "greatest one. Activations: the values that the layers put out, as float32; MB are 10⁶ bytes."
        )
        console.print(f"Source: {entry.source}")
        print_weights(weights_facts(entry.name), console)
        if ops:
            from hubel.cli.models.operations import print_operations

            print_operations(entry.name, cost, console)


def _part_names(network: nn.Module, path: str = "") -> Iterator[str]:
    """The children of a network; those that are only containers, and its backbone, are opened."""
    from torch import nn

    from hubel.models.backbone import Backbone

    for name, child in network.named_children():
        below = f"{path}{name}"
        if isinstance(child, Backbone | nn.ModuleDict) or name == "stages":
            yield from _part_names(child, f"{below}.")
        else:
            yield below


def _sums(path: str, cost: Complexity) -> dict[str, Any]:
    inside = [layer for layer in cost.layers if f"{layer.name}.".startswith(f"{path}.")]
    return {
        "name": path.replace("stages.", ""),
        "parameters": sum(layer.parameters for layer in inside),
        "macs": sum(layer.macs for layer in inside),
        "activations": sum(layer.activations for layer in inside),
    }
