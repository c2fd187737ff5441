"""`hubel evaluate`: a trained model measured on pictures, several averaged, or several compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.evaluate_without_labels import evaluate_anomalies, evaluate_generator
from hubel.cli.measuring import Measuring
from hubel.cli.options import AverageOption, BatchSizeOption, DeviceOption, JSONOption, TTAOption
from hubel.cli.text import tell

if TYPE_CHECKING:
    from hubel.evaluation.measured import Evaluation


def evaluate(
    models_and_data: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATA",
            help="Bundles or runs' folders, then pictures as for `hubel train`. Several models are averaged.",
        ),
    ],
    split: Annotated[str, typer.Option("--split", help="auto, test, validation, train or all.")] = "auto",
    tta: TTAOption = None,
    average: AverageOption = "probabilities",
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare several models with the first one instead of averaging them.")
    ] = False,
    positive: Annotated[
        str | None, typer.Option("--positive", help="A class to tell from the rest: ROC AUC, sensitivity, specificity.")
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            help="For that class, or for each of several labels: a probability (0.5), or youden, f1, sensitivity=0.95, "
            "specificity=0.95, chosen on validation pictures.",
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            help="Pictures to choose the threshold or the temperature on; without it, the validation split of the "
            "model's run.",
        ),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Fit a temperature on validation pictures and write it into the bundle.")
    ] = False,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help="Draw the reliability diagram: out.png, out.svg or out.pdf.")
    ] = None,
    curves: Annotated[
        Path | None,
        typer.Option("--curves", help="Draw the ROC and precision-recall curves: out.png, .svg or .pdf, and out.csv."),
    ] = None,
    extractor: Annotated[
        Path | None,
        typer.Option(
            "--extractor",
            help="Of a generator: a classifier's bundle, by whose features samples are compared with DATA.",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=2, help="With --extractor: how many. [as many as pictures, at most 10,000]"),
    ] = None,
    anomalies: Annotated[
        Path | None,
        typer.Option(
            "--anomalies",
            help="Of a model that gives pictures back: pictures to tell from DATA, which are normal, by the error. "
            "--threshold is an error then, or the share of validation pictures below it. [99%]",
        ),
    ] = None,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 32,
    max_unreadable: Annotated[
        float, typer.Option("--max-unreadable", min=0, max=1, help="Share of pictures that may be unreadable.")
    ] = 0.01,
    json_: JSONOption = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write every picture's prediction as CSV.")
    ] = None,
) -> None:
    """Measure a model: each figure with its interval, beside what a guess that never looks at a picture reaches."""
    from hubel.errors import ConfigError

    *models, data = models_and_data
    if not models:
        raise ConfigError(f"one argument came, '{data}': expected a model and then a folder of pictures")
    if extractor is not None or anomalies is not None or samples is not None:
        given = {
            "--extractor": extractor,
            "--samples": samples,
            "--anomalies": anomalies,
            "--tta": tta,
            "--average": None if average == "probabilities" else average,
            "--positive": positive,
            "--threshold": threshold,
            "--validation": validation,
            "--compare": compare or None,
            "--calibrate": calibrate or None,
            "--calibration": calibration,
            "--curves": curves,
            "--output": output,
        }
        _check_alone({option for option, value in given.items() if value is not None}, len(models))
    measuring = Measuring(split, device, max_unreadable, json_)
    if extractor is not None:
        evaluate_generator(measuring, models[0], data, extractor, samples=samples)
        return
    if anomalies is not None:
        evaluate_anomalies(
            measuring,
            models,
            data,
            anomalies,
            threshold=threshold,
            validation=validation,
            curves=curves,
            batch_size=batch_size,
        )
        return
    _check_drawings(Path(models[0]), calibration, curves, positive)
    from hubel.evaluation.evaluate import evaluate as run_evaluation

    evaluation = measuring.run(
        run_evaluation,
        models,
        data,
        tta=tta,
        average=average,
        compare=compare,
        positive=positive,
        threshold=threshold,
        validation=validation,
        calibrate=calibrate,
        batch_size=batch_size,
    )
    _write_files(evaluation, output, calibration, curves)
    measuring.show(evaluation, _print)


def _print(evaluation: Evaluation) -> None:
    from hubel.cli.evaluation_text import print_evaluation
    from hubel.cli.text import output

    print_evaluation(evaluation, output())


def _check_alone(given: set[str], models: int) -> None:
    """Refuse options that do not go with what is measured of models that learnt without labels."""
    from hubel.errors import ConfigError

    if "--anomalies" in given:
        asked, allowed = "--anomalies", {"--anomalies", "--threshold", "--validation", "--curves"}
        what = "tells pictures by what a model gives back"
    elif "--extractor" in given:
        asked, allowed, what = "--extractor", {"--extractor", "--samples"}, "measures samples"
    else:
        raise ConfigError("--samples came without --extractor, which it is for: add it, or leave it out")
    if others := sorted(given - allowed):
        raise ConfigError(f"{others[0]} came with {asked}, which {what}: leave one of them out")
    if asked == "--extractor" and models > 1:
        raise ConfigError(f"--extractor came with {models} models: expected one, a generator")


def _check_drawings(model: Path, calibration: Path | None, curves: Path | None, positive: str | None) -> None:
    """Refuse drawings that cannot be made before anything is computed."""
    from hubel.errors import ConfigError

    drawn = {"--calibration": calibration, "--curves": curves}
    asked = {option: path for option, path in drawn.items() if path is not None}
    if not asked:
        return
    from hubel.bundle import inspect_bundle
    from hubel.charts import check_chart_name
    from hubel.tasks.registry import task_of
    from hubel.tasks.task import label_task

    for path in asked.values():
        check_chart_name(path)
    bundle = inspect_bundle(model)
    label_task(task_of(bundle), next(iter(asked)))
    if curves is None or positive is not None:
        return
    if not bundle.classes:
        raise ConfigError("--curves came, but the model predicts a number: they are of one class against the rest")
    if bundle.task != "classification" or len(bundle.classes) != 2:
        raise ConfigError(
            f"--curves are of one class against the rest: add --positive, one of {', '.join(bundle.classes)}"
        )


def _write_files(evaluation: Evaluation, output: Path | None, calibration: Path | None, curves: Path | None) -> None:
    from hubel.evaluation.curves import write_curves, write_reliability
    from hubel.files import write_whole

    if output is not None:
        write_whole(output, evaluation.to_csv())
    if calibration is not None:
        write_reliability(calibration, evaluation.reliability())
        tell(f"reliability diagram in {calibration}")
    if curves is not None and evaluation.binary is not None:
        table = write_curves(curves, evaluation.binary)
        tell(f"ROC and precision-recall curves in {curves} and {table}")
