"""Labels of another kind than the source has them, where they can be read so: ages that are folders' names, for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hubel.data.annotated_pictures import AnnotatedPicture
from hubel.data.labels import Labelling, NamedLabel
from hubel.data.sources import Entry, Source
from hubel.errors import DataError

# What each picture has, for people.
KINDS: Mapping[Labelling, str] = {
    "class": "one class",
    "classes": "labels",
    "number": "a number",
    "boxes": "boxes",
    "mask": "a mask",
    "none": "no labels",
}


def relabelled(source: Source, wanted: Labelling | None) -> Source:
    """The same pictures with labels of the wanted kind.

    A class becomes a number if its name is one, and a label among several, which the picture alone has; several labels
    become a class where every picture has exactly one; a number becomes the class of that name; objects become the
    classes that they are of. Where no labels are wanted, a class is kept for whoever shows pictures by it.

    Args:
        source: The data set.
        wanted: The kind; None: as the source has them.

    Raises:
        DataError: A label cannot be read so.
    """
    if wanted is None or wanted == source.labelling:
        return source
    if wanted == "none":
        return _without_labels(source)
    if wanted in ("boxes", "mask") or source.labelling in ("mask", "none"):
        raise DataError(
            f"{source.root} has {KINDS[source.labelling]} for each picture, and this task expects {KINDS[wanted]}: "
            "leave the task out, or give data that has them"
        )
    read = _READERS[wanted]

    def changed(entry: Entry) -> Entry:
        if entry.label is None:  # of a picture that cannot be used
            return entry
        try:
            return entry._replace(label=read(entry.label))
        except ValueError as reason:
            raise DataError(
                f"{source.root} has {KINDS[source.labelling]} for each picture, and this task expects "
                f"{KINDS[wanted]}: {reason} (picture {entry.file.name}); leave the task out, or change the labels"
            ) from None

    splits = {split: tuple(changed(entry) for entry in entries) for split, entries in source.splits.items()}
    other = replace(source, splits=splits, labelling=wanted)
    names = set().union(*(other.classes_in(split) for split in splits))
    return replace(other, classes=tuple(sorted(names)))


def _without_labels(source: Source) -> Source:
    """The same pictures; classes stay."""
    if source.labelling == "class":
        return replace(source, labelling="none")
    splits = {split: tuple(entry._replace(label=None) for entry in entries) for split, entries in source.splits.items()}
    return replace(source, splits=splits, classes=(), labelling="none", problems=(), unusable={})


def _as_class(label: NamedLabel) -> str:
    if isinstance(label, AnnotatedPicture):
        label = _as_classes(label)
    if isinstance(label, tuple):
        if len(label) != 1:
            raise ValueError(f"{len(label)} labels are not one class")
        return label[0]
    return f"{label:.12g}" if isinstance(label, float) else str(label)


def _as_classes(label: NamedLabel) -> tuple[str, ...]:
    if isinstance(label, AnnotatedPicture):
        return tuple(sorted({box.name for box in label.boxes}))
    return (_as_class(label),)


def _as_number(label: NamedLabel) -> float:
    name = _as_class(label)
    try:
        value = float(name)
    except ValueError:
        value = float("nan")
    if not -float("inf") < value < float("inf"):
        raise ValueError(f"'{name}' is no number")
    return value


_READERS: Mapping[Labelling, Callable[[NamedLabel], NamedLabel]] = {
    "class": _as_class,
    "classes": _as_classes,
    "number": _as_number,
}
