"""Manifests: tables of pictures, a row each, with their labels and, where wanted, their splits and groups.

A manifest is a CSV or Parquet file with the columns `path` (relative to the manifest's folder, or absolute), one of
`label` (a class), `labels` (several, `beach|night`, or a list in Parquet) and `value` (a number), and optionally
`split` and `group`. Other columns are passed over. `file_name`, `filename` and `image` will do for `path`, `class` for
`label`.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hubel.data.files.listing import IMAGE_EXTENSIONS, PARQUET_EXTENSIONS, File
from hubel.data.labels import COLUMN_OF, SEPARATOR, Labelling, NamedLabel, names_in, number_in
from hubel.data.layouts.tables import Table, read_csv, read_parquet
from hubel.data.sources import Container, Entry, Source, Split, in_usual_order, split_called
from hubel.errors import DataError, cannot_read

_LABELLINGS: tuple[Labelling, ...] = ("class", "classes", "number")
_LABEL_COLUMNS = tuple(COLUMN_OF[labelling] for labelling in _LABELLINGS)
_PATHS, _CLASSES = ("file_name", "filename", "image"), ("class",)  # other names of `path` and `label`
_KNOWN_COLUMNS = frozenset({"path", *_PATHS, *_LABEL_COLUMNS, *_CLASSES, "split", "group"})
_DRIVE = re.compile(r"[A-Za-z]:/")  # of Windows
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_OTHER_SEPARATORS = ",;"  # that people write between several classes
_SHOWN = 5  # columns, in a message
_NEAR = 0.8  # how alike a column's name must be to one that means something


def read_manifest(path: Path, table: Table | None = None, wanted: Labelling | None = None) -> Source:
    """Read a manifest that lies on the disk.

    Pictures that do not exist are listed all the same: they count as unreadable ones.

    Args:
        path: The manifest.
        table: Its cells, where they were read before.
        wanted: The kind of labels that is wanted; `"none"`: it need not have any.

    Raises:
        ConfigError: It is a Parquet file, and pyarrow is not installed.
        DataError: It is no manifest; the text says which line is at fault.
    """
    base = path.parent
    source = source_of(table or manifest_table(path), path, lambda name: file_at(base, name), wanted=wanted)
    if not any(entry.file.exists for entries in source.splits.values() for entry in entries):
        first = next(entry.file.name for entries in source.splits.values() for entry in entries)
        hint = next(
            (
                f", with their endings: {first}{ending} is there"
                for ending in sorted(IMAGE_EXTENSIONS)
                if (base / f"{first}{ending}").is_file()
            ),
            "",
        )
        where = first if _DRIVE.match(first) else base / first
        raise DataError(
            f"none of the pictures in {path} exists (the first one is {where}): "
            f"expected paths relative to the manifest's folder, or absolute ones{hint}"
        )
    return source


def manifest_table(path: Path, file: Any = None) -> Table:
    """The cells of a manifest.

    Args:
        path: Its path, which tells the format.
        file: An open binary file to read instead.

    Raises:
        ConfigError: It is a Parquet file, and pyarrow is not installed.
        DataError: It cannot be read.
    """
    try:
        if path.suffix.lower() in PARQUET_EXTENSIONS:
            return _renamed(read_parquet(file or path, path, _KNOWN_COLUMNS))
        return _renamed(read_csv(path, file.read() if file else path.read_bytes(), _KNOWN_COLUMNS))
    except OSError as error:
        raise cannot_read(path, error) from error


def _renamed(table: Table) -> Table:
    """The table with the usual names of its columns."""
    columns = dict(table.columns)
    for usual, others, instead in (("path", _PATHS, ("path",)), ("label", _CLASSES, _LABEL_COLUMNS)):
        other = next((name for name in others if name in columns), None)
        if other is not None and columns.keys().isdisjoint(instead):
            columns[usual] = columns.pop(other)
    return replace(table, columns=columns) if "path" in columns else table


def has_paths(table: Table) -> bool:
    """Whether a table has a column of paths, and so is a manifest, if maybe a faulty one."""
    return "path" in table.columns


def listed_names(table: Table) -> list[str]:
    """The pictures' paths in a manifest, as they stand there; nothing else is needed.

    Raises:
        DataError: There is no column of paths, or one of them is empty or an address.
    """
    if "path" not in table.columns:
        raise _missing_column(table, "path", ("path",))
    names = [str(cell if cell is not None else "").strip() for cell in table.columns["path"]]
    for name, line in zip(names, table.lines, strict=True):
        if not name or "\n" in name or "\r" in name:
            what = "a line break in the path" if name else "no path"
            raise DataError(f"{table.path} has {what} in line {line}: expected one path in every row")
        if _ADDRESS.match(name):
            raise DataError(
                f"{table.path} has an address in line {line} ({name}): expected the paths of files; "
                "download the pictures first"
            )
    return names


def source_of(
    table: Table,
    root: Path,
    find: Callable[[str], File],
    *,
    base: Path | None = None,
    container: Container | None = None,
    wanted: Labelling | None = None,
) -> Source:
    """The data set that a manifest lists.

    Args:
        table: Its cells.
        root: What the user named.
        find: The file of a path that the manifest has.
        base: The folder that files' names are relative to; None: the manifest's.
        container: What holds the pictures, where they are no files.
        wanted: The kind of labels that is wanted; `"none"`: it need not have any.

    Raises:
        DataError: It is no manifest; the text says which line is at fault.
    """
    names = listed_names(table)
    if not names:
        raise DataError(f"{table.path} has no rows: expected one for every picture")
    labelling = _labelling(table, wanted)
    _check_other_columns(table)
    reader = _Cells(table, labelling)
    labels, splits, groups = reader.labels(), reader.splits(), reader.groups()
    rows: dict[str, tuple[Entry, Split | None, str | None, int]] = {}
    repeated = 0
    for name, label, split, group, line in zip(names, labels, splits, groups, table.lines, strict=True):
        file = find(name)
        row = (Entry(file, label), split, group, line)
        if (earlier := rows.setdefault(file.name, row)) is not row:
            if earlier[:3] != row[:3]:
                raise DataError(
                    f"{table.path} has {name} in lines {earlier[3]} and {line}, which differ: expected one row for "
                    f"every picture; several labels go into a column labels, as 'beach{SEPARATOR}night'"
                )
            repeated += 1
    of_split: dict[Split | None, list[Entry]] = {}
    for entry, split, _, _ in rows.values():
        of_split.setdefault(split, []).append(entry)
    notes = (f"rows of {table.path.name} that repeat others: {repeated}",) if repeated else ()
    return Source(
        root=root,
        base=base or table.path.parent,
        classes=reader.classes(labels),
        splits=in_usual_order(of_split),
        labelling=labelling,
        container=container,
        groups={name: group for name, (_, _, group, _) in rows.items() if group is not None},
        notes=(*table.notes, *notes),
    )


def file_at(base: Path, name: str) -> File:
    """The file that a path names, by its path relative to the base where it lies below it."""
    name = os.path.expanduser(name)  # noqa: PTH111 - strings all the way: this runs for every row
    if "\\" in name and not os.path.lexists(os.path.join(base, name)):  # noqa: PTH118
        name = name.replace("\\", "/")
    if os.path.isabs(name):  # noqa: PTH117
        above = f"{os.path.abspath(base)}{os.sep}"  # noqa: PTH100
        name = name.removeprefix(above)
    name = posixpath.normpath(name)
    try:
        status = os.stat(os.path.join(base, name))  # noqa: PTH116, PTH118
    except (OSError, ValueError):
        return File.missing(name)
    return File(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _labelling(table: Table, wanted: Labelling | None) -> Labelling:
    found = [labelling for labelling in _LABELLINGS if COLUMN_OF[labelling] in table.columns]
    if not found and wanted == "none":
        return "none"
    if not found:
        raise _missing_column(table, "label, labels or value", _LABEL_COLUMNS)
    if len(found) > 1:
        columns = " and ".join(COLUMN_OF[labelling] for labelling in found)
        raise DataError(
            f"{table.path} has the columns {columns}: expected one of them (label: a class, "
            f"labels: several, such as 'beach{SEPARATOR}night', value: a number)"
        )
    return found[0]


def _missing_column(table: Table, wanted: str, names: Sequence[str]) -> DataError:
    """The error for a column that is not there, with the one that comes nearest."""
    there = ", ".join(name for name in table.columns if name) or "none"
    near = [(other, name) for name in names for other in difflib.get_close_matches(name, table.columns, n=1)]
    hint = f"rename '{near[0][0]}' to {near[0][1]}?" if near else "the first line names the columns"
    if not near and "labels" in names and (marks := _marks(table)):
        shown = ", ".join(marks[:_SHOWN]) + (", ..." if len(marks) > _SHOWN else "")
        hint = f"join the 0 and 1 of {shown} to one column labels, as '{SEPARATOR.join(marks[:2])}'"
    return DataError(f"{table.path} has no column {wanted} (it has {there}): {hint}")


def _marks(table: Table) -> list[str]:
    """The columns of 0 and 1, where there are several: one for each class, as some programs write them."""
    marks = [name for name, cells in table.columns.items() if {str(cell) for cell in cells} == {"0", "1"}]
    return marks if len(marks) > 1 else []


def _check_other_columns(table: Table) -> None:
    """Make sure that a column called `splits` or `goup` is not passed over in silence."""
    for name in ("split", "group"):
        others = [other for other in table.columns if other not in _KNOWN_COLUMNS]
        if name not in table.columns and (near := difflib.get_close_matches(name, others, n=1, cutoff=_NEAR)):
            raise DataError(
                f"{table.path} has a column '{near[0]}', which would be passed over: rename it to {name} if that is "
                "meant, and otherwise to something else"
            )


@dataclass(frozen=True)
class _Cells:
    """Reads the columns of a manifest, and names the line of what it cannot read."""

    table: Table
    labelling: Labelling

    def labels(self) -> list[NamedLabel]:
        if self.labelling == "none":
            return [None] * len(self.table.lines)
        reads: dict[Labelling, Callable[[Any, int], NamedLabel]]
        reads = {"class": self._class, "classes": self._classes, "number": self._number}
        read, cells = reads[self.labelling], self.table.columns[COLUMN_OF[self.labelling]]
        return [read(cell, line) for cell, line in zip(cells, self.table.lines, strict=True)]

    def classes(self, labels: Sequence[NamedLabel]) -> tuple[str, ...]:
        """All class names, sorted."""
        if self.labelling in ("number", "none"):
            return ()
        classes = {label for label in labels if isinstance(label, str)}
        classes = classes.union(*(label for label in labels if isinstance(label, tuple)))
        if not classes:
            raise DataError(f"{self.table.path} has no class in any row: fill the column labels")
        if self.labelling == "classes":
            self._check_separated(classes)
        return tuple(sorted(classes))

    def _check_separated(self, classes: set[str]) -> None:
        """Make sure that 'beach, night' is not taken for one class where there is one called 'night', too."""
        cells = self.table.columns[COLUMN_OF[self.labelling]]
        if any(not isinstance(cell, str) or SEPARATOR in cell for cell in cells if cell is not None):
            return
        for mark in _OTHER_SEPARATORS:
            parts = {name: [part.strip() for part in name.split(mark)] for name in sorted(classes) if mark in name}
            several = next((name for name, parted in parts.items() if not classes.isdisjoint(parted)), None)
            if several is not None:
                raise DataError(
                    f"{self.table.path} has the labels '{several}': expected several as "
                    f"'{SEPARATOR.join(parts[several])}' (where it is a single one, '{several}{SEPARATOR}')"
                )

    def splits(self) -> list[Split | None]:
        cells = [_text(cell) for cell in self.table.columns.get("split", [""] * len(self.table.lines))]
        if not any(cells):
            return [None] * len(cells)
        found = [split_called(cell) for cell in cells]
        for cell, split, line in zip(cells, found, self.table.lines, strict=True):
            if split is None:
                what = f"the split '{cell}'" if cell else "no split"
                raise DataError(
                    f"{self.table.path} has {what} in line {line}: expected train, validation or test in every row "
                    "(or an empty column)"
                )
        return found

    def groups(self) -> list[str | None]:
        cells = [_text(cell) for cell in self.table.columns.get("group", [""] * len(self.table.lines))]
        if not any(cells):
            return [None] * len(cells)
        for cell, line in zip(cells, self.table.lines, strict=True):
            if not cell:
                raise DataError(
                    f"{self.table.path} has no group in line {line}: every picture needs one, or it might be on both "
                    "sides of a division"
                )
        return list(cells)

    def _class(self, cell: Any, line: int) -> str:
        name = _text(cell)
        if not name:
            raise DataError(
                f"{self.table.path} has no label in line {line}: give it one, or take the row out "
                "(pictures of no class at all need the column labels)"
            )
        return name

    def _classes(self, cell: Any, line: int) -> tuple[str, ...]:
        if not isinstance(cell, (list, tuple)):
            return names_in(_text(cell), "classes")
        names = tuple(name for part in cell if (name := _text(part)))
        if wrong := [name for name in names if SEPARATOR in name]:
            raise DataError(
                f"{self.table.path} has a class '{wrong[0]}' in row {line}: "
                f"a class's name cannot have '{SEPARATOR}' in it"
            )
        return names

    def _number(self, cell: Any, line: int) -> float:
        text = _text(cell)
        if self.table.decimal_comma and text.count(",") == 1:
            text = text.replace(",", ".")
        try:
            return number_in(text)
        except DataError as error:
            raise DataError(f"{self.table.path}, line {line}: {error}") from None


def _text(cell: Any) -> str:
    """A cell as text on one line, accents composed; what is not there is empty."""
    return "" if cell is None else unicodedata.normalize("NFC", " ".join(str(cell).split()))
