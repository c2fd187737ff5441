"""Labels of another kind than the source has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubel.data.files.listing import File
from hubel.data.labels import Labelling
from hubel.data.relabelling import relabelled
from hubel.data.sources import Entry, Source
from hubel.errors import DataError


def source(labelling: Labelling, *labels: str | tuple[str, ...] | float) -> Source:
    entries = tuple(Entry(File(f"{number}.png", 1, 0, 0), label) for number, label in enumerate(labels))
    found = Source(Path("photos"), Path("photos"), (), {None: entries}, labelling)
    return Source(Path("photos"), Path("photos"), tuple(sorted(found.classes_in(None))), {None: entries}, labelling)


def labels_of(found: Source) -> list[object]:
    return [entry.label for entry in found.splits[None]]


def test_as_it_is() -> None:
    found = source("class", "cat", "dog")
    assert relabelled(found, None) is found
    assert relabelled(found, "class") is found


def test_folders_that_are_called_by_ages_are_numbers() -> None:
    found = relabelled(source("class", "23", "41.5", "-7"), "number")
    assert labels_of(found) == [23.0, 41.5, -7.0]
    assert (found.classes, found.labelling) == ((), "number")


def test_a_class_is_the_only_label() -> None:
    found = relabelled(source("class", "cat", "dog"), "classes")
    assert labels_of(found) == [("cat",), ("dog",)]
    assert found.classes == ("cat", "dog")


def test_numbers_are_classes_by_name() -> None:
    found = relabelled(source("number", 3.0, 0.5, 10.0), "class")
    assert labels_of(found) == ["3", "0.5", "10"]
    assert found.classes == ("0.5", "10", "3")


def test_single_labels_are_classes() -> None:
    assert labels_of(relabelled(source("classes", ("a",), ("b",)), "class")) == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "wanted", "why"),
    [
        (
            source("class", "3", "cat"),
            "number",
            r"one class .* this task expects a number: .*'cat' is no number .*1\.png",
        ),
        (source("class", "3", "nan"), "number", "'nan' is no number"),
        (source("classes", ("a",), ("a", "b")), "class", r"2 labels are not one class \(picture 1.png\)"),
        (source("classes", ("a",), ()), "class", "0 labels are not one class"),
    ],
)
def test_what_cannot_be_read_so_is_refused(found: Source, wanted: Labelling, why: str) -> None:
    with pytest.raises(DataError, match=why):
        relabelled(found, wanted)
