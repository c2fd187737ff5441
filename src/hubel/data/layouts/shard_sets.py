"""Tar shards as a data set: which files they are, and what their labels mean."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from hubel.data.containers.shard_index import LABEL_EXTENSIONS, Member, ShardIndex, ShardLabel, index_shards
from hubel.data.containers.shards import Shards
from hubel.data.files.listing import File
from hubel.data.labels import Labelling
from hubel.data.layouts.patterns import expand_braces
from hubel.data.sources import SPLIT_NAMES, Entry, Source, Split
from hubel.errors import DataError
from hubel.results.naming import counted

_CLASS_LISTS = ("classes.txt", "dataset.json")


def shards_matching(pattern: str, wanted: Labelling | None = None) -> Source:
    """The data set in the shards that a pattern names: `shards/{train,val}-{000..099}.tar`, `shards/*.tar`.

    Args:
        pattern: It.
        wanted: The kind of labels that is wanted; `"none"`: pictures without any count, too.

    Raises:
        DataError: A shard is missing or cannot be read, or there is nothing to learn.
    """
    paths = [Path(path) for path in expand_braces(pattern)]
    if any(map(glob.has_magic, map(str, paths))):
        paths = sorted({Path(found) for path in paths for found in glob.glob(str(path))})  # noqa: PTH207
        if not paths:
            raise DataError(f"no shard matches {pattern}: check the pattern (quote it, or the shell expands it)")
    if missing := [path for path in paths if not path.is_file()]:
        raise DataError(
            f"{len(missing)} of the {len(paths)} shards that {pattern} names do not exist, such as {missing[0]}: "
            "mend the pattern or add them"
        )
    paths = [_absolute(path) for path in paths]
    return _source(Path(pattern), Path(os.path.commonpath([path.parent for path in paths])), paths, wanted)


def find_shards(root: Path, paths: Sequence[Path], wanted: Labelling | None = None) -> Source:
    """The data set in the shards of a folder, or in a single shard.

    Args:
        root: What the user named.
        paths: The shards, in it or itself.
        wanted: The kind of labels that is wanted; `"none"`: pictures without any count, too.

    Raises:
        DataError: A shard cannot be read, or there is nothing to learn.
    """
    base = _absolute(root if root.is_dir() else root.parent)
    return _source(root, base, [_absolute(path) for path in paths], wanted)


def _absolute(path: Path) -> Path:
    """A path that holds in every working folder; a link stays what it is, wherever the shard lies."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _source(root: Path, base: Path, paths: Sequence[Path], wanted: Labelling | None) -> Source:
    indices = index_shards(paths)
    notes = [f"shard {path.name}: {note}" for path, index in zip(paths, indices, strict=True) for note in index.notes]
    named = [path.relative_to(base).as_posix() for path in paths]
    pictures: dict[str, tuple[int, Member]] = {}
    entries: dict[Split | None, list[Entry]] = {}
    unlabelled: list[str] = []
    labels = _Labels(_class_list({base, *(path.parent for path in paths)}))
    for number, (shard, index) in enumerate(zip(named, indices, strict=True)):
        split = _split_of(shard)
        for member in index.members:
            name = f"{shard}/{member.name}"
            if member.label is None and wanted != "none":
                unlabelled.append(name)
                continue
            pictures[name] = number, member
            file = File(name, member.size, index.file.modified, index.file.changed)
            label = None if member.label is None else labels.meant(member.label, name)
            entries.setdefault(split, []).append(Entry(file, label))
    if not pictures:
        seen = notes or [f"{counted(len(unlabelled), 'picture')} without a label"] * bool(unlabelled) or ["no pictures"]
        raise DataError(
            f"{root} has nothing to learn ({seen[0]}): expected tar files with KEY.jpg (or another picture) and "
            "KEY.cls, KEY.json or KEY.txt, its class"
        )
    if unlabelled:
        endings = ", ".join(f".{extension}" for extension in LABEL_EXTENSIONS)
        notes.append(f"pictures without a label ({endings}) passed over: {len(unlabelled)} (such as {unlabelled[0]})")
    if None in entries and len(entries) > 1:
        notes.append(f"shards whose names tell no split count as train: {counted(len(entries[None]), 'picture')}")
        entries.setdefault("train", []).extend(entries.pop(None))
    notes += _note_sorted(indices, labels)
    return Source(
        root=root,
        base=base,
        classes=labels.classes(),
        splits={split: tuple(of_split) for split, of_split in entries.items()},
        labelling=labels.labelling,
        container=Shards(base, indices, pictures),
        notes=tuple(notes),
    )


def _split_of(shard: str) -> Split | None:
    """The split that a shard's name or folder tells, such as `imagenet-train-000012.tar` or `val/00.tar`."""
    words = re.split(r"[\W\d_]+", shard.removesuffix(".tar").lower())
    found = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None


class _Labels:
    """What the labels of shards mean: one labelling for all, class names from a list where there is one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._listed = list(names)
        self._meant = {name: name for name in names}
        self._used: set[str] = set()
        self._labelling: Labelling | None = None

    @property
    def labelling(self) -> Labelling:
        return self._labelling or "class"

    def classes(self) -> tuple[str, ...]:
        return tuple(sorted(self._used))

    def meant(self, label: ShardLabel, picture: str) -> ShardLabel:
        """A label with the names of its classes.

        Raises:
            DataError: It is of another kind than those before it, or not in the list of classes.
        """
        labelling: Labelling = (
            "class" if isinstance(label, str) else "classes" if isinstance(label, tuple) else "number"
        )
        if labelling != (self._labelling or labelling):
            raise DataError(
                f"{picture} has a label of another kind than the pictures before it ({label!r}): expected one class "
                "each, or several, or a number, for all"
            )
        self._labelling = labelling
        if isinstance(label, float):
            return label
        if isinstance(label, tuple):
            return tuple(self._name(one, picture) for one in label)
        return self._name(label, picture)

    def _name(self, text: str, picture: str) -> str:
        name = self._meant.get(text)
        if name is None:
            if not self._listed:
                name = text
            elif text.isdecimal() and int(text) < len(self._listed):
                name = self._listed[int(text)]
            else:
                raise DataError(
                    f"{picture} has the class '{text}', which is not in the list of {len(self._listed)} classes: "
                    f"expected a name in it, or an index from 0 to {len(self._listed) - 1}"
                )
            self._meant[text] = name
        self._used.add(name)
        return name


def _class_list(folders: set[Path]) -> list[str]:
    """The names of the classes in the order of their indices; empty where no list lies beside the shards.

    Raises:
        DataError: It cannot be read, or a name is in it twice.
    """
    found = [path for name in _CLASS_LISTS for folder in sorted(folders) if (path := folder / name).is_file()]
    if not found:
        return []
    path = found[0]
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = json.loads(text)["classes"] if path.suffix == ".json" else text.splitlines()
        names = [str(name).strip() for name in names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot read the classes in {path}: expected a name a line, or JSON with a list `classes` ({error})"
        ) from error
    while names and not names[-1]:
        names.pop()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has the class '{twice}' twice: every line is the class of one index")
    return names


def _note_sorted(indices: Sequence[ShardIndex], labels: _Labels) -> list[str]:
    """Say so where shards have been filled class by class: no buffer can shuffle that."""
    of_one = sum(len({member.label for member in index.members}) == 1 for index in indices)
    if labels.labelling != "class" or len(labels.classes()) == 1 or 2 * of_one <= len(indices):
        return []
    return [
        f"{of_one} of {len(indices)} shards have pictures of one class only: they are shuffled no further than "
        "data.shuffle_buffer pictures; better shuffle pictures before shards are made"
    ]
