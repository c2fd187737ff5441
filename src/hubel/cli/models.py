"""`hubel models`: which networks there are, and what one costs stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table
    from torch import nn

    from hubel.models.registry import ModelEntry

app = typer.Typer(help="List the networks, or show one of them.", rich_markup_mode=None)


@app.command(name="list")
def list_(
    task: Annotated[str | None, typer.Option("--task", help="Only the networks for this task.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the networks: name, input, parameters, source."""
    from hubel.cli.text import output
    from hubel.models.registry import list_models, model_entry

    rows = []
    for name in list_models(task):
        entry = model_entry(name)
        rows.append({**_facts(entry), "parameters": _parameters(_without_memory(entry))})
    if json_:
        _print_json(rows)
        return
    table = _table({"name": "left", "input": "left", "parameters": "right", "what": "left", "source": "left"})
    for row in rows:
        table.add_row(row["name"], _shape(row["input_size"]), f"{row['parameters']:,}", row["summary"], row["source"])
    output().print(table)
    if task in (None, "classification"):
        output().print(
            "timm/NAME is any network of timm, where that is installed: pip install 'hubel[timm]'", markup=False
        )


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or timm/NAME.")],
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Height and width of the input; the network's own otherwise.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON; it also has every layer.")] = False,
) -> None:
    """Show a network's stages: output, parameters, multiply-accumulates, values, receptive field, stride."""
    from dataclasses import asdict

    from hubel.cli.text import output
    from hubel.errors import ConfigError
    from hubel.models.complexity import complexity
    from hubel.models.network import ClassificationNetwork
    from hubel.models.registry import model_entry
    from hubel.weights.catalogue import weights_for

    entry = model_entry(name)
    network = _without_memory(entry)
    channels, height, width = entry.input_size
    input_size = (channels, size or height, size or width)
    try:
        cost = complexity(network, input_size)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{name} does not take an input of {_shape(input_size)}: {error}") from error
    strides = network.strides if isinstance(network, ClassificationNetwork) else ()
    weights = [{"name": w.name, "data": w.data, "licence": w.licence, "origin": w.origin} for w in weights_for(name)]
    if json_:
        totals = {"parameters": cost.parameters, "macs": cost.macs, "activations": cost.activations}
        stages = [
            {**asdict(stage), "stride": stride} for stage, stride in zip(cost.stages, (*strides, None), strict=True)
        ]
        facts = _facts(entry) | {"input_size": input_size}
        _print_json({**facts, **totals, "weights": weights, "stages": stages, "layers": [*map(asdict, cost.layers)]})
        return
    columns = ("output", "parameters", "MACs", "values", "receptive field", "stride")
    table = _table({"stage": "left", **dict.fromkeys(columns, "right")})
    for stage, stride in zip(cost.stages, (*map(str, strides), ""), strict=True):
        table.add_row(
            stage.name,
            _shape(stage.output_shape),
            f"{stage.parameters:,}",
            f"{stage.macs:,}",
            f"{stage.activations:,}",
            _shape(stage.receptive_field),
            stride,
        )
    table.add_section()
    table.add_row("total", "", f"{cost.parameters:,}", f"{cost.macs:,}", f"{cost.activations:,}", "", "")
    console = output()
    console.print(f"{name}: {entry.summary}; input {_shape(input_size)}{', no other size' if entry.fixed_size else ''}")
    console.print(table)
    console.print(f"Source: {entry.source}")
    for line in weights:
        console.print(f"Weights: --weights {line['name']} ({line['data']}, {line['licence']}, {line['origin']})")
    if not weights:
        console.print("Weights: none in the catalogue; --weights takes the path of a file")


def _without_memory(entry: ModelEntry) -> nn.Module:
    """The network as shapes alone, on torch's meta device."""
    import torch

    with torch.device("meta"):
        return entry.builder()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _facts(entry: ModelEntry) -> dict[str, Any]:
    names = ("name", "task", "summary", "input_size", "fixed_size", "source")
    return {name: getattr(entry, name) for name in names}


def _shape(values: tuple[int, ...]) -> str:
    return "×".join(map(str, values))


def _table(columns: dict[str, Any]) -> Table:
    """An empty table: the columns' titles, and on which side each is flush."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title, side in columns.items():
        table.add_column(title, justify=side, no_wrap=title not in ("source", "what"))
    return table


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
