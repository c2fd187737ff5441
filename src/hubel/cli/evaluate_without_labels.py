"""What `hubel evaluate` measures of models that learnt without labels: a generator's samples, anomalies told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer


def evaluate_generator(
    model: str,
    data: str,
    extractor: Path,
    *,
    samples: int | None,
    split: str,
    device: str,
    max_unreadable: float,
    as_json: bool,
) -> None:
    """Print how far a generator's samples are from pictures, by a classifier's features."""
    from hubel import runtime
    from hubel.cli.progress import evaluation_progress
    from hubel.evaluation import generated

    runtime.start()
    with evaluation_progress() as progress:
        measured = generated.evaluate_generator(
            model,
            data,
            extractor,
            count=samples,
            split=split,
            device=device,
            max_unreadable=max_unreadable,
            progress=progress,
            tell=lambda text: print(text, file=sys.stderr),
        )
    for reason in measured.unreadable:
        print(f"left out {reason}", file=sys.stderr)
    typer.echo(json.dumps(measured.to_dict(), indent=2, ensure_ascii=False) if as_json else measured.text())


def evaluate_anomalies(
    models: list[str],
    data: str,
    anomalies: Path,
    *,
    split: str,
    threshold: str | None,
    validation: Path | None,
    curves: Path | None,
    device: str,
    batch_size: int,
    max_unreadable: float,
    as_json: bool,
) -> None:
    """Print how well anomalies are told from normal pictures by the error of what models give back."""
    from hubel import runtime
    from hubel.charts import check_chart_name
    from hubel.cli.evaluation_text import print_binary
    from hubel.cli.progress import evaluation_progress
    from hubel.cli.text import output as console_on_stdout
    from hubel.evaluation import anomalies as of_anomalies
    from hubel.evaluation.curves import write_curves

    if curves is not None:
        check_chart_name(curves)
    runtime.start()
    with evaluation_progress() as progress:
        measured = of_anomalies.evaluate_anomalies(
            models,
            data,
            anomalies,
            split=split,
            threshold=threshold,
            validation=validation,
            device=device,
            batch_size=batch_size,
            max_unreadable=max_unreadable,
            progress=progress,
            tell=lambda text: print(text, file=sys.stderr),
        )
    for item in measured.unreadable:
        print(f"left out {item.sample.name}: {item.reason}", file=sys.stderr)
    if curves is not None:
        table = write_curves(curves, measured.reading)
        print(f"ROC and precision-recall curves in {curves} and {table}", file=sys.stderr)
    if as_json:
        typer.echo(json.dumps(measured.to_dict(), indent=2, ensure_ascii=False))
        return
    console = console_on_stdout()
    for note in measured.notes:
        console.print(note)
    print_binary(measured.reading, console)
