"""`hubel models list`: a line per network."""

from __future__ import annotations

from typing import Annotated

import typer


def list_(
    task: Annotated[str | None, typer.Option("--task", help="Only the networks for this task.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the networks: name, input, parameters, source."""
    from hubel.cli.models.printing import empty_table, facts, print_json, shape
    from hubel.cli.text import output
    from hubel.models.registry import list_models, model_entry

    rows = []
    for name in list_models(task):
        entry = model_entry(name)
        network = entry.build_shapes()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        rows.append({**facts(entry), "parameters": parameters})
    if json_:
        print_json(rows)
        return
    table = empty_table({"name": "left", "input": "left", "parameters": "right", "what": "left", "source": "left"})
    for row in rows:
        table.add_row(row["name"], shape(row["input_size"]), f"{row['parameters']:,}", row["summary"], row["source"])
    console = output()
    console.print(table)
    if task in (None, "classification"):
        console.print("timm/NAME is any network of timm, where that is installed: pip install 'hubel[timm]'")
