"""`hubel models list`: a line per network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.options import JSONOption

if TYPE_CHECKING:
    from torch import nn


def list_(
    task: Annotated[str | None, typer.Option("--task", help="Only the networks for this task.")] = None,
    json_: JSONOption = False,
) -> None:
    """List the networks: name, input, parameters (those of auxiliary heads apart), source."""
    from hubel.cli.models.printing import empty_table, facts, shape
    from hubel.cli.text import output, print_json
    from hubel.models.registry import list_families, list_models, model_entry

    rows = []
    for name in list_models(task):
        entry = model_entry(name)
        parameters, auxiliary = _parameters(entry.build_shapes())
        rows.append({**facts(entry), "parameters": parameters, "auxiliary_parameters": auxiliary})
    if json_:
        print_json(rows)
        return
    table = empty_table(
        {
            "name": "left",
            "input": "left",
            "parameters": "right",
            "auxiliary": "right",
            "what": "left",
            "source": "left",
        }
    )
    for row in rows:
        heads = f"+ {row['auxiliary_parameters']:,}" if row["auxiliary_parameters"] else ""
        numbers = (shape(row["input_size"]), f"{row['parameters']:,}", heads)
        table.add_row(row["name"], *numbers, row["summary"], row["source"])
    console = output()
    if rows:
        console.print(table)
    for family in list_families(task):
        console.print(_family_line(family))
    if task in (None, "classification"):
        console.print("timm/NAME is any network of timm, where that is installed: pip install 'hubel[timm]'")


def _family_line(family: str) -> str:
    """What a family makes of a backbone, and what backbones there are."""
    from hubel.models.registry import family_entry, list_models

    entry = family_entry(family)
    if "classification" in entry.backbone_tasks:
        return f"{family}/NAME is {family} on a classification network: {family}/resnet18, {family}/timm/NAME"
    names = [f"{family}/{name}" for task in entry.backbone_tasks for name in list_models(task)]
    return f"{family}/NAME is {entry.summary}: {', '.join(names)}"


def _parameters(network: nn.Module) -> tuple[int, int]:
    """Those that prediction uses, and those of auxiliary heads."""
    from hubel.models.network import Staged

    everything = sum(parameter.numel() for parameter in network.parameters())
    heads = network.aux_heads.parameters() if isinstance(network, Staged) else ()
    auxiliary = sum(parameter.numel() for parameter in heads)
    return everything - auxiliary, auxiliary
