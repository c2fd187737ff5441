"""`hubel models`: which networks there are, and what they cost. One module per verb."""

from __future__ import annotations

import typer

from hubel.cli.models import bundle, listing, numbers, show, verify

app = typer.Typer(help="List the networks, or show one of them.", rich_markup_mode=None)
app.command(name="list")(listing.list_)
app.command(name="show")(show.show)
app.command(name="verify")(verify.verify)
app.command(name="numbers")(numbers.numbers)
app.command(name="bundle")(bundle.bundle)
