"""`hubel models`: which networks there are, and what they cost. One module per verb."""

from __future__ import annotations

import typer

from hubel.cli.models import bundle, compare, listing, numbers, show, verify

app = typer.Typer(
    help="List the networks, show one of them, compare several, verify what is printed of them.", rich_markup_mode=None
)
app.command(name="list")(listing.list_)
app.command(name="show")(show.show)
app.command(name="compare")(compare.compare)
app.command(name="verify")(verify.verify)
app.command(name="numbers")(numbers.numbers)
app.command(name="bundle")(bundle.bundle)
