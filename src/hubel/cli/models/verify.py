"""`hubel models verify`: what papers and libraries print of the networks, recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubel.cli.options import JSONOption

if TYPE_CHECKING:
    from rich.table import Table

    from hubel.evaluation.parity import Parity
    from hubel.evaluation.verification import Verification

# Narrower windows get the sources of differing figures below the table, and no others.
_WIDE = 150


def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Networks; all where none is.")] = None,
    parity: Annotated[
        bool,
        typer.Option(
            "--parity",
            help="Also give every network and its twin in torchvision or timm the same random weights and picture, "
            "and compare their logits.",
        ),
    ] = False,
    json_: JSONOption = False,
) -> None:
    """Recompute what papers and libraries print of the networks, and show both.

    A published figure "holds" where ours, rounded to its digits, is the same; it "differs" where ours is known not to
    be, with the reason; it is "quoted" where it takes ImageNet and trained weights to recompute. Exit status 1 where a
    figure that should hold does not.
    """
    import time

    from hubel.cli.text import output, print_json
    from hubel.evaluation.verification import verify as recompute
    from hubel.models.registry import list_models

    begun = time.perf_counter()
    verifications = list(recompute(names or None))
    twins = []
    if parity:
        from hubel.evaluation.parity import compare_with_twins

        twins = list(compare_with_twins(names or list_models("classification")))
    counts = dict.fromkeys(("holds", "differs", "does not hold", "quoted"), 0)
    for verification in verifications:
        counts[verification.verdict] += 1
    if json_:
        print_json(
            {
                "figures": [_as_dict(verification) for verification in verifications],
                "parity": [_parity_as_dict(twin) for twin in twins],
                "counts": counts,
            }
        )
    else:
        console = output()
        console.print(_figures(verifications, with_sources=console.width >= _WIDE))
        if console.width < _WIDE:
            for verification in verifications:
                if verification.figure.reason:
                    console.print(f"{verification.figure.network}, {_quantity(verification)}: {_prose(verification)}")
        if parity:
            console.print(_parities(twins))
        console.print(
            f"{len(verifications)} figures in {time.perf_counter() - begun:.0f} s: {counts['holds']} hold, "
            f"{counts['differs']} differ for the reason given, {counts['quoted']} can only be quoted, "
            f"{counts['does not hold']} do not hold"
        )
    if counts["does not hold"] or any(twin.holds is False for twin in twins):
        raise typer.Exit(1)


def _figures(verifications: list[Verification], *, with_sources: bool) -> Table:
    from hubel.cli.models.printing import empty_table

    table = empty_table(
        {
            "network and quantity": "left",
            "published": "right",
            "ours": "right",
            "difference": "right",
            "verdict": "left",
            **({"source, and why ours differs": "left"} if with_sources else {}),
        }
    )
    for prose in (table.columns[0], table.columns[-1]):
        prose.no_wrap = False
    network = ""
    for verification in verifications:
        if verification.figure.network != network:
            network = verification.figure.network
            table.add_section()
            table.add_row(network, style="bold")
        cells = [
            f"  {_quantity(verification)}",
            verification.figure.printed,
            "–" if verification.ours is None else _number(verification, verification.ours),
            "–" if verification.difference is None else _signed(verification.difference),
            verification.verdict,
        ]
        table.add_row(*cells, *([_prose(verification)] if with_sources else []))
    return table


def _quantity(verification: Verification) -> str:
    """`MACs of conv1, stride_on=1x1`."""
    figure = verification.figure
    part = f" of {figure.part.removeprefix('stages.')}" if figure.part else ""
    return ", ".join([figure.quantity + part, *(f"{name}={value}" for name, value in figure.arguments.items())])


def _number(verification: Verification, ours: int) -> str:
    return str(ours) if verification.figure.quantity == "year" else f"{ours:,}"


def _signed(difference: float) -> str:
    return f"{round(difference):+,}" if round(difference) else "0"


def _prose(verification: Verification) -> str:
    figure = verification.figure
    text = figure.source
    if figure.conditions:
        text += f" ({figure.conditions})"
    return f"{text}: {figure.reason}" if figure.reason else text


def _parities(twins: list[Parity]) -> Table:
    from hubel.cli.models.printing import empty_table

    table = empty_table(
        {"network": "left", "twin": "left", "greatest difference of two logits": "right", "verdict": "left"}
    )
    for twin in twins:
        verdict = {True: "equal", False: "does not hold", None: f"{twin.twin.library} is not installed"}[twin.holds]
        difference = "–" if twin.difference is None else f"{twin.difference:.1e} of the greatest logit"
        table.add_row(twin.network, f"{twin.twin.library} {twin.twin.name}", difference, verdict)
    return table


def _as_dict(verification: Verification) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        **asdict(verification.figure),
        "ours": verification.ours,
        "difference": verification.difference,
        "verdict": verification.verdict,
    }


def _parity_as_dict(twin: Parity) -> dict[str, Any]:
    return {
        "network": twin.network,
        "library": twin.twin.library,
        "twin": twin.twin.name,
        "difference": twin.difference,
        "holds": twin.holds,
    }
