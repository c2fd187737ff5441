"""`hubel models numbers`: what lectures often print loosely, and what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def numbers(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the page there, not on stdout.")] = None,
) -> None:
    """Print the numbers that lectures often print loosely beside the right ones, as Markdown."""
    from hubel.models.numbers import page

    text = page()
    if output is None:
        typer.echo(text, nl=False)
        return
    from hubel.files import write_whole

    write_whole(output, text)
