"""`hubel models show`: what a network costs, stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hubel.models.complexity import Complexity


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or timm/NAME.")],
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Height and width of the input; the network's own otherwise.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON; it also has every layer.")] = False,
) -> None:
    """Show a network's stages: output, parameters, multiply-accumulates, values, receptive field, stride."""
    from dataclasses import asdict

    from hubel.cli.models.printing import facts, print_json, shape
    from hubel.cli.text import output
    from hubel.errors import ConfigError
    from hubel.models.complexity import complexity
    from hubel.models.network import ClassificationNetwork
    from hubel.models.registry import model_entry

    entry = model_entry(name)
    network = entry.build_shapes()
    channels, height, width = entry.input_size
    input_size = (channels, size or height, size or width)
    try:
        cost = complexity(network, input_size)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{name} does not take an input of {shape(input_size)}: {error}") from error
    strides = network.strides if isinstance(network, ClassificationNetwork) else ()
    weights = _weights(name)
    if json_:
        totals = {"parameters": cost.parameters, "macs": cost.macs, "activations": cost.activations}
        stages = [
            {**asdict(stage), "stride": stride} for stage, stride in zip(cost.stages, (*strides, None), strict=True)
        ]
        about = facts(entry) | {"input_size": input_size}
        print_json({**about, **totals, "weights": weights, "stages": stages, "layers": [*map(asdict, cost.layers)]})
        return
    console = output()
    console.print(f"{name}: {entry.summary}; input {shape(input_size)}{', no other size' if entry.fixed_size else ''}")
    console.print(_stages(cost, strides))
    console.print(f"Source: {entry.source}")
    for line in weights:
        console.print(f"Weights: --weights {line['name']} ({line['data']}, {line['licence']}, {line['origin']})")
    if not weights:
        console.print("Weights: none in the catalogue; --weights takes the path of a file")


def _weights(name: str) -> list[dict[str, Any]]:
    """The catalogue's weights for a network, for JSON."""
    from hubel.weights.catalogue import weights_for

    return [{"name": w.name, "data": w.data, "licence": w.licence, "origin": w.origin} for w in weights_for(name)]


def _stages(cost: Complexity, strides: tuple[int, ...]) -> Table:
    """A line per stage, and the totals."""
    from hubel.cli.models.printing import empty_table, shape

    table = empty_table(
        {
            "stage": "left",
            "output": "right",
            "parameters": "right",
            "MACs": "right",
            "values": "right",
            "receptive field": "right",
            "stride": "right",
        }
    )
    for stage, stride in zip(cost.stages, (*map(str, strides), ""), strict=True):
        table.add_row(
            stage.name,
            shape(stage.output_shape),
            f"{stage.parameters:,}",
            f"{stage.macs:,}",
            f"{stage.activations:,}",
            shape(stage.receptive_field),
            stride,
        )
    table.add_section()
    table.add_row("total", "", f"{cost.parameters:,}", f"{cost.macs:,}", f"{cost.activations:,}", "", "")
    return table
