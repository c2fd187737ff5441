"""Where `hubel predict` writes what it has found: a table on the terminal, CSV or JSON, masks in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hubel.cli.text import tell

if TYPE_CHECKING:
    from hubel.results import Result

_FILES = ("csv", "json")


def choose_format(named: str, output: Path | None) -> str:
    """The named format, or that of an output's name where a table is meant.

    Raises:
        ConfigError: There is no such format.
    """
    from hubel.errors import unknown_name

    if named not in ("table", *_FILES):
        raise unknown_name("format", named, ("table", *_FILES))
    return output.suffix.lower().removeprefix(".") if named == "table" and output and _is_table(output) else named


def _is_table(output: Path | None) -> bool:
    """Whether an output is a file whose name tells its format."""
    return output is not None and output.suffix.lower().removeprefix(".") in _FILES


def folder_of_masks(output: Path | None, *, are_masks: bool) -> Path | None:
    """Where masks go; None: nowhere, and an output is a table.

    Raises:
        ConfigError: The output is no file where it must be one, or is called like a picture where it must be a folder.
    """
    from hubel.data.files.listing import is_image_name
    from hubel.errors import ConfigError

    if are_masks and output is not None and not _is_table(output):
        if is_image_name(output.name) and not output.is_dir():
            raise ConfigError(
                f"--output is {output}: masks go into a folder, each called as its picture; or tell their areas in a "
                ".csv or .json file"
            )
        return output
    if output is not None and output.is_dir():
        raise ConfigError(f"--output is the folder {output}: expected a file, such as {output / 'found.csv'}")
    return None


def write_results(results: list[Result], style: str, top: int, output: Path | None) -> None:
    """Write or print results.

    Args:
        results: Of one task, at least one.
        style: table, csv or json.
        top: Classes or labels to tell for each picture.
        output: A file; None: stdout.
    """
    if style == "table" and output is None:
        _print_table(results, top)
        return
    import json

    if style == "json":
        text = json.dumps(_json_value(results, top), indent=2, ensure_ascii=False) + "\n"
    else:
        text = _csv(results, top)
    if output is None:
        sys.stdout.write(text)
    else:
        from hubel.files import write_whole
        from hubel.results.naming import counted

        write_whole(output, text)
        tell(f"{counted(len(results), 'prediction')} in {output}")


def _json_value(results: list[Result], top: int) -> object:
    """A list of the results; of boxes, a document in the form of COCO, as programs that work with boxes expect."""
    from hubel.results import DetectedObjects, Localization, coco_document

    boxes = [result for result in results if isinstance(result, (DetectedObjects, Localization))]
    return coco_document(boxes) if boxes else [result.to_dict(top) for result in results]


def _csv(results: list[Result], top: int) -> str:
    import csv
    import io

    text = io.StringIO()
    rows = [row for result in results for row in result.csv_rows(top)]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _print_table(results: list[Result], top: int) -> None:
    from rich.table import Table

    from hubel.cli.text import output

    rows = [result.table_row(top) for result in results]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0]:
        justify: Literal["left", "right"] = "right" if heading in ("probability", "value") else "left"
        table.add_column(heading, justify=justify, overflow="fold" if heading == "picture" else "ellipsis")
    for row in rows:
        table.add_row(*row.values())
    output().print(table)
