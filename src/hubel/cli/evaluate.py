"""`hubel evaluate`: a trained model measured on pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.evaluation.evaluate import Evaluation
    from hubel.results import ClassificationMetrics

# A wider confusion matrix does not fit a terminal; its largest confusions are listed instead.
_MOST_COLUMNS = 20


def evaluate(
    models_and_data: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Bundles or runs' folders, then the folder of pictures. Several models are averaged.",
        ),
    ],
    split: Annotated[str, typer.Option("--split", help="auto, test, validation, train or all.")] = "auto",
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")] = "auto",
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Pictures computed together.")] = 32,
    max_unreadable: Annotated[
        float, typer.Option("--max-unreadable", min=0, max=1, help="Share of pictures that may be unreadable.")
    ] = 0.01,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write every picture's prediction as CSV.")
    ] = None,
) -> None:
    """Measure a model: accuracy with its interval, precision and recall of each class, the confusion matrix."""
    from hubel.errors import ConfigError

    *models, data = models_and_data
    if not models:
        raise ConfigError(f"one argument came, '{data}': expected a model and then a folder of pictures")
    import json

    from hubel import runtime
    from hubel.cli.progress import evaluation_progress
    from hubel.cli.text import output as console_on_stdout
    from hubel.evaluation.evaluate import evaluate as run_evaluation

    runtime.start()
    with evaluation_progress() as progress:
        evaluation = run_evaluation(
            models,
            data,
            split=split,
            device=device,
            batch_size=batch_size,
            max_unreadable=max_unreadable,
            progress=progress,
        )
    for item in evaluation.unreadable:
        print(f"left out {item.sample.name}: {item.reason}", file=sys.stderr)
    if output is not None:
        from hubel.files import write_whole

        write_whole(output, evaluation.to_csv())
    if json_:
        values = {
            "split": evaluation.split,
            "notes": list(evaluation.notes),
            **evaluation.metrics.to_full_dict(),
        }
        typer.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        _print(evaluation, console_on_stdout())


def _print(evaluation: Evaluation, console: Console) -> None:
    from hubel.cli.text import percent

    metrics = evaluation.metrics
    for note in evaluation.notes:
        console.print(note)
    console.print(f"{metrics.images:,} pictures ({evaluation.split})\n")
    console.print(f"accuracy  {percent(metrics.accuracy, metrics.accuracy_ci95)}")
    if metrics.top5_accuracy is not None:
        console.print(f"top-5     {percent(metrics.top5_accuracy, metrics.top5_accuracy_ci95)}")
    low, high = metrics.macro_f1_ci95
    console.print(f"macro F1  {metrics.macro_f1:.4f} (95 % interval {low:.3f} to {high:.3f})")
    console.print(f"loss      {metrics.loss:.4f}\n")
    _print_classes(metrics, console)
    console.print()
    if len(metrics.per_class) <= _MOST_COLUMNS:
        _print_confusion(metrics, console)
    else:
        _print_largest_confusions(metrics, console)


def _print_classes(metrics: ClassificationMetrics, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("class")
    for heading in ("pictures", "precision", "recall", "F1"):
        table.add_column(heading, justify="right")
    for s in metrics.per_class:
        precision = f"{s.precision:.3f}" if s.predicted else "–"
        recall = f"{s.recall:.3f}" if s.support else "–"
        table.add_row(s.name, f"{s.support:,}", precision, recall, f"{s.f1:.3f}")
    console.print(table)


def _print_confusion(metrics: ClassificationMetrics, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    console.print("confusion matrix: rows are true, columns predicted")
    table.add_column("")
    for number, _ in enumerate(metrics.per_class, start=1):
        table.add_column(str(number), justify="right")
    for number, (scores, row) in enumerate(zip(metrics.per_class, metrics.confusion, strict=True), start=1):
        cells = [Text(str(n), "bold" if i == number - 1 else "") if n else "·" for i, n in enumerate(row)]
        table.add_row(f"{number:>2} {scores.name}", *cells)
    console.print(table)


def _print_largest_confusions(metrics: ClassificationMetrics, console: Console) -> None:
    from hubel.tasks.classification import largest_confusions

    console.print("the most frequent confusions (true, taken for, pictures)")
    for true, given, count in largest_confusions(metrics):
        console.print(f"  {true}, {given}, {count}")
