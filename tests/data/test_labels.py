from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hubel.data.decoded.store import prepare_store
from hubel.data.division.splits import DataSplits
from hubel.data.labels import classes_of, label_array, label_text, read_label
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

CLASSES = ("beach", "dog", "night")


def test_one_class():
    labels = label_array([2, 0], "class", 3)
    assert (labels.dtype, labels.tolist()) == (np.int64, [2, 0])
    assert label_text(2, CLASSES) == "night"
    assert read_label("night", "class", {"night": 2}) == 2
    assert classes_of(2) == (2,)


def test_several_classes_are_multi_hot_and_may_be_none():
    labels = label_array([(0, 2), ()], "classes", 3)
    assert (labels.dtype, labels.tolist()) == (np.float32, [[1, 0, 1], [0, 0, 0]])
    assert label_array([], "classes", 3).shape == (0, 3)
    assert label_text((0, 2), CLASSES) == "beach|night"
    assert read_label(" night | beach|night", "classes", {"beach": 0, "night": 2}) == (0, 2)
    assert read_label("", "classes", {}) == ()


def test_numbers_read_back_as_they_were():
    labels = label_array([1.5, -2.0], "number", 0)
    assert (labels.dtype, labels.tolist()) == (np.float32, [1.5, -2.0])
    assert read_label(label_text(0.1 + 0.2, ()), "number", {}) == 0.1 + 0.2
    assert classes_of(3.0) == ()


@pytest.mark.parametrize("text", ["old", "", "nan", "inf"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(DataError, match=rf"'{text}' is no value: expected a number"):
        read_label(text, "number", {})


@pytest.mark.parametrize(
    ("labelling", "classes", "labels"),
    [("class", CLASSES, (0, 2, 1)), ("classes", CLASSES, ((0, 2), (), (1,))), ("number", (), (1.25, -3.0, 7.0))],
)
def test_the_table_of_splits_keeps_every_kind_of_label(labelling, classes, labels):
    train, validation, test = (
        (Sample(Path("photos"), name, label, f"{at:032x}"),)
        for at, (name, label) in enumerate(zip("abc", labels, strict=True))
    )
    splits = DataSplits(Path("photos"), classes, train, validation, test, labelling=labelling)
    assert DataSplits.from_csv(splits.to_csv(), Path("photos")) == splits


def test_a_store_has_the_labels_of_what_can_be_read(draw, tmp_path):
    for name in ("a.png", "c.png"):
        draw(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    samples = [
        Sample(tmp_path, name, label, digest * 32)
        for name, label, digest in (("a.png", (0, 2), "a"), ("b.png", (0,), "b"), ("c.png", (), "c"))
    ]
    store = prepare_store(
        samples,
        Preprocess(size=(8, 8), resize_to=8),
        classes=CLASSES,
        labelling="classes",
        purpose="training",
        cache_bytes=10**8,
        max_unreadable=1,
    )
    assert store.labels.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert [item.sample.name for item in store.unreadable] == ["b.png"]
