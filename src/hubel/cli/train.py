"""`hubel train`: a folder of pictures becomes a tested model."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubel.cli.text import print_json

if TYPE_CHECKING:
    from hubel.training.progress import Reporter


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a folder of pictures per class (train/, validation/ and test/ above them if you like), "
            "pictures with boxes (Pascal VOC, COCO, YOLO) or with masks, a manifest (.csv, .parquet), an archive "
            "(.zip, .tar), tar shards or torchvision:NAME; see docs/data.md."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="The network: `hubel models list`, timm/NAME, or on a backbone as in unet/NAME. [resnet18; yolo_n for "
            "boxes, unet/resnet18 for masks, conv_autoencoder for reconstruction, dcgan for generation]",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            help="classification, multilabel, regression, localization, detection, segmentation; without labels: "
            "reconstruction, generation. [what the labels and the network say]",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", help="scratch, head, mid, full, gradual, detector, auto, or a file. [the task's usual one]"
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", help="To start from: imagenet, another name in `hubel models show NAME`, a file, or a run."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the training pictures. [the recipe's]")
    ] = None,
    learning_rate: Annotated[
        str | None,
        typer.Option("--lr", help="The head's learning rate in the first phase, or `find`. [the recipe's]"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Cross-validation: train once for each of so many folds.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="What is never on both sides of a division: a regular expression for the files' names, such as "
            r"'^(patient\d+)_', or a CSV file with the columns path and group.",
        ),
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
        _print_recipe(named, set_ or [])
        return
    if resume:
        _check_settings_stay({**named, "folds": folds, "group": group}, set_ or [])
        if data is None and out is None:
            raise ConfigError("--resume needs to know which run: give its DATA, or --out DIR")
        begin = partial(_resume, data, out, device)
    elif data is None and config is None:
        raise ConfigError("no pictures to train on: give DATA, such as a folder with a folder of pictures per class")
    else:
        begin = partial(_start, data, out, device, named, (folds, group), set_ or [])
    _print_end(_reported(begin), json_)


def _print_recipe(named: Mapping[str, Any], assignments: list[str]) -> None:
    """Print the phases that a run with these flags would have."""
    from hubel.config import parse_settings
    from hubel.training.api import configuration
    from hubel.training.recipes import recipe_of, recipe_yaml

    changes = {name: named[name] for name in ("recipe", "epochs", "learning_rate") if named[name] is not None}
    if named["weights"]:
        changes["model"] = {"weights": named["weights"]}
    typer.echo(recipe_yaml(recipe_of(configuration(named["config"], changes | parse_settings(assignments)))), nl=False)


def _check_settings_stay(flags: Mapping[str, Any], assignments: list[str]) -> None:
    """Raise a ConfigError if a run that goes on would get other settings."""
    from hubel.errors import ConfigError

    given = [f"--{'lr' if name == 'learning_rate' else name}" for name, value in flags.items() if value is not None]
    given += ["--set"] * bool(assignments)
    if given:
        raise ConfigError(f"--resume goes on with the run's own settings: leave out {', '.join(given)}")


def _reported(begin: Callable[[Reporter], Any]) -> Any:
    """The finished run that something begins or goes on with, told on the terminal as it comes about.

    Raises:
        typer.Exit: It was stopped; how to go on is said.
    """
    from hubel.cli.progress import progress_reporter

    with progress_reporter() as reporter:
        reporter.message("loading torch")
        import signal

        from hubel.training.interruption import Interrupted

        try:
            return begin(reporter)
        except Interrupted as stopped:
            name, folder = signal.Signals(stopped.signal).name, shlex.quote(str(stopped.run))
            reporter.message(f"{stopped} by {name}; go on with: hubel train --out {folder} --resume")
            raise typer.Exit(128 + stopped.signal) from None


def _start(
    data: str | None,
    out: Path | None,
    device: str | None,
    named: Mapping[str, Any],
    division: tuple[int | None, str | None],
    assignments: list[str],
    reporter: Reporter,
) -> Any:
    """A new run, or one for each fold."""
    from hubel.config import parse_settings
    from hubel.evaluation import cross_validation
    from hubel.training import run
    from hubel.training.api import whole_configuration

    settings = cross_validation.fold_settings(*division) | parse_settings(assignments)
    whole = whole_configuration(data, **named, device=device, settings=settings)
    start = cross_validation.run_folds if cross_validation.is_cross_validation(whole) else run.start
    return start(whole, out=out, reporter=reporter)


def _resume(data: str | None, out: Path | None, device: str | None, reporter: Reporter) -> Any:
    """A run that was stopped, or the folds of one."""
    from hubel.evaluation import cross_validation
    from hubel.training import run
    from hubel.training.folder import find_folder

    folder, config = find_folder(data or "", out)
    if cross_validation.is_cross_validation(config):
        return cross_validation.resume_folds(folder, config, device=device, reporter=reporter)
    return run.resume(out=folder.path, device=device, reporter=reporter)


def _print_end(run: Any, as_json: bool) -> None:
    from hubel.results.naming import TITLES, counted, figure_text, headline, headline_name

    if as_json:
        print_json({"dir": str(run.dir), **run.metrics})
        return
    if "folds" in run.metrics:
        _print_folds(run)
        return
    for split in ("validation", "test"):
        if split in run.metrics:
            figures = run.metrics[split]
            first = headline_name(figures)
            others = [name for name in TITLES if name in figures and name not in (first, "top5_accuracy", "loss")]
            more = ", ".join(f"{TITLES[name]} {figure_text(name, figures[name])}" for name in others)
            typer.echo(f"{split} {headline(figures)} on {counted(figures['images'], 'picture')}, {more}")
            for baseline in figures.get("baselines", ()):  # an older run that is finished already has none
                typer.echo(f"  {baseline['name']}: {figure_text(first, baseline[first])}")
    if "wait_share" in run.metrics:  # an older run that is finished already has none
        typer.echo(f"training waited for pictures {100 * run.metrics['wait_share']:.1f} % of its time")
    typer.echo(f"\nmodel   {run.bundle}\nreport  {run.report}\n\nnext:")
    bundle = shlex.quote(str(run.bundle))
    if "collapse" in run.metrics:  # of a GAN, which predicts nothing
        typer.echo(f"  hubel generate {bundle} --out samples.png")
        typer.echo(f"  hubel evaluate {bundle} PICTURES --extractor CLASSIFIER")
        return
    typer.echo(f"  hubel predict {bundle} PICTURES...")
    typer.echo(f"  hubel evaluate {bundle} OTHER-PICTURES")
    if any("elbo" in run.metrics.get(split, {}) for split in ("validation", "test")):  # of a variational autoencoder
        typer.echo(f"  hubel generate {bundle} --out samples.png")


def _print_folds(run: Any) -> None:
    from hubel.cli.text import figures_table, output
    from hubel.results.naming import TITLES, figure_text

    console = output()
    metrics = run.metrics
    names = list(metrics["mean"])
    table = figures_table("fold", "pictures", *(TITLES[name] for name in names))
    for row in metrics["folds"]:
        table.add_row(str(row["fold"]), f"{row['images']:,}", *(_short(row[name]) for name in names))
    spread = (f"{_short(metrics['mean'][name])} ± {_short(metrics['standard_deviation'][name])}" for name in names)
    table.add_row("mean ± standard deviation", "", *spread)
    console.print(table)
    pooled = metrics["out_of_fold"]
    by = f", intervals over {pooled['groups']:,} groups" if "groups" in pooled else ""
    console.print(f"\nout of fold, {pooled['images']:,} pictures, each predicted by the model that has not seen it{by}")
    width = max(len(TITLES[name]) for name in names)
    for name in names:
        console.print(f"{TITLES[name]:<{width}} {figure_text(name, pooled[name], pooled[f'{name}_ci95'])}")
        if name == names[0]:
            for baseline in metrics["baselines"]:
                text = figure_text(name, baseline[name], baseline[f"{name}_ci95"])
                console.print(f"{'baseline':<{width}} {text}: {baseline['name']}")
    own = pooled.get("per_class") or pooled.get("per_label")
    if own:
        _print_classes_of_folds(own, console)
    console.print(f"\npredictions  {run.predictions}\nfolds        {run.dir}/fold1 to fold{len(metrics['folds'])}")


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.5g}"


def _print_classes_of_folds(of_classes: dict[str, Any], console: Any) -> None:
    from hubel.cli.text import figures_table

    classes = figures_table("class", "pictures", "precision", "recall", "F1")
    for name, scores in of_classes.items():
        figures = (f"{scores[key]:.3f}" for key in ("precision", "recall", "f1"))
        classes.add_row(name, f"{scores['support']:,}", *figures)
    console.print("")
    console.print(classes)
