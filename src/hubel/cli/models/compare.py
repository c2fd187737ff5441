"""`hubel models compare`: networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.evaluation.comparison import Accuracy, ComparedNetwork
    from hubel.inference.latency import Latency


class AccuracyOption(StrEnum):
    """The values of `--accuracy`."""

    BEST = "best"
    FIRST = "first"
    PAPER = "paper"


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Networks, hubel's or timm/NAME.", show_default=False),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of hubel's classification networks.")] = False,
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Height and width of the input; each network's own otherwise.")
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", min=1, help="Images in a step of training; latency is measured for one image and so many."
        ),
    ] = 1,
    devices: Annotated[
        list[str] | None,
        typer.Option(
            "--device", help="Where to measure latency: auto, cpu, cuda, mps. Several: give it several times."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="torch's threads on the CPU; all processors otherwise.")
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="Forward passes that latency is the median of.")
    ] = 20,
    latency: Annotated[bool, typer.Option("--latency/--no-latency", help="Whether to measure it.")] = True,
    accuracy: Annotated[
        AccuracyOption,
        typer.Option(
            "--accuracy",
            help="Whose published accuracy: the best weights', the first ones' (torchvision's V1, older and "
            "trained much alike), or the paper's.",
        ),
    ] = AccuracyOption.BEST,
    summary: Annotated[
        bool, typer.Option("--summary", help="Input, output, layers, parameters, activation function, what it is.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw accuracy over operations, area = parameters, as .png, .svg or .pdf.", metavar="FILE"),
    ] = None,
    plot_depth: Annotated[
        Path | None,
        typer.Option(help="Draw depth and ILSVRC error by year, as .png, .svg or .pdf; takes no NAME.", metavar="FILE"),
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print JSON, with exact numbers and every measured time.")
    ] = False,
) -> None:
    """Compare networks: layers, parameters, operations, memory, measured latency, published accuracy."""
    from hubel import runtime
    from hubel.charts import check_chart_name
    from hubel.cli.text import output, print_json
    from hubel.errors import ConfigError
    from hubel.evaluation import charts
    from hubel.evaluation.comparison import Timing
    from hubel.evaluation.comparison import compare as compare_networks
    from hubel.models.registry import list_models

    for picture in filter(None, (plot, plot_depth)):
        check_chart_name(picture)
    chosen = [*(names or []), *(list_models("classification") if all_ else [])]
    if plot_depth is not None:
        charts.draw_depth_by_year(plot_depth)
        _say(f"drew {plot_depth}")
    if not chosen:
        if plot_depth is not None and plot is None:
            return
        raise ConfigError("no network came: name one or more, or give --all (`hubel models list` tells the names)")
    timing = None
    if latency and not summary:
        runtime.start(threads)
        timing = Timing(devices=tuple(devices or ["auto"]), repeats=repeats)
    with _progress() as progress:
        networks = compare_networks(
            chosen, size=size, batch=batch, accuracy=accuracy.value, timing=timing, progress=progress
        )
    if json_:
        print_json([_to_dict(network) for network in networks])
    elif summary:
        _print_summary(networks, output())
    else:
        _print(networks, output())
    if plot is not None:
        left_out = charts.draw_accuracy_over_operations(networks, plot)
        without = f"; without a published top-1 accuracy on ImageNet: {', '.join(left_out)}" if left_out else ""
        _say(f"drew {plot}{without}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str], None] | None]:
    """On a terminal, the name of the network whose turn it is."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return

    def show(name: str) -> None:  # a moving picture would take time from what is measured
        sys.stderr.write(f"\r\x1b[K{name}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _print(networks: Sequence[ComparedNetwork], console: Console) -> None:
    """A line per network, and what the figures mean."""
    from hubel.cli.models.printing import NARROW, empty_table

    measured = [(latency.device, latency.batch) for latency in networks[0].latencies]
    times = [f"{device}, {count} image{'s' if count > 1 else ''}" for device, count in measured]
    costs = ("input", "layers", "parameters", "MACs", "activations", "training step")
    merits = (*times, "top-1", "top-5")
    for titles in [costs, merits] if console.width < NARROW else [costs + merits]:
        table = empty_table({"name": "left", **dict.fromkeys(titles, "right")})
        if "top-1" in titles:
            table.add_column("accuracy of", overflow="fold")
            titles = (*titles, "accuracy of")
        for network in networks:
            cells = _cells(network, times)
            table.add_row(network.name, *(cells[title] for title in titles))
        console.print(table)
    for note in _notes(networks):
        console.print(note)


def _cells(network: ComparedNetwork, times: Sequence[str]) -> dict[str, str]:
    """A network's line, by the columns' titles."""
    from hubel.cli.models.printing import bytes_, float32_size, scaled, shape

    published = network.accuracy
    return {
        "input": shape(network.input_size),
        "layers": f"{network.weight_layers}",
        "parameters": scaled(network.parameters),
        "MACs": scaled(network.macs),
        "activations": float32_size(network.activations),
        "training step": bytes_(network.training.total),
        **dict(zip(times, map(_time, network.latencies), strict=True)),
        "top-1": _percent(published.top1 if published else None),
        "top-5": _percent(published.top5 if published else None),
        "accuracy of": _whose(published),
    }


def _notes(networks: Sequence[ComparedNetwork]) -> Iterator[str]:
    batch = networks[0].batch
    yield (
        "Layers: with weights, on the longest way. Parameters: without auxiliary heads. MACs: multiply-accumulates for "
        "one image; FLOPs are twice as many. Activations: what the layers put out for one image, as float32. "
        "MB are 10⁶ bytes."
    )
    images = "one image" if batch == 1 else f"{batch} images"
    yield (
        "Training step: computed, not measured: parameters, gradients and AdamW's moments, and what autograd keeps of "
        f"a forward pass of {images}, auxiliary heads included; temporary memory comes on top."
    )
    if latencies := networks[0].latencies:
        threads = next((latency.threads for latency in latencies if latency.threads), None)
        on_cpu = f", {threads} thread{'s' if threads > 1 else ''} on the CPU" if threads else ""
        yield (
            f"Latency: median of {len(latencies[0].seconds)} forward passes (middle half of them), measured here in "
            f"float32 as prediction runs, BatchNorm folded{on_cpu}."
        )
    yield (
        "Top-1, top-5: published accuracy in percent on ImageNet's validation images; that of a paper was measured as "
        "the paper says, so often not with one crop."
    )


def _print_summary(networks: Sequence[ComparedNetwork], console: Console) -> None:
    """The summary table of lectures."""
    from hubel.cli.models.printing import empty_table, scaled, shape

    right = ("input", "output", "layers", "parameters")
    table = empty_table(
        {"name": "left", **dict.fromkeys(right, "right"), "activation function": "left", "what": "left"}
    )
    for network in networks:
        table.add_row(
            network.name,
            shape(network.input_size),
            f"{network.num_classes}",
            f"{network.weight_layers}",
            scaled(network.parameters),
            ", ".join(network.activation_functions),
            network.summary,
        )
    console.print(table)


def _time(latency: Latency) -> str:
    """`41.2 ms (40.8–42.0)`."""
    low, high = latency.quartiles
    digits = 1 if latency.median >= 0.01 else 2
    return f"{1e3 * latency.median:,.{digits}f} ms ({1e3 * low:,.{digits}f}–{1e3 * high:,.{digits}f})"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _whose(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "–"
    return f"paper: {accuracy.source}" if accuracy.is_papers else accuracy.source


def _to_dict(network: ComparedNetwork) -> dict[str, Any]:
    """For JSON: the fields, and what follows from them."""
    from dataclasses import asdict

    training = {**asdict(network.training), "total": network.training.total, "batch": network.batch}
    latencies = [
        {
            **asdict(latency),
            "median": latency.median,
            "lower_quartile": latency.quartiles[0],
            "upper_quartile": latency.quartiles[1],
        }
        for latency in network.latencies
    ]
    fields = asdict(network)
    del fields["batch"], fields["training"]
    return {**fields, "training_memory_bytes": training, "latencies": latencies}
