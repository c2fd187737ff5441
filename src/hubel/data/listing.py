"""Image files as a file system tells of them: listed from their names, never opened."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hubel.errors import DataError

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

CSV_EXTENSIONS = frozenset({".csv", ".tsv"})
PARQUET_EXTENSIONS = frozenset({".parquet"})
TABLE_EXTENSIONS = CSV_EXTENSIONS | PARQUET_EXTENSIONS

EXPECTED = (
    "expected a folder with one folder of images per class (or such folders under train, validation and test), "
    "a manifest (.csv, .parquet), an archive (.zip, .tar) or torchvision:NAME"
)


class File(NamedTuple):
    """An image file as the file system tells of it.

    Attributes:
        name: Path relative to the folder that was searched, with forward slashes.
        size: Bytes.
        modified: Time of the last change of its content, in nanoseconds.
        changed: Time of the last change of anything about it, in nanoseconds.
    """

    name: str
    size: int
    modified: int
    changed: int


@dataclass(frozen=True)
class Listing:
    """What lies under a folder.

    Attributes:
        root: The folder.
        files: Its image files, sorted by name.
        folders: Every folder under it, as relative names with forward slashes, sorted.
        others: How many files are no images by their extension.
        tables: Those of them that are CSV or Parquet files, as relative names, sorted.
        notes: One line for each other thing that was passed over.
    """

    root: Path
    files: tuple[File, ...]
    folders: tuple[str, ...]
    others: int
    tables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def list_folder(root: Path) -> Listing:
    """List the image files under a folder, whatever their depth; hidden files and folders are passed over.

    Links to folders are followed, but never into a folder that they lie in.

    Raises:
        DataError: The path does not exist, is a file, or a folder cannot be read.
    """
    if not root.exists():
        raise DataError(f"{root} does not exist: {EXPECTED}")
    if not root.is_dir():
        raise DataError(f"{root} is a file: {EXPECTED}")
    files: list[File] = []
    folders: list[str] = []
    tables: list[str] = []
    others = 0

    def visit(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> None:
        nonlocal others
        status = os.stat(folder)  # noqa: PTH116 - strings all the way: this runs for millions of files
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        if prefix:
            folders.append(prefix[:-1])
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_passed_over(entry.name):
                    continue
                if entry.is_dir():
                    visit(entry.path, f"{prefix}{entry.name}/", above | {here})
                elif is_image_name(entry.name) and entry.is_file():
                    info = entry.stat()
                    files.append(File(prefix + entry.name, info.st_size, info.st_mtime_ns, info.st_ctime_ns))
                else:
                    others += 1
                    if is_table_name(entry.name):
                        tables.append(prefix + entry.name)

    try:
        visit(str(root), "", frozenset())
    except OSError as error:
        raise DataError(f"cannot read {error.filename or root}: {error.strerror}; grant access or remove it") from error
    files.sort()
    return Listing(root, tuple(files), tuple(sorted(folders)), others, tuple(sorted(tables)))


def is_image_name(name: str) -> bool:
    """Whether a file's extension is one of an image, in any letter case."""
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS  # noqa: PTH122 - see list_folder


def is_table_name(name: str) -> bool:
    """Whether a file's extension is one of a table, in any letter case."""
    return os.path.splitext(name)[1].lower() in TABLE_EXTENSIONS  # noqa: PTH122


def is_passed_over(name: str) -> bool:
    """Whether a file is hidden, or in a hidden folder, or what macOS adds to archives."""
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name


def list_images(patterns: Sequence[str]) -> list[Path]:
    """The images that files, folders (searched through) and globs name.

    Args:
        patterns: A file counts whatever its extension; in folders and globs an image's extension is needed.

    Returns:
        In the order of the patterns, each one's images in natural order (`2.jpg` before `10.jpg`), none twice.

    Raises:
        DataError: A pattern matches no image.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        images = sorted(_matching(pattern), key=_natural_order)
        if not images:
            raise DataError(_nothing_matches(pattern))
        for image in images:
            found.setdefault(os.path.abspath(image), image)  # noqa: PTH100 - resolve() would follow links
    return list(found.values())


def _matching(pattern: str) -> Iterator[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (path / file.name for file in list_folder(path).files)
    elif glob.has_magic(pattern):
        for match in glob.iglob(str(path), recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
            if Path(match).is_dir():
                if not pattern.endswith("**"):  # that one already finds what lies below
                    yield from _matching(match)
            elif is_image_name(match):
                yield Path(match)


def _nothing_matches(pattern: str) -> str:
    path = Path(pattern).expanduser()
    if path.is_dir():
        return f"folder {pattern} has no images: expected files such as .jpg, .png or .webp in it"
    if glob.has_magic(pattern):
        return f"no image matches {pattern}: check the pattern (quote it if the shell should not expand it)"
    return f"{pattern} does not exist: expected an image file, a folder of images or a pattern such as 'photos/*.jpg'"


def _natural_order(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: runs of digits by their value, letters without regard to case."""
    parts = re.findall(r"(\d+)|(\D+)", str(path))
    return [(0, int(digits), "") if digits else (1, 0, text.casefold()) for digits, text in parts], str(path)
