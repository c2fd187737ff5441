"""`hubel data`: what is wrong with a data set, before anybody trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubel.cli.text import print_json, tell

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.data.doctor.diagnosis import Diagnosis
    from hubel.data.doctor.examination import Examination, Picture
    from hubel.data.labels import Labelling

_CASES_PRINTED = 3
_INDENT = 9
_STYLES = {"problem": "bold red", "warning": "bold yellow", "note": "bold"}


def data(
    data: Annotated[
        str,
        typer.Argument(
            help="A folder of class folders, pictures with boxes or masks, a manifest, an archive or shards, as for "
            "`hubel train`."
        ),
    ],
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="Which pictures belong together and should never be in two splits: a regular expression for the "
            r"files' names, such as '^(patient\d+)_', or a CSV file with the columns path and group.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", help="What is to be learnt, where the data could serve for several tasks."),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write cleaned.csv, a manifest without what is wrong; no picture is touched.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="The folder for data.html and cleaned.csv.")] = Path(),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Also look for wrong labels, by a network's features: a bundle, a run's folder, or (with --weights) "
            "a network's name.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Published weights of that network, such as imagenet.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="For the network: auto, cpu, cuda, mps.")] = "auto",
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            help="Examine nothing, but show how training would vary the pictures: none, light, standard or strong.",
        ),
    ] = None,
    preview: Annotated[
        Path | None, typer.Option("--preview", help="The sheet of varied pictures (augmentation.png under --out).")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting for that sheet, KEY=VALUE, such as augment.rotate=15. Repeatable."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
) -> None:
    """Examine a data set: unreadable pictures, copies across splits, wrong labels, missing classes, and more."""
    from hubel.errors import ConfigError

    if augment is not None or preview is not None or set_:
        from hubel.cli.preview import write_preview

        settings = [*([f"task={task}"] if task else []), *(set_ or [])]
        write_preview(data, preset=augment, sheet=preview or out / "augmentation.png", settings=settings)
        return
    if weights is not None and model is None:
        raise ConfigError(f"--weights {weights} are of a network: say of which with --model")
    from hubel.cli.progress import evaluation_progress
    from hubel.data.division.groups import Grouping
    from hubel.data.doctor.cleaning import clean, write_manifest
    from hubel.data.doctor.diagnosis import diagnose
    from hubel.data.doctor.examination import examine
    from hubel.data.doctor.page import write_page

    labelling = None if task is None else _labelling_of(task)
    with evaluation_progress() as progress:
        examination = examine(
            data,
            grouping=Grouping.of(group),
            labelling=labelling,
            progress=lambda done, total: progress("opening pictures", done, total),
            tell=tell,
        )
        diagnosis = diagnose(examination)
        if model is not None:
            from hubel import runtime
            from hubel.evaluation.label_errors import find_label_errors

            runtime.start()
            errors = find_label_errors(examination, model, weights=weights, device=device, progress=progress)
            if errors is not None:
                diagnosis = diagnosis.adding(errors)
    cleaning = clean(examination) if fix else None
    manifest, page = out / "cleaned.csv", out / "data.html"
    write_page(page, diagnosis)
    if cleaning is not None:
        write_manifest(manifest, examination, cleaning)
    if json_:
        values = diagnosis.to_dict() | {"page": str(page)} | ({"manifest": str(manifest)} if fix else {})
        print_json(values)
        return
    from hubel.cli.text import output

    console = output()
    _print(diagnosis, console)
    if cleaning is not None:
        console.print(f"\ncleaned  {manifest}: {cleaning.summary()}")
    console.print(f"\npage     {page}")


def _labelling_of(task: str) -> Labelling:
    from hubel.tasks.registry import task_named

    return task_named(task).labelling


def _print(diagnosis: Diagnosis, console: Console) -> None:
    from rich.padding import Padding

    from hubel.cli.text import figures_table
    from hubel.data.doctor.examination import WHOLE
    from hubel.results.naming import counted

    examination = diagnosis.examination
    unreadable = len(examination.pictures) - len(examination.readable)
    console.print(counted(len(examination.pictures), "picture") + f", {unreadable:,} cannot be read" * bool(unreadable))
    for note in examination.notes:
        console.print(note)
    if examination.classes:
        table = figures_table("\nclass", *(f"\n{split or WHOLE}" for split in examination.splits))
        counts = examination.counts()
        for name in examination.classes:
            table.add_row(name, *(f"{of_class[name]:,}" for of_class in counts.values()))
        table.add_row("", *(f"{sum(p.split == split for p in examination.readable):,}" for split in examination.splits))
        console.print(table)
    if examination.readable:
        width, height = diagnosis.sizes["width"], diagnosis.sizes["height"]
        console.print(
            f"\nsizes    {width['least']:,} to {width['greatest']:,} × {height['least']:,} to {height['greatest']:,} "
            f"pixels, median {width['median']:,.0f}×{height['median']:,.0f}"
        )
        for title, attribute in (("formats", "format"), ("modes", "mode")):
            told = ", ".join(f"{value} {number:,}" for value, number in diagnosis.of_files(attribute).items())
            console.print(f"{title:<{_INDENT}}{told}")
    _print_places(diagnosis, console)
    for finding in diagnosis.findings:
        console.print(f"\n{finding.level:<{_INDENT}}{finding.title}", style=_STYLES[finding.level])
        console.print(Padding(finding.advice, (0, 0, 0, _INDENT), expand=False))
        for case in finding.cases[:_CASES_PRINTED]:
            names = " and ".join(_named(examination, picture) for picture in case.pictures[:_CASES_PRINTED])
            remark = f": {case.remark}" if case.remark else ""
            console.print(f"{'':{_INDENT}}- {names}{remark}".replace("- : ", "- "), soft_wrap=True)
        if (more := len(finding.cases) - _CASES_PRINTED) > 0:
            console.print(f"{'':{_INDENT}}  and {more:,} more")
    if not diagnosis.findings:
        console.print("\nnothing is wrong with this data set")


def _named(examination: Examination, picture: Picture) -> str:
    label = examination.label_of(picture)
    return f"{picture.name} ({label})" if label else picture.name


def _print_places(diagnosis: Diagnosis, console: Console) -> None:
    """The objects or the pixels of each class."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nclass")
    if diagnosis.objects:
        for title in ("split", "objects", "small", "medium", "large", "median side"):
            table.add_column(f"\n{title}", justify="left" if title == "split" else "right")
        for name in diagnosis.examination.classes:
            for number, (split, of_class) in enumerate(diagnosis.objects.items()):
                row = of_class[name]
                counts = [f"{row[size]:,}" for size in ("objects", "small", "medium", "large")]
                table.add_row(name * (number == 0), split, *counts, f"{row['side']['median']:g}" if row["side"] else "")
    elif diagnosis.pixels:
        for split in diagnosis.pixels:
            table.add_column(f"pixels\n{split}", justify="right")
        for name in diagnosis.examination.classes:
            table.add_row(name, *(f"{of_class[name]:.2%}" for of_class in diagnosis.pixels.values()))
    else:
        return
    console.print(table)
