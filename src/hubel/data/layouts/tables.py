"""Tables as people's programs write them: CSV in the encodings and with the delimiters of spreadsheets, and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hubel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_DELIMITERS = ",;\t"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # all but tabs and line breaks
_SPREADSHEET_HINT = "sep="  # the first line of some spreadsheets' CSV names the delimiter
_BEGINNING = 2**12  # bytes, in which the columns are named


@dataclass(frozen=True)
class Table:
    """A table's cells.

    Attributes:
        path: Its file, for messages.
        columns: The cells of each column by the column's name, in lower case without spaces around it; text from CSV
            (without spaces around it), any value from Parquet.
        lines: Where each row is, for messages: its line in a CSV file, its number in a Parquet file.
        decimal_comma: Whether numbers may have a comma, as in countries whose CSV has semicolons.
        notes: What a reader should know of how it was read.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int]
    decimal_comma: bool = False
    notes: tuple[str, ...] = ()


def read_csv(path: Path, content: bytes, known: frozenset[str]) -> Table:
    """Read a CSV file: UTF-8 (with or without a byte order mark), UTF-16, or Windows-1252; comma, semicolon or tab.

    Args:
        path: The file, for messages.
        content: Its bytes.
        known: Names of columns; the delimiter is the one that most of them appear with.

    Raises:
        DataError: It is no text, has no rows, or a row has more or fewer cells than the first line.
    """
    text, notes = _decoded(path, content)
    first, _, rest = text.partition("\n")
    delimiters = _DELIMITERS
    if first.lower().startswith(_SPREADSHEET_HINT) and len(first.strip()) == len(_SPREADSHEET_HINT) + 1:
        delimiters, text = first.strip()[-1], rest
    offset = 1 if text is rest else 0
    headers = {mark: _header(text, mark) for mark in delimiters}
    delimiter = max(delimiters, key=lambda mark: (len(known & set(headers[mark])), len(headers[mark])))
    header = headers[delimiter]
    columns: dict[str, list[str]] = {name: [] for name in header if name}
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(reader, None)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if any(cells[len(header) :]) or len(cells) < len(header):
                raise DataError(
                    f"{path} has {len(cells)} cells in line {reader.line_num + offset}, but {len(header)} columns: "
                    "put a name that has the delimiter in it into quotation marks"
                )
            for name, cell in zip(header, cells, strict=False):
                if name:
                    columns[name].append(cell)
            lines.append(reader.line_num + offset)
    except csv.Error as error:
        raise DataError(f"cannot read {path}: line {reader.line_num + offset} is no CSV ({error})") from error
    return Table(path, columns, lines, decimal_comma=delimiter == ";", notes=notes)


def columns_in(content: bytes) -> frozenset[str]:
    """The names of the columns of a CSV file, in lower case, whatever parts them; nothing else is read."""
    text = content[:_BEGINNING].decode(_BYTE_ORDER_MARKS.get(content[:2], "utf-8-sig"), errors="replace")
    first, _, rest = text.partition("\n")
    named = rest.partition("\n")[0] if first.lower().startswith(_SPREADSHEET_HINT) else first
    return frozenset[str]().union(*(_header(named, mark) for mark in _DELIMITERS))


def _decoded(path: Path, content: bytes) -> tuple[str, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    try:
        text = content.decode(_BYTE_ORDER_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        notes = (f"{path.name} is not in UTF-8 and was read as Windows-1252: check names with accents",)
    if wrong := _CONTROL.search(text):
        line = text.count("\n", 0, wrong.start()) + 1
        raise DataError(
            f"{path} is no text (there is a control character in line {line}): expected a CSV file, best in UTF-8"
        )
    return text, notes


def _header(text: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().lower() for name in row]


def open_parquet(file: Path | BinaryIO, name: Path) -> ParquetFile:
    """Open a Parquet file.

    Args:
        file: It.
        name: Its path, for messages.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: It is no Parquet file.
    """
    arrow = import_pyarrow(name)
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file)
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"cannot read {name}: it is no Parquet file ({str(error).splitlines()[0]})") from error


def import_pyarrow(path: Path) -> Any:
    """Pyarrow, which only the extra `datasets` installs.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigError(
            f"{path.name} needs pyarrow, which is not installed: pip install 'hubel[datasets]', or use a CSV manifest"
        ) from error
    return pyarrow


def read_parquet(file: Path | BinaryIO, path: Path, known: frozenset[str]) -> Table:
    """Read the known columns of a Parquet file.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: It is no Parquet file.
    """
    opened = open_parquet(file, path)
    names = {name: name.strip().lower() for name in opened.schema_arrow.names}
    wanted = [name for name, lower in names.items() if lower in known]
    read = opened.read(columns=wanted)
    columns: dict[str, Sequence[Any]] = dict.fromkeys(names.values(), ())
    columns |= {names[name]: read.column(name).to_pylist() for name in wanted}
    return Table(path, columns, range(1, read.num_rows + 1))
