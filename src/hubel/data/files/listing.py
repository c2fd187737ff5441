"""Image files as a file system tells of them: listed from their names, never opened."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from hubel.errors import DataError

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
# Pictures of telephones and cameras that are passed over, and should not be in silence.
UNREAD_EXTENSIONS = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"}
)
FILM_EXTENSIONS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts"})

CSV_EXTENSIONS = frozenset({".csv", ".tsv"})
PARQUET_EXTENSIONS = frozenset({".parquet"})
TABLE_EXTENSIONS = CSV_EXTENSIONS | PARQUET_EXTENSIONS
DOCUMENT_EXTENSIONS = frozenset({".xml", ".json", ".txt", ".yaml", ".yml", ".names"})

_NAMED = 4  # extensions, in a note

_MISSING = -1  # the size of a file that is not there

EXPECTED = (
    "expected a folder with one folder of images per class (or such folders under train, validation and test), "
    "images with boxes (Pascal VOC, COCO, YOLO, CSV) or with masks, a manifest (.csv, .parquet), "
    "an archive (.zip, .tar) or torchvision:NAME"
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

    @classmethod
    def missing(cls, name: str) -> File:
        """A file that something names, but that is not there."""
        return cls(name, _MISSING, 0, 0)

    @property
    def exists(self) -> bool:
        """Whether it was there."""
        return self.size != _MISSING


@dataclass(frozen=True)
class Listing:
    """What lies under a folder.

    Attributes:
        root: The folder.
        files: Its image files, sorted by name.
        folders: Every folder under it, as relative names with forward slashes, sorted.
        others: How many files are no images by their extension, for each extension in lower-case letters; of
            links to images, how many lead to nothing.
        tables: Those of them that are CSV or Parquet files, as relative names, sorted.
        documents: Those of them that may tell what is in images: XML, JSON, YAML and text files, likewise.
        notes: One line for each other thing that was passed over.
    """

    root: Path
    files: tuple[File, ...]
    folders: tuple[str, ...]
    others: Counter[str]
    tables: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def passed_over(self) -> list[str]:
        """A line on pictures of kinds that are not read, and one on files that are no pictures, if there are any."""
        rest = self.others - self._others_of(UNREAD_EXTENSIONS)
        lines = self.unread()
        if rest:
            lines.append(f"files passed over that are no images: {counted_by_extension(rest)}")
        return lines

    def unread(self) -> list[str]:
        """A line on pictures of kinds that are not read, if there are any."""
        unread = self._others_of(UNREAD_EXTENSIONS)
        if not unread:
            return []
        told = counted_by_extension(unread)
        return [f"pictures passed over that hubel does not read: {told}; convert them to JPEG or PNG"]

    def films(self) -> Counter[str]:
        """How many films there are, for each extension."""
        return self._others_of(FILM_EXTENSIONS)

    def _others_of(self, extensions: Set[str]) -> Counter[str]:
        return Counter({ending: count for ending, count in self.others.items() if ending in extensions})


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
    documents: list[str] = []
    others: Counter[str] = Counter()

    def visit(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> None:
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
                    dangling = entry.is_symlink() and is_image_name(entry.name)
                    others["links to nothing" if dangling else extension_of(entry.name)] += 1
                    if is_table_name(entry.name):
                        tables.append(prefix + entry.name)
                    elif is_document_name(entry.name):
                        documents.append(prefix + entry.name)

    try:
        visit(str(root), "", frozenset())
    except OSError as error:
        raise DataError(f"cannot read {error.filename or root}: {error.strerror}; grant access or remove it") from error
    files.sort(key=attrgetter("name"))  # whole tuples take longer to compare
    return Listing(root, tuple(files), tuple(sorted(folders)), others, tuple(sorted(tables)), tuple(sorted(documents)))


def extension_of(name: str) -> str:
    """A file's extension with its dot, in lower-case letters; empty where it has none."""
    at = name.rfind(".")  # os.path.splitext takes four times as long
    return name[at:].lower() if at >= 0 else ""


def is_image_name(name: str) -> bool:
    """Whether a file's extension is one of an image, in any letter case."""
    return extension_of(name) in IMAGE_EXTENSIONS


def is_table_name(name: str) -> bool:
    """Whether a file's extension is one of a table, in any letter case."""
    return extension_of(name) in TABLE_EXTENSIONS


def is_document_name(name: str) -> bool:
    """Whether a file's extension is one of a document that may tell what is in images, in any letter case."""
    return extension_of(name) in DOCUMENT_EXTENSIONS


def is_passed_over(name: str) -> bool:
    """Whether a file is hidden, or in a hidden folder, or what macOS adds to archives."""
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name


def counted_by_extension(extensions: Counter[str]) -> str:
    """`9 (5 .txt, 4 .csv)`: how many files there are, and of which extensions, the most frequent first."""
    in_order = sorted(extensions.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count:,} {extension or 'without extension'}" for extension, count in in_order[:_NAMED]]
    return f"{extensions.total():,} ({', '.join(parts)}{', ...' if len(extensions) > _NAMED else ''})"
