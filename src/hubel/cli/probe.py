"""`hubel probe`: how deep to freeze a network, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.options import DeviceOption, JSONOption
from hubel.cli.text import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.transfer.probe import ProbeResult

_BAR = 30  # characters for a figure of 1

_WHAT = {
    "accuracy": "of {classes} classes ({least} to {most} a class)",
    "mean_average_precision": "with any of {classes} labels ({least} to {most} with a label)",
    "r2": "with a number each",
}
_GUESS = {
    "accuracy": "always naming the most frequent class is right in",
    "mean_average_precision": "always naming each label's share has a mean average precision of",
    "r2": "always naming the mean has an R² of",
}


def probe(
    data: Annotated[
        str, typer.Argument(help="A folder with a folder of pictures per class, or other data: see `hubel train`.")
    ],
    model: Annotated[str, typer.Option("--model", help="The network: `hubel models list`, or timm/NAME.")],
    weights: Annotated[
        str | None, typer.Option("--weights", help="Its weights: a name in the catalogue, or a file. [random]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Also draw the figure by depth: a .png, .svg or .pdf file.")
    ] = None,
    device: DeviceOption = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of `hubel train`, KEY=VALUE, such as data.size=160. Repeatable."),
    ] = None,
    json_: JSONOption = False,
) -> None:
    """Measure by depth how well a network's features tell your labels, and say how deep to freeze it.

    The network runs once over the training pictures; a linear probe is cross-validated after every stage.
    """
    from hubel.cli.progress import progress_reporter

    with progress_reporter() as reporter:
        reporter.message("loading torch")
        from hubel.charts import check_chart_name
        from hubel.config import TrainConfig, merge, parse_settings
        from hubel.training.auto import probe_prepared
        from hubel.training.preparation import prepare
        from hubel.transfer.chart import draw_probe

        if plot is not None:
            check_chart_name(plot)
        named = {"data": {"path": data}, "model": {"name": model, "weights": weights}, "device": device}
        prepared = prepare(TrainConfig.from_values(merge(parse_settings(set_ or []), named)), reporter)
        result = probe_prepared(prepared, reporter)
    if plot is not None:
        draw_probe(result, plot, title=f"{model} on {prepared.splits.root.name}")
    if json_:
        print_json(result.to_dict())
        return
    from hubel.cli.text import output

    _print(result, output())
    if plot is not None:
        typer.echo(f"\npicture  {plot}")


def _print(result: ProbeResult, console: Console) -> None:
    from hubel.cli.text import figures_table
    from hubel.results.naming import TITLES

    counts, percents = result.pictures_per_class, result.figure == "accuracy"
    what = _WHAT[result.figure].format(classes=len(result.classes), least=f"{min(counts):,}", most=f"{max(counts):,}")
    guess = f"{100 * result.baseline:.1f} %" if percents else f"{result.baseline:.3f}"
    console.print(
        f"{result.pictures:,} training pictures {what}, {'pretrained' if result.pretrained else 'random'} weights; "
        f"{_GUESS[result.figure]} {guess}\n"
    )
    table = figures_table("stage", "stride", "values", TITLES[result.figure], "95 % interval")
    table.add_column("")
    for row in result.stages:
        low, high = row.value_ci95
        table.add_row(
            row.stage,
            str(row.stride),
            f"{row.values:,}",
            f"{100 * row.value:.1f} %" if percents else f"{row.value:.3f}",
            f"{100 * low:.1f} to {100 * high:.1f}" if percents else f"{low:.3f} to {high:.3f}",
            "█" * round(_BAR * max(row.value, 0)) + (" best" if row is result.best else ""),
        )
    console.print(table)
    console.print(f"\n{result.advice.summary}")
    for reason in result.advice.reasons:
        console.print(f"  because {reason}")
    seconds = result.seconds
    console.print(f"\nfeatures {seconds['features']:.0f} s, probes {seconds['probes']:.0f} s")
