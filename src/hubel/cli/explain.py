"""`hubel explain`: what a trained model makes of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hubel.cli.options import DeviceOption
from hubel.cli.text import tell


def explain(
    model: Annotated[str, typer.Argument(help="A bundle (best.safetensors) or a run's folder.")],
    data: Annotated[str, typer.Argument(help="Pictures as for `hubel train`; class folders colour the map.")],
    latent: Annotated[
        bool, typer.Option("--latent", help="Draw the codes of the pictures in two dimensions, thumbnails on it.")
    ] = False,
    method: Annotated[str, typer.Option("--method", help="pca or t-sne.")] = "pca",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of t-SNE.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="out.png, out.svg or out.pdf.")] = Path("latent.png"),
    device: DeviceOption = "auto",
) -> None:
    """Draw what a model that learnt without labels makes of pictures."""
    from hubel.charts import check_chart_name
    from hubel.errors import ConfigError

    if not latent:
        raise ConfigError("nothing to explain was named: expected --latent, for a map of the codes")
    check_chart_name(out)
    from hubel import runtime
    from hubel.cli.progress import evaluation_progress
    from hubel.evaluation.latent import latent_map

    runtime.start()
    with evaluation_progress() as progress:
        drawn = latent_map(model, data, method=method, seed=seed, device=device, progress=progress)
    for reason in drawn.unreadable:
        tell(f"left out {reason}")
    drawn.write(out)
    typer.echo(f"{len(drawn.places):,} codes of {drawn.codes.shape[1]} values in {out}")
