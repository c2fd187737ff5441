"""Class folders: each holds the pictures of one class; with or without split folders above them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from hubel.data.files.listing import EXPECTED, IMAGE_EXTENSIONS, Listing
from hubel.data.sources import Container, Entry, Source, Split, split_called, splits_called
from hubel.errors import DataError
from hubel.results.naming import counted, some


def class_folders_in(listing: Listing, container: Container | None = None, *, prefix: str = "") -> Source:
    """Tell classes and splits from what lies in a folder or an archive.

    A folder called `train` (or another usual name of a split, in any letter case) is a split if its own images lie
    in folders, and a class like any other if they lie in it directly.

    Args:
        listing: Of the folder or the archive.
        container: The archive.
        prefix: Of the names of all that counts, with a slash at its end.

    Raises:
        DataError: No images, images outside class folders only, an empty class folder, two folders for the same
            split or class.
    """
    if not listing.files:
        seen = "".join(f"; {line}" for line in listing.passed_over())
        raise DataError(f"{listing.root} has no images{seen}: {EXPECTED}")
    notes = [*listing.notes, *listing.passed_over()]
    split_folders = _split_folders(listing, prefix)
    splits: dict[Split | None, tuple[Entry, ...]] = {}
    loose: list[str] = []
    if split_folders:
        loose += [file.name for file in listing.files if "/" not in file.name[len(prefix) :]]
        beside = sorted({folder for folder, _, rest in _below(listing, prefix) if rest} - set(split_folders.values()))
        notes += [f"folder '{folder}' beside the split folders was passed over" for folder in beside]
        for split, folder in split_folders.items():
            splits[split] = _by_class(listing, _innermost(listing, f"{prefix}{folder}/"), loose)
    else:
        splits[None] = _by_class(listing, prefix, loose)
        if inner := _same_within(listing, prefix):
            notes.append(
                f"every class folder has the same folders within ({some(inner)}): if those are the classes, call the "
                "folders above them train and test, or give one of these"
            )
    classes = tuple(sorted({str(entry.label) for entries in splits.values() for entry in entries}))
    if not classes:
        raise DataError(f"{listing.root} has {counted(len(listing.files), 'image')} but no class folders: {EXPECTED}")
    if loose:
        notes.append(f"images outside class folders passed over: {len(loose)} (such as {loose[0]})")
    return Source(listing.root, listing.root, classes, splits, container=container, notes=tuple(notes))


def _below(listing: Listing, prefix: str) -> Iterator[tuple[str, str, str]]:
    """The names of the files below a prefix: the first part, the slash if there is one, and the rest."""
    return (file.name[len(prefix) :].partition("/") for file in listing.files if file.name.startswith(prefix))


def wrapping(listing: Listing) -> str:
    """The folder that everything lies in, as in many archives, with a slash at its end; empty where there is none."""
    prefix, depth = "", 0
    while True:
        depth += 1
        tops = {folder[len(prefix) :].partition("/")[0] for folder in listing.folders if folder.startswith(prefix)}
        top = next(iter(tops), "")
        within = f"{prefix}{top}/"
        alone = len(tops) == 1 and split_called(top) is None
        if not alone or any(
            not file.name.startswith(within) or file.name.count("/") == depth for file in listing.files
        ):
            return prefix
        prefix = within


def _split_folders(listing: Listing, prefix: str) -> dict[Split, str]:
    """The folder of each split; empty if the folders are classes."""
    places = {file.name[len(prefix) :].rpartition("/")[0] for file in listing.files}
    nested = {place.partition("/")[0] for place in places if "/" in place}
    direct = {place for place in places if place and "/" not in place}
    found: dict[Split, str] = {}
    folders = (name[len(prefix) :] for name in listing.folders if name.startswith(prefix))
    above = [folder for folder in folders if "/" not in folder and (folder not in direct or folder in nested)]
    for folder, split in splits_called(above).items():
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


def _same_within(listing: Listing, prefix: str) -> list[str]:
    """The folders in every class folder, where all have the same, several, and no pictures beside them."""
    within: dict[str, set[str]] = {}
    for folder, _, rest in _below(listing, prefix):
        inner, slash, _ = rest.partition("/")
        if rest and not slash:
            return []
        if slash:
            within.setdefault(folder, set()).add(inner)
    first, *others = within.values() or [set[str]()]
    return sorted(first) if len(first) > 1 and others and all(other == first for other in others) else []


def _innermost(listing: Listing, prefix: str) -> str:
    """The prefix of a folder, or of the one of its own name that holds all of it, as in `train/train/cat/1.jpg`."""
    within = f"{prefix}{prefix[:-1].rpartition('/')[2]}/"
    names = (file.name for file in listing.files if file.name.startswith(prefix))
    return within if all(name.startswith(within) and "/" in name[len(within) :] for name in names) else prefix


def _by_class(listing: Listing, prefix: str, loose: list[str]) -> tuple[Entry, ...]:
    """The files in the folders under `prefix` as pictures of those classes; others are appended to `loose`."""
    folders = {
        folder[len(prefix) :]
        for folder in listing.folders
        if folder.startswith(prefix) and "/" not in folder[len(prefix) :]
    }
    used: set[str] = set()
    entries: list[Entry] = []
    called: dict[str, str] = {}  # the folder of each class
    for folder in sorted(folders):
        name = unicodedata.normalize("NFC", folder)  # macOS writes é as two characters, others as one
        if name in called:
            raise DataError(f"two folders under {listing.root / prefix} are both called '{name}': keep one of them")
        called[name] = folder
    class_of = {folder: name for name, folder in called.items()}
    for file in listing.files:
        if not file.name.startswith(prefix):
            continue
        folder, slash, _ = file.name[len(prefix) :].partition("/")
        if slash:
            used.add(folder)
            entries.append(Entry(file, class_of[folder]))
        else:
            loose.append(file.name)
    if entries and (empty := sorted(folders - used)):
        extensions = ", ".join(sorted(extension[1:] for extension in IMAGE_EXTENSIONS))
        raise DataError(
            f"class folder '{prefix}{empty[0]}' has no images ({extensions}): add some or remove the folder"
        )
    return tuple(entries)
