"""Pictures on disk, found by looking: class folders with or without split folders above them.

Nothing is opened here; a folder's layout is told from its names alone.
"""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from hubel.data.labels import Label
from hubel.errors import DataError

IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SPLIT_FOLDERS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}

_EXPECTED = "expected a folder with one folder of images per class, or such folders under train, validation and test"


class Container(Protocol):
    """A file that holds many pictures, such as an archive; it can be read in several threads and processes at once."""

    @property
    def path(self) -> Path:
        """Where the file is."""

    def read(self, name: str) -> bytes:
        """The bytes of one picture.

        Raises:
            OSError: It is not there (any more), or is damaged; the text is a reason that does not name it.
        """


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with its label.

    Attributes:
        path: Where the file is; None for a picture inside a container.
        name: Its path relative to the data set's root, with forward slashes.
        label: Index of its class; of several classes, or a number, as `DataSplits.labelling` says.
        digest: BLAKE2b of the picture's bytes, 32 hexadecimal digits.
        container: What holds the picture, where it has no file of its own.
    """

    path: Path | None
    name: str
    label: Label
    digest: str
    container: Container | None = None

    @property
    def location(self) -> str:
        """Where the picture is, for people: its file, or its name behind that of its container."""
        return str(self.path) if self.container is None else f"{self.container.path}/{self.name}"

    def read(self) -> bytes:
        """The picture's bytes, not decoded.

        Raises:
            OSError: They cannot be read.
        """
        if self.container is not None:
            return self.container.read(self.name)
        if self.path is None:
            raise FileNotFoundError("it has neither a file nor a container")
        return self.path.read_bytes()


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
    """

    root: Path
    files: tuple[File, ...]
    folders: tuple[str, ...]
    others: int


@dataclass(frozen=True)
class ClassFolders:
    """A data set of class folders.

    Attributes:
        root: Its folder.
        classes: Class names, sorted.
        splits: The image files of each split and class; a folder without split folders has the key None alone.
        notes: One line for each thing that was passed over.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[Split | None, Mapping[str, tuple[File, ...]]]
    notes: tuple[str, ...] = field(default=())


def list_folder(root: Path) -> Listing:
    """List the image files under a folder, whatever their depth; hidden files and folders are passed over.

    Links to folders are followed, but never into a folder that they lie in.

    Raises:
        DataError: The path does not exist, is a file, or a folder cannot be read.
    """
    if not root.exists():
        raise DataError(f"{root} does not exist: {_EXPECTED}")
    if not root.is_dir():
        raise DataError(f"{root} is a file: {_EXPECTED}")
    files: list[File] = []
    folders: list[str] = []
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
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if entry.is_dir():
                    visit(entry.path, f"{prefix}{entry.name}/", above | {here})
                elif is_image_name(entry.name) and entry.is_file():
                    info = entry.stat()
                    files.append(File(prefix + entry.name, info.st_size, info.st_mtime_ns, info.st_ctime_ns))
                else:
                    others += 1

    try:
        visit(str(root), "", frozenset())
    except OSError as error:
        raise DataError(f"cannot read {error.filename or root}: {error.strerror}; grant access or remove it") from error
    files.sort()
    return Listing(root, tuple(files), tuple(sorted(folders)), others)


def is_image_name(name: str) -> bool:
    """Whether a file's extension is one of an image, in any letter case."""
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS  # noqa: PTH122 - see list_folder


def find_class_folders(root: Path) -> ClassFolders:
    """Tell classes and splits from the folders under a root.

    A folder called `train` (or another usual name of a split, in any letter case) is a split if its own images lie
    in folders, and a class like any other if they lie in it directly.

    Raises:
        DataError: No images, images outside class folders only, an empty class folder, two folders for the same
            split or class.
    """
    listing = list_folder(root)
    if not listing.files:
        seen = f" ({listing.others} other files)" if listing.others else ""
        raise DataError(f"{root} has no images{seen}: {_EXPECTED}")
    split_folders = _split_folders(listing)
    notes = []
    if listing.others:
        notes.append(f"files passed over that are no images: {listing.others}")
    splits: dict[Split | None, Mapping[str, tuple[File, ...]]] = {}
    loose: list[str] = []
    if split_folders:
        in_folders = {file.name.split("/", 1)[0] for file in listing.files if "/" in file.name}
        beside = sorted(in_folders - set(split_folders.values()))
        notes += [f"folder '{folder}' beside the split folders was passed over" for folder in beside]
        loose += [file.name for file in listing.files if "/" not in file.name]
        for split, folder in split_folders.items():
            splits[split] = _by_class(listing, f"{folder}/", loose)
    else:
        splits[None] = _by_class(listing, "", loose)
    classes = tuple(sorted({name for by_class in splits.values() for name in by_class}))
    if not classes:
        raise DataError(f"{root} has {len(listing.files)} images but no class folders: {_EXPECTED}")
    if loose:
        notes.append(f"images outside class folders passed over: {len(loose)} (such as {loose[0]})")
    return ClassFolders(root, classes, splits, tuple(notes))


def _split_folders(listing: Listing) -> dict[Split, str]:
    """The folder of each split; empty if the root's folders are classes."""
    nested = {file.name.split("/", 1)[0] for file in listing.files if file.name.count("/") >= 2}
    direct = {file.name.split("/", 1)[0] for file in listing.files if file.name.count("/") == 1}
    found: dict[Split, str] = {}
    for folder in (name for name in listing.folders if "/" not in name):
        split = SPLIT_FOLDERS.get(folder.lower())
        if split is None or (folder in direct and folder not in nested):
            continue
        if split in found:
            raise DataError(f"{listing.root} has two folders for {split}, '{found[split]}' and '{folder}': keep one")
        found[split] = folder
    if nested.isdisjoint(found.values()):
        return {}
    if len(found) == 1 and direct - set(found.values()):
        return {}  # pictures of trains in `train`, beside those of other vehicles
    for split, folder in found.items():
        if folder not in nested:
            raise DataError(f"the {split} folder '{folder}' has no images: put class folders into it or remove it")
    return found


def _by_class(listing: Listing, prefix: str, loose: list[str]) -> dict[str, tuple[File, ...]]:
    """The files under `prefix` by class folder; those directly under it are appended to `loose`."""
    of_folder: dict[str, list[File]] = {
        folder[len(prefix) :]: []
        for folder in listing.folders
        if folder.startswith(prefix) and "/" not in folder[len(prefix) :]
    }
    for file in listing.files:
        if not file.name.startswith(prefix):
            continue
        folder, slash, _ = file.name[len(prefix) :].partition("/")
        if slash:
            of_folder[folder].append(file)
        elif prefix:
            loose.append(file.name)
    if not prefix:
        loose += [file.name for file in listing.files if "/" not in file.name]
    if empty := [folder for folder, files in of_folder.items() if not files]:
        if len(empty) < len(of_folder):
            extensions = ", ".join(sorted(extension[1:] for extension in IMAGE_EXTENSIONS))
            raise DataError(
                f"class folder '{prefix}{empty[0]}' has no images ({extensions}): add some or remove the folder"
            )
        of_folder = {}
    classes: dict[str, tuple[File, ...]] = {}
    for folder, files in of_folder.items():
        name = unicodedata.normalize("NFC", folder)  # macOS writes é as two characters, others as one
        if name in classes:
            raise DataError(f"two folders under {listing.root / prefix} are both called '{name}': keep one of them")
        classes[name] = tuple(files)
    return classes


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
