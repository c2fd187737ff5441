"""Image files as a file system tells of them: listed from their names, never opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from hubel.errors import DataError

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

CSV_EXTENSIONS = frozenset({".csv", ".tsv"})
PARQUET_EXTENSIONS = frozenset({".parquet"})
TABLE_EXTENSIONS = CSV_EXTENSIONS | PARQUET_EXTENSIONS
DOCUMENT_EXTENSIONS = frozenset({".xml", ".json", ".txt", ".yaml", ".yml", ".names"})

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


@dataclass(frozen=True)
class Listing:
    """What lies under a folder.

    Attributes:
        root: The folder.
        files: Its image files, sorted by name.
        folders: Every folder under it, as relative names with forward slashes, sorted.
        others: How many files are no images by their extension.
        tables: Those of them that are CSV or Parquet files, as relative names, sorted.
        documents: Those of them that may tell what is in images: XML, JSON, YAML and text files, likewise.
        notes: One line for each other thing that was passed over.
    """

    root: Path
    files: tuple[File, ...]
    folders: tuple[str, ...]
    others: int
    tables: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
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
    documents: list[str] = []
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
                    elif is_document_name(entry.name):
                        documents.append(prefix + entry.name)

    try:
        visit(str(root), "", frozenset())
    except OSError as error:
        raise DataError(f"cannot read {error.filename or root}: {error.strerror}; grant access or remove it") from error
    files.sort(key=attrgetter("name"))  # whole tuples take longer to compare
    return Listing(root, tuple(files), tuple(sorted(folders)), others, tuple(sorted(tables)), tuple(sorted(documents)))


def is_image_name(name: str) -> bool:
    """Whether a file's extension is one of an image, in any letter case."""
    return name[name.rfind(".") :].lower() in IMAGE_EXTENSIONS  # os.path.splitext takes four times as long


def is_table_name(name: str) -> bool:
    """Whether a file's extension is one of a table, in any letter case."""
    return name[name.rfind(".") :].lower() in TABLE_EXTENSIONS


def is_document_name(name: str) -> bool:
    """Whether a file's extension is one of a document that may tell what is in images, in any letter case."""
    return name[name.rfind(".") :].lower() in DOCUMENT_EXTENSIONS


def is_passed_over(name: str) -> bool:
    """Whether a file is hidden, or in a hidden folder, or what macOS adds to archives."""
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name
