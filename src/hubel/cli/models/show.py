"""`hubel models show`: what a network is made of and what it costs, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubel.cli.models.catalogue_lines import print_weights, weights_facts

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from hubel.models.complexity import Complexity
    from hubel.models.registry import ModelEntry
    from hubel.models.training_memory import TrainingMemory


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or timm/NAME.")],
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Height and width of the input; the network's own otherwise.")
    ] = None,
    ops: Annotated[
        bool,
        typer.Option(
            "--ops", help="Also print every layer's operations; for GoogLeNet, the inception arithmetic, too."
        ),
    ] = False,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE.svg", help="Also draw the network into this file.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON; it also has every layer.")] = False,
) -> None:
    """Show a network: the table of its stages, its totals, what training it takes, its published weights."""
    from hubel.cli.models.parts import Parts
    from hubel.cli.text import output, print_json
    from hubel.errors import ConfigError
    from hubel.models.network import Staged
    from hubel.models.registry import model_entry

    entry = model_entry(name)
    _check_figure(figure)
    network = entry.build_shapes().eval()
    channels, height, width = entry.input_size
    input_size = (channels, size or height, size or width)
    shown: _Shown | Parts
    if isinstance(network, Staged):
        shown = _Shown(entry, network, input_size)
    elif figure is not None:
        raise ConfigError(f"--figure draws stages and a head, and {name} is more than these: leave it out")
    else:
        shown = Parts(entry, network, input_size)
    if json_:
        print_json(shown.to_dict(ops=ops))
    else:
        shown.print_on(output(), ops=ops)
    if figure is not None and isinstance(shown, _Shown):
        _draw(shown, figure)
        if not json_:
            output().print(f"Figure: {figure}")


def _check_figure(figure: Path | None) -> None:
    """Raise a ConfigError if the picture's file cannot be one."""
    from hubel.errors import ConfigError

    if figure is not None and (figure.suffix.lower() != ".svg" or figure.is_dir()):
        raise ConfigError(f"--figure is {figure}: networks are drawn as SVG, expected a file name that ends in .svg")


def _draw(shown: _Shown, figure: Path) -> None:
    from hubel.files import write_whole
    from hubel.models.drawing import draw

    write_whole(figure, draw(shown.network, shown.input_size, shown.entry.name))


class _Shown:
    """Everything that is printed about a network at one input size.

    Raises:
        ConfigError: The network does not take this input.
    """

    def __init__(self, entry: ModelEntry, network: nn.Module, input_size: tuple[int, int, int]) -> None:
        from hubel.cli.models.printing import shape
        from hubel.errors import ConfigError
        from hubel.models.complexity import complexity
        from hubel.models.depth import weight_layers
        from hubel.models.description import describe_stages
        from hubel.models.network import Staged
        from hubel.models.training_memory import training_memory

        assert isinstance(network, Staged)
        self.entry, self.network, self.input_size = entry, network, input_size
        try:
            self.cost: Complexity = complexity(network, input_size)
            self.weight_layers = weight_layers(network, input_size)
            self.descriptions = describe_stages(network, input_size)
            self.memory: TrainingMemory = training_memory(network, input_size)
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"{entry.name} does not take an input of {shape(input_size)}: {error}") from error
        self.weights = weights_facts(entry.name)

    def to_dict(self, *, ops: bool) -> dict[str, Any]:
        """For JSON."""
        from dataclasses import asdict

        from hubel.cli.models.operations import inception_arithmetic_as_json
        from hubel.cli.models.printing import facts

        cost = self.cost
        arithmetic = inception_arithmetic_as_json(self.entry.name) if ops else None
        strides = (*self.network.strides, None)
        return {
            **facts(self.entry),
            "input_size": self.input_size,
            "weight_layers": self.weight_layers,
            "parameters": cost.parameters,
            "auxiliary_parameters": cost.auxiliary_parameters,
            "macs": cost.macs,
            "activations": cost.activations,
            "training_memory_bytes": {**asdict(self.memory), "total": self.memory.total},
            "weights": self.weights,
            "stages": [
                {**asdict(stage), "layers": self.descriptions[stage.name], "stride": stride}
                for stage, stride in zip(cost.stages, strides, strict=True)
            ],
            "layers": [asdict(layer) for layer in cost.layers],
            **({"inception_arithmetic": arithmetic} if arithmetic else {}),
        }

    def print_on(self, console: Console, *, ops: bool) -> None:
        from hubel.cli.models.printing import shape

        entry = self.entry
        only = ", no other size" if entry.fixed_size else ""
        console.print(f"{entry.name}: {entry.summary}; input {shape(self.input_size)}{only}")
        self.print_stages(console)
        self.print_totals(console)
        console.print(f"Source: {entry.source}")
        print_weights(self.weights, console)
        if ops:
            from hubel.cli.models.operations import print_operations

            print_operations(entry.name, self.cost, console)

    def print_stages(self, console: Console) -> None:
        """A line per stage, and the totals; on a narrow terminal, the stages' layers below it."""
        from hubel.cli.models.printing import NARROW, empty_table, float32_size, shape

        narrow = console.width < NARROW
        numbers = ("output", "parameters", "MACs", "activations", "receptive field", "stride")
        words = ("stage",) if narrow else ("stage", "layers")
        table = empty_table({**dict.fromkeys(words, "left"), **dict.fromkeys(numbers, "right")})
        cost = self.cost
        for stage, stride in zip(cost.stages, (*map(str, self.network.strides), ""), strict=True):
            table.add_row(
                *([stage.name] if narrow else [stage.name, self.descriptions[stage.name]]),
                shape(stage.output_shape),
                f"{stage.parameters:,}",
                f"{stage.macs:,}",
                float32_size(stage.activations),
                shape(stage.receptive_field),
                stride,
            )
        table.add_section()
        totals = (f"{cost.parameters:,}", f"{cost.macs:,}", float32_size(cost.activations))
        table.add_row("total", *[""] * len(words), *totals, "", "")
        console.print(table)
        if narrow:
            for name, description in self.descriptions.items():
                console.print(f"  {name}: {description}")
            console.print()

    def print_totals(self, console: Console) -> None:
        """What the table's figures mean, and what has no stage."""
        from hubel.cli.models.printing import bytes_

        cost, memory = self.cost, self.memory
        console.print(f"Weight layers on the longest way: {self.weight_layers}")
        if cost.auxiliary_parameters:
            console.print(
                f"Auxiliary heads, for training alone: {cost.auxiliary_parameters:,} parameters "
                f"(behind {' and '.join(self.network.aux_heads)}), "
                f"{cost.parameters + cost.auxiliary_parameters:,} together"
            )
        console.print(
            f"MACs: multiply-accumulates; floating-point operations are twice as many. Activations: the "
            f"{cost.activations:,} values that the layers put out for one image, as float32; MB are 10⁶ bytes."
        )
        console.print(
            f"A step of training with AdamW keeps {bytes_(memory.total - memory.saved)} for parameters, gradients "
            f"and moments, and {bytes_(memory.saved)} for each image (counted from what autograd saves)"
        )
