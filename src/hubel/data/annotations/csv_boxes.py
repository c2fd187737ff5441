"""Boxes in a CSV file: a row for each object.

Columns: `path` (or `file_name`, `filename`, `image`), `label` (or `class`, `name`), and `x1, y1, x2, y2` (or `xmin,
ymin, xmax, ymax`) in pixels; `width` and `height` of the picture where they are known. A row without a label and a box
is a picture without objects. `split` may name the split of each. Other columns are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hubel.data.annotated_pictures import AnnotatedPicture, Annotations, BoxReader, LabelledBox
from hubel.data.layouts.tables import Table, columns_in, read_csv
from hubel.errors import DataError, cannot_read

_PATHS = ("path", "file_name", "filename", "image")
_LABELS = ("label", "class", "name")
_CORNERS = (("x1", "xmin"), ("y1", "ymin"), ("x2", "xmax"), ("y2", "ymax"))
_SIZE = ("width", "height")
_KNOWN = frozenset({"split", *_PATHS, *_LABELS, *_SIZE, *(name for names in _CORNERS for name in names)})


def read_boxes_csv(file: Path, classes: Sequence[str] | None = None) -> Annotations:
    """Read a CSV file.

    Args:
        file: The file.
        classes: The only classes that there are; None: all that come, sorted.

    Raises:
        DataError: It cannot be read, or a column is missing.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise cannot_read(file, error) from error
    reader = BoxReader(classes)
    return reader.annotations(parse_boxes(box_table(file, content), reader))


def has_boxes(content: bytes) -> bool:
    """Whether the columns of a CSV file are those of a box."""
    columns = columns_in(content)
    return all(columns & set(names) for names in _CORNERS)


def box_table(file: Path, content: bytes) -> Table:
    """The cells of a CSV file."""
    return read_csv(file, content, _KNOWN)


def parse_boxes(table: Table, reader: BoxReader) -> list[AnnotatedPicture]:
    """The pictures of a table with their boxes, in the order in which they come.

    Args:
        table: The cells.
        reader: Takes the boxes and the problems.

    Raises:
        DataError: A column is missing.
    """
    names = _column(table, _PATHS)
    labels = _column(table, _LABELS)
    corners = [_column(table, each) for each in _CORNERS]
    sizes = [table.columns.get(name) for name in _SIZE]
    boxes: dict[str, list[LabelledBox]] = {}
    size_of: dict[str, tuple[int, int] | None] = {}
    for row, line in enumerate(table.lines):
        where = f"{table.path}, line {line}"
        name = _picture(names[row])
        if not name:
            reader.report(where, "malformed", "it names no picture; left out")
            continue
        cells = [str(column[row]) for column in corners]
        own = boxes.setdefault(name, [])
        size = size_of.setdefault(name, _size([str(column[row]) if column is not None else "" for column in sizes]))
        label = str(labels[row])
        if not label and not any(cells):
            continue  # a picture without objects
        if not label:
            reader.report(where, "malformed", "it has a box but no label; left out")
            continue
        if table.decimal_comma:
            cells = [cell.replace(",", ".") for cell in cells]
        values = reader.numbers(where, cells)
        if values is not None and (box := reader.box(where, label, values, size)) is not None:
            own.append(box)
    return [AnnotatedPicture(name, size_of[name], tuple(found)) for name, found in boxes.items()]


def pictures_named(table: Table) -> set[str]:
    """The paths of the pictures in a table, as they stand there, with forward slashes.

    Raises:
        DataError: There is no such column.
    """
    return {name for cell in _column(table, _PATHS) if (name := _picture(cell))}


def split_cells(table: Table) -> dict[str, str] | None:
    """What the column `split` says of each picture; None where there is none.

    Raises:
        DataError: It says different things of one picture.
    """
    if "split" not in table.columns:
        return None
    found: dict[str, str] = {}
    for name, split, line in zip(_column(table, _PATHS), table.columns["split"], table.lines, strict=True):
        if found.setdefault(_picture(name), str(split)) != str(split):
            raise DataError(f"{table.path} has {name} in two splits (line {line}): expected one for every picture")
    return found


def _picture(cell: object) -> str:
    return str(cell).replace("\\", "/")


def _column(table: Table, names: Sequence[str]) -> Sequence[object]:
    """The cells of the first of these columns that there is."""
    for name in names:
        if name in table.columns:
            return table.columns[name]
    columns = ", ".join(table.columns)
    raise DataError(f"{table.path} has no column {' or '.join(names)}, but {columns}: expected one for boxes")


def _size(cells: Sequence[str]) -> tuple[int, int] | None:
    if not all(cell.isdigit() and int(cell) > 0 for cell in cells):
        return None
    width, height = map(int, cells)
    return width, height
