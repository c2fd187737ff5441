"""Manifests whose pictures lie in an archive: they list them behind its path, as `photos.zip/cat/1.jpg`."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hubel.data.containers.archives import is_archive_name, open_archive
from hubel.data.files.listing import File
from hubel.data.sources import Container
from hubel.errors import DataError


@dataclass(frozen=True)
class ListedArchive:
    """The archive that a manifest's pictures lie in.

    Attributes:
        manifest: Where the manifest is.
        path: Where the archive is.
        container: To read it from.
        files: What lies in it, by name.
    """

    manifest: Path
    path: Path
    container: Container
    files: dict[str, File]

    def file(self, name: str) -> File:
        """The file in the archive that a path in the manifest names, or one that is missing.

        Raises:
            DataError: The path leads elsewhere.
        """
        within = f"{posixpath.normpath(self.path.as_posix())}/"
        base = Path(os.path.abspath(self.manifest.parent)).as_posix()  # noqa: PTH100 - no links are followed
        whole = posixpath.normpath(posixpath.join(base, name.replace("\\", "/")))
        if not whole.startswith(within):
            raise DataError(
                f"{self.manifest} lists pictures in {self.path} and others ({name}): expected all of them in one "
                "archive, or none"
            )
        member = whole.removeprefix(within)
        return self.files.get(member, File.missing(member))


def listed_archive(manifest: Path, names: Sequence[str], tell: Callable[[str], None]) -> ListedArchive | None:
    """The archive that a manifest's pictures lie in; None where they are files.

    Args:
        manifest: Where the manifest is.
        names: The paths that it lists.
        tell: Hears of what takes a while.

    Raises:
        DataError: The archive is damaged, encrypted or hostile.
    """
    base = os.path.abspath(manifest.parent)  # noqa: PTH100 - no links are followed
    above = _above(names[0]) if names else []
    path = next((Path(base, folder) for folder in above if is_archive_name(folder)), None)
    if path is None or not path.is_file():
        return None
    listing, container = open_archive(path, tell)
    return ListedArchive(manifest, path, container, {file.name: file for file in listing.files})


def _above(name: str) -> list[str]:
    """The paths that a path lies below, the shortest first."""
    parts = name.replace("\\", "/").split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
