"""What a picture's label may be: one class, several classes or a number, as a value, as text and as an array."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from hubel.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

# Index of a class; indices of all classes that a picture has, ascending, maybe none; a number.
Label = int | tuple[int, ...] | float

# The same by the classes' names, as a source has it.
NamedLabel = str | tuple[str, ...] | float

# Which of the three all pictures of a data set have.
Labelling = Literal["class", "classes", "number"]

# The column of a table that holds such labels, in manifests and in `splits.csv`.
COLUMN_OF: Mapping[Labelling, str] = {"class": "label", "classes": "labels", "number": "value"}
LABELLING_OF: Mapping[str, Labelling] = {column: labelling for labelling, column in COLUMN_OF.items()}

SEPARATOR = "|"  # between several classes in one cell


def classes_of(label: Label) -> tuple[int, ...]:
    """The classes that a label names: one, several, or none for a number."""
    if isinstance(label, int):
        return (label,)
    return label if isinstance(label, tuple) else ()


def are_characters(classes: Sequence[str]) -> bool:
    """Whether the classes are single letters or digits."""
    return bool(classes) and all(len(name) == 1 for name in classes)


def label_text(label: Label, classes: Sequence[str]) -> str:
    """A label as a table has it: class names, several separated by `|`, or a number that reads back as the same."""
    if isinstance(label, int):  # most are, and this runs for millions
        return classes[label]
    if isinstance(label, float):
        return repr(label)
    return SEPARATOR.join(classes[index] for index in classes_of(label))


def names_in(text: str, labelling: Labelling) -> tuple[str, ...]:
    """The class names in a table's cell; none for a number."""
    if labelling == "classes":
        return tuple(name for part in text.split(SEPARATOR) if (name := part.strip()))
    return (text,) if labelling == "class" else ()


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
        DataError: It is no finite number where one was expected.
    """
    if labelling == "number":
        return number_in(text)
    indices = sorted({index_of[name] for name in names_in(text, labelling)})
    return tuple(indices) if labelling == "classes" else indices[0]


def label_array(labels: Sequence[Label], labelling: Labelling, num_classes: int) -> npt.NDArray[Any]:
    """Labels as training takes them.

    Returns:
        For `"class"`, int64 of shape (N,); for `"classes"`, float32 (N, num_classes), 1 where a picture has the class
        and 0 elsewhere; for `"number"`, float32 (N,).
    """
    import numpy as np

    if labelling == "class":
        return np.array(labels, dtype=np.int64)
    if labelling == "number":
        return np.array(labels, dtype=np.float32)
    array = np.zeros((len(labels), num_classes), dtype=np.float32)
    for row, label in zip(array, labels, strict=True):
        row[list(classes_of(label))] = 1
    return array
