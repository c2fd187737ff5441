"""`hubel predict`: pictures or films in; their classes, numbers, objects or masks out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.options import AverageOption, BatchSizeOption, DeviceOption, TTAOption
from hubel.cli.predict_output import choose_format, folder_of_masks, write_results
from hubel.cli.text import tell

if TYPE_CHECKING:
    from hubel.data.decoding import UnreadableImage
    from hubel.inference.predictor import Predictor


def predict(
    models_and_images: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... IMAGES...",
            help="A bundle (best.safetensors) or a run's folder, or several, which are averaged; then files, folders "
            "(with all below them), globs, archives or manifests; or films.",
        ),
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes or labels to tell for each picture.")] = 3,
    format_: Annotated[str, typer.Option("--format", help="table, csv or json (of boxes: in COCO's form).")] = "table",
    json_: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to a file: .csv or .json tell the format. Of masks: or to a folder, as PNG."
        ),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", help="Write each picture with what is predicted drawn onto it into this folder."),
    ] = None,
    sliding_windows: Annotated[
        str | None,
        typer.Option("--sliding-windows", help="Detect with a classifier: sides of windows in pixels, such as 96,128."),
    ] = None,
    step: Annotated[float, typer.Option("--step", help="Of sliding windows, as a share of their side.")] = 0.5,
    least_score: Annotated[
        float | None,
        typer.Option("--least-score", min=0, max=1, help="Report objects from this score on; else as in training."),
    ] = None,
    anomaly: Annotated[
        bool,
        typer.Option("--anomaly", help="Rank pictures by how badly a model of normal ones gives them back."),
    ] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            help="With --anomaly: an error, or the share of validation pictures below it, such as 95%. [99%]",
        ),
    ] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            "--validation",
            help="With --anomaly: normal pictures to take the threshold from. [the validation pictures of the run]",
        ),
    ] = None,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 32,
    tta: TTAOption = None,
    average: AverageOption = "probabilities",
) -> None:
    """Predict pictures with a trained model, or several. Unreadable pictures are named on stderr and left out."""
    from hubel.cli.predict_films import check_outputs, named_films, predict_films
    from hubel.errors import ConfigError, DataError

    style = choose_format("json" if json_ else format_, output)
    from hubel import runtime
    from hubel.data.inputs import list_images
    from hubel.inference.drawn import draw_each, save_masks
    from hubel.inference.ensemble import check_average, check_same_task, named_views, predict_each, view_notes
    from hubel.inference.film import is_film
    from hubel.inference.predictor import load
    from hubel.results.naming import counted

    models, images = split_models(models_and_images)
    if not images:
        raise ConfigError(f"no images came, only {', '.join(models)}: expected a model and then files or folders")
    views = named_views(tta)
    way = check_average(average)
    runtime.start()
    predictors = [load(model, device=device) for model in models]
    check_same_task(predictors, way)
    if sliding_windows is not None:
        predictors = slid(predictors, sliding_windows, step)
    if least_score is not None:
        report_from(least_score, predictors)
    for option, value in {"--threshold": threshold, "--validation": validation}.items():
        if value is not None and not anomaly:
            raise ConfigError(f"{option} {value} came without --anomaly, which it is for: add it, or leave it out")
    masks = folder_of_masks(output, are_masks=predictors[0].task.labelling == "mask")
    films = named_films([image for image in images if is_film(image)])
    pictures = [image for image in images if not is_film(image)]
    if films:
        check_outputs(output, style, anomaly=anomaly, only_films=not pictures)
    files = list_images(pictures, tell=tell)
    films_read = predict_films(predictors, films, draw, batch_size=batch_size, tta=views, average=way)
    if not pictures:
        if not films_read:
            raise DataError(
                f"none of {counted(len(films), 'film')} can be read: expected films such as MP4, MOV or MKV with a "
                "picture track"
            )
        return
    for note in dict.fromkeys(note for predictor in predictors for note in view_notes(predictor.bundle, views)):
        tell(note)
    unreadable: list[str] = []

    def leave_out(picture: object, error: UnreadableImage) -> None:
        unreadable.append(str(picture))
        tell(f"left out {error.name}: {error.reason}")

    each = predict_each(predictors, files, batch_size=batch_size, tta=views, average=way, on_unreadable=leave_out)
    if masks is not None:
        each = save_masks(each, masks, files)
    if anomaly:
        from hubel.inference.anomalies import marked, ranked

        each = marked(each, told_threshold(predictors, threshold, validation, batch_size))
    if draw is not None:
        each = draw_each(each, predictors[0].task, draw, files)
    results = [result for _, result in each]
    if anomaly:
        results = ranked(results)
    top = min(top, max(len(predictors[0].classes), 1))
    if not results:
        nothing = (
            f"none of {counted(len(files), 'picture')} can be read: expected JPEG, PNG, WebP, BMP, TIFF or GIF files"
        )
        if not films_read:
            raise DataError(nothing)
        tell(nothing)
        return
    write_results(results, style, top, None if masks is not None else output)
    if masks is not None:
        tell(f"{counted(len(results), 'mask')} in {masks}")
    if draw is not None:
        tell(f"{counted(len(results), 'drawn picture')} in {draw}")
    if unreadable:
        tell(f"left out, as they cannot be read: {len(unreadable):,} of {counted(len(files), 'picture')}")


def split_models(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The models that come first among some arguments, and the rest: the first one, and all bundles and runs after it.

    A folder is a run's if a bundle lies in it.
    """
    from hubel.weights.checkpoint import BUNDLE_NAME

    def is_model(argument: str) -> bool:
        path = Path(argument)
        return path.suffix == ".safetensors" or (path.is_dir() and (path / BUNDLE_NAME).is_file())

    count = 1
    while count < len(arguments) and is_model(arguments[count]):
        count += 1
    return arguments[:count], arguments[count:]


def slid(predictors: list[Predictor], sides: str, step: float) -> list[Predictor]:
    """Models of whole pictures as detectors, by windows with sides such as `96,128`.

    Raises:
        ConfigError: The sides are no numbers, or the models are for another task.
    """
    from hubel.errors import ConfigError
    from hubel.inference.windows import doubt, sliding

    numbers = [text.strip() for text in sides.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise ConfigError(f"--sliding-windows is '{sides}': expected sides in pixels, such as 96,128")
    detectors = [sliding(predictor, [int(number) for number in numbers], step=step) for predictor in predictors]
    if note := doubt(detectors[0]):
        tell(note)
    return detectors


def told_threshold(
    predictors: list[Predictor], threshold: str | None, validation: str | None, batch_size: int
) -> float:
    """The squared error above which a picture is an anomaly; it is told.

    Args:
        predictors: The models.
        threshold: An error, or the share of normal pictures below it; None: the usual one.
        validation: Normal pictures; None: those of the model's run.
        batch_size: Pictures computed together.

    Raises:
        HubelError: The models give no pictures back, or there is no such threshold.
    """
    from hubel.data.inputs import list_images
    from hubel.errors import DataError
    from hubel.inference.anomalies import anomaly_threshold, check_reconstructs, check_validation
    from hubel.inference.ensemble import predict_each
    from hubel.results import Reconstruction
    from hubel.results.naming import counted

    check_reconstructs(predictors, "--anomaly")
    check_validation(threshold, validation)
    errors = None
    if validation is not None:
        normal = list_images([validation], tell=tell)
        each = predict_each(
            predictors,
            normal,
            batch_size=batch_size,
            on_unreadable=lambda _, error: tell(f"left out {error.name}: {error.reason}"),
        )
        errors = [result.error for _, result in each if isinstance(result, Reconstruction)]
        if not errors:
            raise DataError(f"none of {counted(len(normal), 'picture')} of --validation {validation} can be read")
    least = anomaly_threshold(predictors, threshold, errors)
    tell(f"anomalies: a squared error above {least:.4g}")
    return least


def report_from(least_score: float, predictors: list[Predictor]) -> None:
    """Have detectors report objects from another score on.

    Raises:
        ConfigError: The models are none.
    """
    from hubel.errors import ConfigError
    from hubel.tasks.detection import DetectionTask

    for predictor in predictors:
        if not isinstance(predictor.task, DetectionTask):
            raise ConfigError(f"--least-score came, but the model is for {predictor.task.name}: it is for detection")
        predictor.task = predictor.task.reporting_from(least_score)
