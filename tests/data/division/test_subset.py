"""A part of the training pictures: of every class, nested, drawn by a seed, and the same wherever the folder lies."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hubel
from hubel.data.division.splits import DataSplits
from hubel.data.division.subset import Subset
from hubel.data.labels import Labelling
from hubel.data.sources import Sample
from hubel.errors import ConfigError
from hubel.evaluation.selection import select_samples


def splits(counts: list[int], labelling: Labelling = "class") -> DataSplits:
    train = tuple(sample(f"{label}/{n}", label) for label, count in enumerate(counts) for n in range(count))
    if labelling != "class":
        train = tuple(sample(each.name, None) for each in train)
    classes = tuple(str(label) for label in range(len(counts)))
    return DataSplits(Path(), classes, train, (sample("v", 0),), (sample("t", 0),), labelling=labelling)


def sample(name: str, label: Any) -> Sample:
    return Sample(Path(), name, label, hashlib.blake2b(name.encode(), digest_size=16).hexdigest())


@settings(max_examples=50)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.floats(0.01, 1), st.integers(0, 3))
def test_a_share_is_of_every_class(counts: list[int], fraction: float, seed: int) -> None:
    whole = splits(counts)
    part = Subset(fraction, seed=seed).of(whole)
    drawn = Counter(each.label for each in part.train)
    assert all(drawn[label] == max(1, round(fraction * count)) for label, count in enumerate(counts))
    assert (part.validation, part.test) == (whole.validation, whole.test)
    assert [each for each in whole.train if each in part.train] == list(part.train)  # in the order that they had
    larger = Subset(min(1.0, 2 * fraction), seed=seed).of(whole)
    assert set(part.train) <= set(larger.train)


def test_the_seed_draws_and_the_order_of_files_does_not():
    whole = splits([30, 30])
    first, other = Subset(0.2, seed=0).of(whole), Subset(0.2, seed=1).of(whole)
    assert set(first.train) != set(other.train)
    turned = DataSplits(Path(), whole.classes, whole.train[::-1], whole.validation, whole.test)
    assert set(Subset(0.2, seed=0).of(turned).train) == set(first.train)
    assert first.notes[-1] == "12 of 60 training pictures are used (data.fraction=0.2, seed 0)"
    assert Subset().of(whole) is whole


def test_a_number_of_each_class():
    part = Subset(per_class=5, seed=2).of(splits([30, 3]))
    assert Counter(each.label for each in part.train) == {0: 5, 1: 3}


def test_without_classes_the_share_is_of_all():
    part = Subset(0.1).of(splits([20, 10], "none"))
    assert len(part.train) == 3
    assert len(Subset(0.01).of(splits([20, 10], "none")).train) == 2
    with pytest.raises(ConfigError, match=r"data.per_class is 5, but a picture has no class, or may have several: set"):
        Subset(per_class=5).of(splits([20, 10], "none"))


def test_a_run_on_a_part_is_measured_on_its_own_test_pictures(coloured_squares: Path, tmp_path: Path):
    settings = {"data.fraction": 0.2, "data.near_duplicates": 0, "threads": 1, "data.size": 32, "seed": 3}
    run = hubel.train(
        coloured_squares, model="resnet20_cifar", epochs=1, device="cpu", out=tmp_path / "run", settings=settings
    )
    rows = (run.dir / "splits.csv").read_text().splitlines()[1:]
    counted = Counter(row.split(",")[1] for row in rows)
    assert 3 <= counted["train"] <= 10
    chosen = select_samples(coloured_squares, [hubel.load(run.dir, device="cpu")], "auto")
    assert {each.name for each in chosen.samples} == {row.split(",")[0] for row in rows if row.split(",")[1] == "test"}


def test_two_ways_at_once_are_refused(coloured_squares: Path):
    with pytest.raises(ConfigError, match=r"data.fraction and data.per_class came: expected one of them"):
        hubel.train(coloured_squares, settings={"data.fraction": 0.2, "data.per_class": 5})
