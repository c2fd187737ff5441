"""Which kind of data set lies at a path: found by looking."""

from __future__ import annotations

from pathlib import Path

from hubel.data.class_folders import find_class_folders
from hubel.data.sources import Source


def find_source(data: Path | str) -> Source:
    """Find a data set and list its pictures.

    Args:
        data: A folder of class folders, with or without split folders above them.

    Raises:
        DataError: There is nothing of the kind.
    """
    return find_class_folders(Path(data))
