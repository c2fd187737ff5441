"""What `hubel evaluate` measures of models that learnt without labels: a generator's samples, anomalies told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hubel.cli.measuring import Measuring
from hubel.cli.text import tell

if TYPE_CHECKING:
    from hubel.evaluation.anomalies import AnomalyEvaluation


def evaluate_generator(measuring: Measuring, model: str, data: str, extractor: Path, *, samples: int | None) -> None:
    """Print how far a generator's samples are from pictures, by a classifier's features."""
    from hubel.evaluation import generated

    measured = measuring.run(generated.evaluate_generator, model, data, extractor, count=samples)
    measuring.show(measured, lambda each: typer.echo(each.text()))


def evaluate_anomalies(
    measuring: Measuring,
    models: Sequence[str],
    data: str,
    anomalies: Path,
    *,
    threshold: str | None,
    validation: Path | None,
    curves: Path | None,
    batch_size: int,
) -> None:
    """Print how well anomalies are told from normal pictures by the error of what models give back."""
    from hubel.charts import check_chart_name
    from hubel.evaluation import anomalies as of_anomalies
    from hubel.evaluation.curves import write_curves

    if curves is not None:
        check_chart_name(curves)
    measured = measuring.run(
        of_anomalies.evaluate_anomalies,
        models,
        data,
        anomalies,
        threshold=threshold,
        validation=validation,
        batch_size=batch_size,
    )
    if curves is not None:
        table = write_curves(curves, measured.reading)
        tell(f"ROC and precision-recall curves in {curves} and {table}")
    measuring.show(measured, _print_anomalies)


def _print_anomalies(measured: AnomalyEvaluation) -> None:
    from hubel.cli.evaluation_text import print_binary
    from hubel.cli.text import output

    console = output()
    for note in measured.notes:
        console.print(note)
    print_binary(measured.reading, console)
