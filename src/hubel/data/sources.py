"""What a data set on disk tells: its pictures, where each one's bytes are, their labels and splits.

`hubel.data.layouts.finding` finds out which kind of source lies at a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from hubel.data.files.listing import File
from hubel.data.labels import Label, Labelling, MaskLabel, NamedLabel

if TYPE_CHECKING:
    from hubel.data.annotated_pictures import Problem

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "eval": "test",
    "evaluation": "test",
    "holdout": "test",
}
# What people write around these names: train_set, images-val, "Test Data".
_FILLERS = frozenset({"set", "split", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos"})


def split_called(name: str) -> Split | None:
    """The split that goes by a name, such as `Training`, `val2017` or `test_images`; None if none does."""
    words = _telling_words(name)
    return SPLIT_NAMES.get(words[0]) if len(words) == 1 else None


def split_above(path: str) -> Split | None:
    """The split that a path with forward slashes, or the nearest folder above it, is called by; None if none is."""
    return next((split for part in reversed(path.split("/")) if (split := split_called(part)) is not None), None)


def splits_called(names: Iterable[str]) -> dict[str, Split]:
    """The splits among the names of folders that lie side by side.

    Where none goes by a usual name, what they have in common does not count: `seg_train` and `seg_test` are splits.
    """
    names = list(names)
    if usual := {name: split for name in names if (split := split_called(name)) is not None}:
        return usual
    words_of = {name: words for name in names if not SPLIT_NAMES.keys().isdisjoint(words := _telling_words(name))}
    common = set.intersection(*map(set, words_of.values())) if len(words_of) > 1 else set()
    rest = {name: [word for word in words if word not in common] for name, words in words_of.items()}
    if not common or any(len(words) != 1 for words in rest.values()):
        return {}
    return {name: SPLIT_NAMES[words[0]] for name, words in rest.items() if words[0] in SPLIT_NAMES}


def _telling_words(name: str) -> list[str]:
    """The words of a name, less numbers, years at words' ends, and what is written around the names of splits."""
    words = (re.sub(r"(19|20)\d\d$", "", word) for word in re.split(r"[\W_]+", name.lower()))
    return [word for word in words if word and not word.isdigit() and word not in _FILLERS]


class UnusableBytes(OSError):  # noqa: N818 - the plain words say it
    """A picture's bytes that cannot be had from its container; the text is a reason that does not name the picture."""


class Container(Protocol):
    """A file that holds many pictures, such as an archive; it can be read in several threads and processes at once."""

    @property
    def path(self) -> Path:
        """Where the file is."""

    def read(self, name: str) -> bytes:
        """The bytes of one picture.

        Raises:
            OSError: They cannot be had; `UnusableBytes` with the reason, where it is the container's fault.
        """


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with its label.

    Attributes:
        folder: What the name is relative to; None for a picture inside a container.
        name: The picture's path from there, or inside its container, with forward slashes.
        label: What is known of it, as `DataSplits.labelling` says: the index of its class, several, a number, ...
        digest: BLAKE2b of the picture's bytes, 32 hexadecimal digits.
        container: What holds the picture, where it has no file of its own.
    """

    folder: Path | None
    name: str
    label: Label
    digest: str
    container: Container | None = None

    @property
    def path(self) -> Path | None:
        """Where the file is; None for a picture inside a container. Made when asked for: that takes its time."""
        return None if self.folder is None else self.folder / self.name

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
        if (path := self.path) is None:
            raise FileNotFoundError("it has neither a file nor a container")
        return path.read_bytes()


class Entry(NamedTuple):
    """A picture as its source lists it.

    Attributes:
        file: Its name and what tells whether it has changed.
        label: The name of its class, the names of its classes, a number, its objects, its mask, or nothing.
    """

    file: File
    label: NamedLabel


def in_usual_order(
    of_split: Mapping[Split | None, Sequence[Entry]],
) -> dict[Split | None, tuple[Entry, ...]]:
    """The pictures of each split, train before validation before test before those of none."""
    return {split: tuple(of_split[split]) for split in (*SPLITS, None) if split in of_split}


@dataclass(frozen=True)
class Source:
    """A data set on disk, listed but not read.

    Attributes:
        root: What the user named: a folder, a manifest, an archive.
        base: The folder that the pictures' names are relative to.
        classes: Class names: sorted, or where the source numbers them itself, in that order; none where labels are
            numbers.
        splits: The pictures of each split; those of a source without splits have the key None alone.
        labelling: Which kind of label they have.
        container: What holds the pictures, where they are no files.
        groups: The group of each picture by its name, where the source tells; else empty.
        notes: One line for each thing that was passed over.
        problems: What is wrong with annotations.
        unusable: Why some pictures cannot be used, by their names, although they may be read.
    """

    root: Path
    base: Path
    classes: tuple[str, ...]
    splits: Mapping[Split | None, tuple[Entry, ...]]
    labelling: Labelling = "class"
    container: Container | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            OSError: They cannot be read.
        """
        if self.container is not None:
            return self.container.read(name)
        with open(os.path.join(self.base, name), "rb", buffering=0) as file:  # noqa: PTH118, PTH123 - twice as fast
            return file.read()

    def classes_in(self, split: Split | None) -> set[str]:
        """The names of the classes that a split has pictures of."""
        if self.labelling == "mask":
            masks = [entry.label for entry in self.splits[split] if isinstance(entry.label, MaskLabel)]
            return {self.classes[number] for number in set().union(*(mask.classes for mask in masks))}
        labels = {entry.label for entry in self.splits[split]}
        if self.labelling == "boxes":
            return {box.name for label in labels for box in getattr(label, "boxes", ())}
        names = {label for label in labels if isinstance(label, str)}
        return names.union(*(label for label in labels if isinstance(label, tuple)))
