"""Which pictures belong together: of one patient, one place, one film. A group is never in two splits or folds."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubel.errors import ConfigError, DataError
from hubel.results.naming import counted

_COLUMNS = {"path", "group"}


@dataclass(frozen=True)
class Grouping:
    """How a picture's group is found; with neither, every picture is alone.

    Attributes:
        pattern: A regular expression that is searched for in the file's name, or, where it has a slash, in the path
            relative to the data set's root. The group is what its first parentheses match, or all that it matches.
        table: A CSV file with the columns `path` (relative to the data set's root) and `group`.
    """

    pattern: str | None = None
    table: Path | None = None

    @classmethod
    def of(cls, text: str | None) -> Grouping:
        """The one that a single text means, as `--group` takes it: a CSV file's path, or else a pattern."""
        return cls(table=Path(text)) if text is not None and is_table(text) else cls(text)

    def __bool__(self) -> bool:
        return self.pattern is not None or self.table is not None

    def groups_of(self, names: Sequence[str]) -> dict[str, str]:
        """The group of each picture.

        Args:
            names: The pictures' paths relative to the data set's root, with forward slashes.

        Raises:
            ConfigError: The pattern is no regular expression, or there are both a pattern and a table.
            DataError: A picture has no group, or the table cannot be read.
        """
        if self.pattern is not None and self.table is not None:
            raise ConfigError("data.group and data.groups both say which pictures belong together: leave one out")
        if self.pattern is not None:
            found = _matched(self.pattern, names)
            where = f"the pattern '{self.pattern}' (data.group) does not match"
        elif self.table is not None:
            found = _read(self.table)
            where = f"{self.table} (data.groups) has no row for"
        else:
            return {}
        if missing := [name for name in names if not found.get(name)]:
            raise DataError(
                f"no group for {len(missing):,} of {counted(len(names), 'picture')}: {where} {missing[0]}; "
                "every picture needs one, or it might be on both sides"
            )
        return {name: found[name] for name in names}


def is_table(text: str) -> bool:
    """Whether a grouping is a CSV file's path, and not a pattern."""
    return text.endswith(".csv")


def _matched(pattern: str, names: Sequence[str]) -> dict[str, str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"data.group is '{pattern}', which is no regular expression ({error}): expected one such as "
            r"'^(patient\d+)_'"
        ) from error
    groups = {}
    for name in names:
        match = expression.search(name if "/" in pattern else name.rpartition("/")[2])
        if match is not None:
            groups[name] = match[1] if expression.groups and match[1] is not None else match[0]
    return groups


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if not columns >= _COLUMNS:
                raise DataError(
                    f"{path} has the columns {', '.join(sorted(columns)) or 'of an empty file'}: "
                    "expected path and group"
                )
            rows = [(row["path"] or "", row["group"] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table of groups {path}: {error}") from error
    groups: dict[str, str] = {}
    for name, group in rows:
        if groups.setdefault(name, group) != group:
            raise DataError(f"{path} has {name} in two groups, '{groups[name]}' and '{group}': keep one row")
    return groups
