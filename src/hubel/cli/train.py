"""`hubel train`: a folder of pictures becomes a tested model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a folder of pictures per class; train/, validation/ and test/ above them if you like."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The network: `hubel models list`, or timm/NAME. [resnet18]")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="What to learn. [classification]")] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="scratch, head, mid, full, gradual, auto, or a file. [gradual with weights]"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="To start from: imagenet, another name in `hubel models show NAME`, or a file."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the training pictures. [the recipe's]")
    ] = None,
    learning_rate: Annotated[
        str | None,
        typer.Option("--lr", help="The head's learning rate in the first phase, or `find`. [the recipe's]"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run's folder. [runs/NAME-OF-DATA]")] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps. [auto]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Start from a YAML file, such as a run's config.yaml.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, KEY=VALUE, such as data.size=160. Repeatable."),
    ] = None,
    print_recipe: Annotated[
        bool, typer.Option("--print-recipe", help="Print the recipe's phases as YAML, to change them, and end.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="End with the metrics as JSON on stdout.")] = False,
) -> None:
    """Train a network on a folder of pictures, test it and write a report."""
    from hubel.errors import ConfigError

    named = {
        "model": model,
        "task": task,
        "recipe": recipe,
        "weights": weights,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "config": config,
    }
    if print_recipe:
        from hubel.config import parse_settings
        from hubel.training.api import configuration
        from hubel.training.recipes import recipe_of, recipe_yaml

        changes = {
            "recipe": recipe,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "model": {"weights": weights} if weights else None,
        }
        changes = {name: value for name, value in changes.items() if value is not None} | parse_settings(set_ or [])
        typer.echo(recipe_yaml(recipe_of(configuration(config, changes))), nl=False)
        return
    if resume:
        flags = {"learning_rate": "lr"}
        given = [f"--{flags.get(name, name)}" for name, value in named.items() if value is not None]
        given += ["--set"] * bool(set_)
        if given:
            raise ConfigError(f"--resume goes on with the run's own settings: leave out {', '.join(given)}")
        if data is None and out is None:
            raise ConfigError("--resume needs to know which run: give its DATA, or --out DIR")
    elif data is None and config is None:
        raise ConfigError("no pictures to train on: give DATA, a folder with a folder of pictures per class")
    _run(data, out, device, resume, named, set_ or [], json_)


def _run(
    data: str | None,
    out: Path | None,
    device: str | None,
    resume: bool,
    named: dict[str, Any],
    assignments: list[str],
    as_json: bool,
) -> None:
    from hubel.cli.progress import progress_reporter

    with progress_reporter() as reporter:
        reporter.message("loading torch")
        import shlex
        import signal

        from hubel.config import parse_settings
        from hubel.training.api import train as run_training
        from hubel.training.interruption import Interrupted

        try:
            run = run_training(
                data,
                **named,
                device=device,
                out=out,
                settings=parse_settings(assignments),
                resume=resume,
                reporter=reporter,
            )
        except Interrupted as stopped:
            name, folder = signal.Signals(stopped.signal).name, shlex.quote(str(stopped.run))
            reporter.message(f"{stopped} by {name}; go on with: hubel train --out {folder} --resume")
            raise typer.Exit(128 + stopped.signal) from None
    _print_end(run, as_json)


def _print_end(run: Any, as_json: bool) -> None:
    import json

    from hubel.cli.text import percent

    if as_json:
        typer.echo(json.dumps({"dir": str(run.dir), **run.metrics}, indent=2))
        return
    for split in ("validation", "test"):
        if split in run.metrics:
            figures = run.metrics[split]
            typer.echo(
                f"{split} accuracy {percent(figures['accuracy'], figures['accuracy_ci95'])} "
                f"on {figures['images']:,} pictures, macro F1 {figures['macro_f1']:.3f}"
            )
    typer.echo(f"\nmodel   {run.bundle}\nreport  {run.report}\n\nnext:\n  hubel predict {run.bundle} PICTURES...")
    typer.echo(f"  hubel evaluate {run.bundle} OTHER-PICTURES")
