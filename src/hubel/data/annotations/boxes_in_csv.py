"""Boxes in a CSV file: a row for each object.

Columns: `path` (or `file_name`, `filename`, `image`), `label` (or `class`, `name`), and `x1, y1, x2, y2` (or `xmin,
ymin, xmax, ymax`) in pixels; `width` and `height` of the picture where they are known. A row without a label and a box
is a picture without objects. Other columns are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hubel.data.annotations.values import AnnotatedPicture, Annotations, BoxReader, LabelledBox
from hubel.data.tables import Table, read_csv
from hubel.errors import DataError

_PATHS = ("path", "file_name", "filename", "image")
_LABELS = ("label", "class", "name")
_CORNERS = (("x1", "xmin"), ("y1", "ymin"), ("x2", "xmax"), ("y2", "ymax"))
_SIZE = ("width", "height")
_KNOWN = frozenset({*_PATHS, *_LABELS, *_SIZE, *(name for names in _CORNERS for name in names)})


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
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
    table = read_csv(file, content, _KNOWN)
    names = _column(table, _PATHS)
    labels = _column(table, _LABELS)
    corners = [_column(table, each) for each in _CORNERS]
    sizes = [table.columns.get(name) for name in _SIZE]
    reader = BoxReader(classes)
    boxes: dict[str, list[LabelledBox]] = {}
    size_of: dict[str, tuple[int, int] | None] = {}
    for row, line in enumerate(table.lines):
        where = f"{file}, line {line}"
        name = str(names[row]).replace("\\", "/")
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
    return reader.annotations(AnnotatedPicture(name, size_of[name], tuple(found)) for name, found in boxes.items())


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
