"""What a picture's label may be, as a value, as text and as an array.

One class, several classes, a number; objects with their boxes; a mask with a class for every pixel; or nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from hubel.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hubel.data.annotated_pictures import AnnotatedPicture, Box

# Which kind of label all pictures of a data set have.
Labelling = Literal["class", "classes", "number", "boxes", "mask", "none"]

# Index of a class; indices of all classes that a picture has, ascending, maybe none; a number; its objects; its mask;
# nothing.
Label: TypeAlias = "int | tuple[int, ...] | float | ObjectsLabel | MaskLabel | None"

# The same by the classes' names, as a source has it; a mask has the numbers of the source's classes.
NamedLabel: TypeAlias = "str | tuple[str, ...] | float | AnnotatedPicture | MaskLabel | None"

# The column of a table that holds such labels, in manifests and in `splits.csv`.
COLUMN_OF: Mapping[Labelling, str] = {
    "class": "label",
    "classes": "labels",
    "number": "value",
    "boxes": "objects",
    "mask": "mask",
    "none": "class",
}
LABELLING_OF: Mapping[str, Labelling] = {column: labelling for labelling, column in COLUMN_OF.items()}

SEPARATOR = "|"  # between several classes in one cell

_IGNORED = "ignored"  # said of an object in a cell


@dataclass(frozen=True, slots=True)
class ObjectsLabel:
    """The objects of a picture; there may be none.

    Attributes:
        size: Height and width of the upright picture.
        boxes: `xyxy` in its pixels.
        classes: The class of each.
        ignored: Of each, whether finding it or not does not count: it is hard to recognise, or a crowd.
    """

    size: tuple[int, int]
    boxes: tuple[Box, ...]
    classes: tuple[int, ...]
    ignored: tuple[bool, ...]


class MaskSource(Protocol):
    """What a mask is read from: an image, or outlines."""

    @property
    def digest(self) -> str:
        """Another one for every mask and every meaning of its values, wherever it lies."""

    def read(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The class of every pixel; see `MaskLabel.read`."""

    def renumbered(self, numbers: Sequence[int]) -> MaskSource:
        """The same with other numbers of the classes: `numbers[k]` for k."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskLabel:
    """The mask of a picture; it is read when it is needed. Masks of one size and digest are equal.

    Attributes:
        size: Height and width of the upright picture.
        mask: Where it comes from.
        classes: The classes that occur in it, ascending.
    """

    size: tuple[int, int]
    mask: MaskSource
    classes: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Another one for every mask and every meaning of its values, wherever it lies."""
        return self.mask.digest

    def read(self) -> npt.NDArray[np.uint8]:
        """The class of every pixel: uint8 (H, W) of the upright picture's size, 255 where none counts.

        Raises:
            DataError: The mask is missing or damaged, has another size than its picture, or values that mean nothing.
        """
        return self.mask.read(self.size)

    def renumbered(self, numbers: Sequence[int]) -> MaskLabel:
        """The same with other numbers of the classes: `numbers[k]` for k."""
        classes = tuple(sorted(numbers[label] for label in self.classes))
        return replace(self, mask=self.mask.renumbered(numbers), classes=classes)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, MaskLabel) and (self.size, self.digest) == (other.size, other.digest)

    def __hash__(self) -> int:
        return hash((self.size, self.digest))


@dataclass(frozen=True, slots=True)
class KnownByDigest:
    """A mask of which a table of splits has the digest, and nothing else."""

    digest: str

    def read(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Raise a DataError."""
        raise DataError("a table of splits does not say where a mask lies: open the data set itself")

    def renumbered(self, numbers: Sequence[int]) -> KnownByDigest:
        """The same."""
        return self


def classes_of(label: Label) -> tuple[int, ...]:
    """The classes that a label names: one, several, none for a number; those of its objects or of its mask."""
    if isinstance(label, int):
        return (label,)
    if isinstance(label, tuple):
        return label
    if isinstance(label, ObjectsLabel):
        return tuple(sorted(set(label.classes)))
    return label.classes if isinstance(label, MaskLabel) else ()


def are_characters(classes: Sequence[str]) -> bool:
    """Whether the classes are single letters or digits."""
    return bool(classes) and all(len(name) == 1 for name in classes)


def label_text(label: Label, classes: Sequence[str]) -> str:
    """A label as a table has it.

    Class names, several separated by `|`; a number that reads back as the same; objects as JSON; a mask's size and
    digest; nothing where there is no label.
    """
    if isinstance(label, int):  # most are, and this runs for millions
        return classes[label]
    if isinstance(label, float):
        return repr(label)
    if isinstance(label, tuple):
        return SEPARATOR.join(classes[index] for index in label)
    if isinstance(label, ObjectsLabel):
        return _objects_text(label, classes)
    return "" if label is None else f"{label.size[0]}x{label.size[1]} {label.digest}"


def label_summary(label: Label, classes: Sequence[str]) -> str:
    """A label as people are told of it: how many objects there are of each class, or the classes in a mask."""
    if isinstance(label, ObjectsLabel):
        counts = [(label.classes.count(index), classes[index]) for index in classes_of(label)]
        return ", ".join(f"{count} {name}" for count, name in counts) or "no objects"
    if isinstance(label, MaskLabel):
        return ", ".join(classes[index] for index in label.classes) or "an empty mask"
    return label_text(label, classes)


def names_in(text: str, labelling: Labelling) -> tuple[str, ...]:
    """The class names in a table's cell; none for a number, and for a mask."""
    if labelling == "classes":
        return tuple(name for part in text.split(SEPARATOR) if (name := part.strip()))
    if labelling == "boxes":
        return tuple(str(name) for name, *_ in _objects_in(text)[1])
    return (text,) if text and labelling in ("class", "none") else ()


def number_in(text: str) -> float:
    """The number in a table's cell.

    Raises:
        DataError: It is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"'{text}' is no value: expected a number such as 3.5")
    return value


def read_label(text: str, labelling: Labelling, index_of: Mapping[str, int]) -> Label:
    """The label in a table's cell.

    Args:
        text: The cell.
        labelling: What it holds.
        index_of: Of the classes' names.

    Raises:
        DataError: It is not what was expected.
    """
    if labelling == "number":
        return number_in(text)
    if labelling == "mask":
        size, _, digest = text.partition(" ")
        height, _, width = size.partition("x")
        if not (height.isdecimal() and width.isdecimal() and digest):
            raise DataError(f"'{text}' is no mask: expected its size and digest")
        return MaskLabel((int(height), int(width)), KnownByDigest(digest), ())
    if labelling == "boxes":
        size_of_picture, objects = _objects_in(text)
        return ObjectsLabel(
            size_of_picture,
            tuple((x1, y1, x2, y2) for _, x1, y1, x2, y2, *_ in objects),
            tuple(index_of[name] for name, *_ in objects),
            tuple(each[-1] == _IGNORED for each in objects),
        )
    indices = sorted({index_of[name] for name in names_in(text, labelling)})
    if labelling == "classes":
        return tuple(indices)
    return indices[0] if indices or labelling == "class" else None


def label_array(labels: Sequence[Label], labelling: Labelling, num_classes: int) -> npt.NDArray[Any]:
    """Labels as training takes them.

    Returns:
        For `"class"`, int64 of shape (N,); for `"classes"`, float32 (N, num_classes), 1 where a picture has the class
        and 0 elsewhere; for `"number"`, float32 (N,); for `"boxes"` and `"mask"`, the labels themselves as objects
        (N,); for `"none"`, int64 (N,): the class where there are classes all the same, else 0.
    """
    import numpy as np

    if labelling not in get_args(Labelling):
        raise ValueError(f"labelling is {labelling!r}: expected one of {get_args(Labelling)}")
    if labelling == "class":
        return np.array(labels, dtype=np.int64)
    if labelling == "none":
        return np.array([label if isinstance(label, int) else 0 for label in labels], dtype=np.int64)
    if labelling == "number":
        return np.array(labels, dtype=np.float32)
    if labelling in ("boxes", "mask"):
        objects = np.empty(len(labels), dtype=object)
        objects[:] = labels
        return objects
    array = np.zeros((len(labels), num_classes), dtype=np.float32)
    for row, label in zip(array, labels, strict=True):
        row[list(classes_of(label))] = 1
    return array


def _objects_text(label: ObjectsLabel, classes: Sequence[str]) -> str:
    objects = [
        [classes[index], *(int(side) if side == int(side) else side for side in box), *([_IGNORED] * ignored)]
        for box, index, ignored in zip(label.boxes, label.classes, label.ignored, strict=True)
    ]
    return json.dumps({"size": label.size, "objects": objects}, ensure_ascii=False)


def _objects_in(text: str) -> tuple[tuple[int, int], list[Any]]:
    """The size of the picture and its objects in a table's cell, each a name and the sides of a box."""
    try:
        content = json.loads(text)
        height, width = content["size"]
        objects: list[Any] = content["objects"]
        if not all(len(each) in (5, 6) for each in objects):
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"'{text[:60]}' is no list of objects: expected size and objects as JSON") from error
    return (height, width), objects
