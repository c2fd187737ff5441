"""Options that several verbs have, each stated once: `device: DeviceOption = "auto"`."""

from __future__ import annotations

from typing import Annotated

import typer

DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BatchSizeOption = Annotated[int, typer.Option("--batch-size", min=1, help="Pictures computed together.")]
TTAOption = Annotated[
    str | None,
    typer.Option(
        "--tta",
        help="Average over views of each picture: flip, turns, five-crop, ten-crop, multi-scale, grid:N, 144-crop (a "
        "name with +flip behind it: mirror images, too).",
    ),
]
AverageOption = Annotated[
    str, typer.Option("--average", help="What is averaged over views and models: probabilities or logits.")
]
