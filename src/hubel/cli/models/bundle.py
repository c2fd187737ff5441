"""`hubel models bundle`: published weights as a model that predicts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def bundle(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or timm/NAME.")],
    weights: Annotated[
        str, typer.Option("--weights", help="A name that `hubel models show NAME` lists, or the weights' file.")
    ] = "imagenet",
    out: Annotated[Path | None, typer.Option("--out", help="Where the bundle goes. [NAME.safetensors]")] = None,
) -> None:
    """Make a bundle of published weights, to predict, evaluate and export with their publisher's classes."""
    from hubel.bundle import published_bundle, save_bundle

    path = out or Path(f"{name.rpartition('/')[2]}.safetensors")
    made, network = published_bundle(name, weights=weights)
    save_bundle(path, made, network.state_dict())
    typer.echo(f"model   {path}: {made.config['model']['weights']}, {len(made.classes):,} classes")
    typer.echo(f"\nnext:\n  hubel predict {shlex.quote(str(path))} PICTURES...")
