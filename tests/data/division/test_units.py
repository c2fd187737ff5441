"""What stays together when pictures are divided, and what divisions ask of several labels and of numbers."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubel.data.division.by_hash import deal_folds, divide, unit_keys
from hubel.data.division.splits import open_folds, open_splits
from hubel.data.labels import Label
from hubel.data.sources import Sample
from hubel.errors import DataError

FRACTIONS = {"test": 0.2, "validation": 0.2}


def sample(name: str, label: Label) -> Sample:
    return Sample(Path(), name, label, hashlib.blake2b(name.encode(), digest_size=16).hexdigest())


def scene(seed: int) -> Image.Image:
    """A picture with large and small shapes, unlike those of other seeds."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, quality: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    path.write_bytes(content.getvalue())


@pytest.fixture
def with_copies(tmp_path: Path) -> Path:
    """Class folders of twelve scenes each, every one of which is there again, smaller and coarser."""
    for number in range(24):
        name = ("cat", "dog")[number % 2]
        save(scene(number), tmp_path / "photos" / name / f"{number}.jpg", 95)
        save(scene(number).resize((96, 96)), tmp_path / "photos" / name / f"{number}-small.jpg", 60)
    return tmp_path / "photos"


def parts_of(parts) -> dict[str, set[int]]:
    """The parts that the copies of each scene are in."""
    found: dict[str, set[int]] = {}
    for number, part in enumerate(parts):
        for each in part:
            found.setdefault(each.name.removesuffix("-small.jpg").removesuffix(".jpg"), set()).add(number)
    return found


def test_near_duplicates_stay_together(with_copies):
    splits = open_splits(with_copies, validation_fraction=0.3, test_fraction=0.3)
    assert all(len(parts) == 1 for parts in parts_of((splits.train, splits.validation, splits.test)).values())
    assert splits.notes[0] == "near duplicates, which stay together: 48 pictures"
    folds = open_folds(with_copies, 4)
    assert all(len(parts) == 1 for parts in parts_of(folds.folds).values())
    held_out = folds.hold_out(2, 0.3)
    assert all(len(parts) == 1 for parts in parts_of((held_out.train, held_out.validation, held_out.test)).values())
    apart = open_splits(with_copies, validation_fraction=0.3, test_fraction=0.3, near_duplicates=0)
    assert any(len(parts) > 1 for parts in parts_of((apart.train, apart.validation, apart.test)).values())


def test_more_pictures_than_are_to_be_searched(with_copies):
    splits = open_splits(with_copies, near_duplicates=47)
    assert splits.notes[0].startswith(
        "near duplicates may come apart: they are not looked for among more than 47 pictures"
    )
    assert splits.fingerprint == open_splits(with_copies, near_duplicates=0).fingerprint


def test_a_class_of_few_scenes_may_come_apart(tmp_path):
    for number in range(12):
        save(scene(number), tmp_path / "photos" / "cat" / f"{number}.jpg", 95)
        save(scene(99), tmp_path / "photos" / "dog" / f"{number}.jpg", 80 + number)
    splits = open_splits(tmp_path / "photos")
    assert "near duplicates come apart, for a class has too few other pictures to be in every part" in splits.notes
    assert min(splits.counts()[split]["dog"] for split in ("train", "validation", "test")) >= 1
    assert len(open_folds(tmp_path / "photos", 3).folds) == 3


def test_groups_that_share_near_duplicates_are_one_unit():
    samples = [sample(name, 0) for name in "abcd"]
    groups = {"a": "one", "b": "two", "c": "two", "d": "three"}
    alike = dict.fromkeys((samples[0].digest, samples[1].digest), min(samples[0].digest, samples[1].digest))
    keys = unit_keys(samples, groups, alike)
    assert keys["a"] == keys["b"] == keys["c"] != keys["d"]
    assert len(set(unit_keys(samples, groups).values())) == 3
    alone = unit_keys(samples, {}, alike)
    assert alone["a"] == alone["b"] == min(samples[0].digest, samples[1].digest)
    assert (alone["c"], alone["d"]) == (samples[2].digest, samples[3].digest)


def test_rare_labels_may_miss_a_split_where_pictures_have_several():
    samples = [sample(f"{n}", (0, 1) if n < 30 else (0,) if n < 50 else ()) for n in range(60)]
    samples[0] = sample("0", (0, 1, 2))
    divided = divide(samples, FRACTIONS, ["a", "b", "rare"], unit_keys(samples, {}), every_class=False)
    assert sum(len(part) for part in divided.values()) == 60
    assert all(part for part in divided.values())
    for label in (0, 1):
        assert all(any(label in each.label for each in part) for part in divided.values())
    with pytest.raises(DataError, match=r"class 'rare' has 1 different picture: a division"):
        divide(samples, FRACTIONS, ["a", "b", "rare"], unit_keys(samples, {}))


def test_no_split_is_empty_where_labels_are_numbers():
    for start in range(200):
        samples = [sample(f"{start}-{n}", float(n)) for n in range(3)]
        divided = divide(samples, FRACTIONS, (), unit_keys(samples, {}), every_class=False)
        assert {split: len(part) for split, part in divided.items()} == {"test": 1, "validation": 1, "train": 1}
    with pytest.raises(
        DataError, match=r"there are 2 different pictures: a division into train, validation, test needs"
    ):
        divide(samples[:2], FRACTIONS, (), unit_keys(samples[:2], {}), every_class=False)


def test_folds_of_several_labels_have_even_shares_and_even_sizes():
    samples = [sample(f"{n}", tuple(label for label in range(3) if n % (label + 2) == 0)) for n in range(120)]
    fold_of = deal_folds(samples, 5, ["a", "b", "c"], unit_keys(samples, {}), every_class=False)
    assert max(Counter(fold_of.values()).values()) - min(Counter(fold_of.values()).values()) <= 1
    for label in range(3):
        counts = Counter(fold_of[each.name] for each in samples if label in each.label)
        assert max(counts.values()) - min(counts.values()) <= 2


def test_folds_of_numbers_have_small_and_great_ones_each():
    samples = [sample(f"{n}", float(n)) for n in range(50)]
    fold_of = deal_folds(samples, 5, (), unit_keys(samples, {}), every_class=False)
    means = [np.mean([each.label for each in samples if fold_of[each.name] == fold]) for fold in range(1, 6)]
    assert set(Counter(fold_of.values()).values()) == {10}
    assert max(means) - min(means) <= 4.01
    with pytest.raises(DataError, match=r"60 folds of 50 pictures: a fold has at least one picture"):
        deal_folds(samples, 60, (), unit_keys(samples, {}), every_class=False)


@pytest.mark.parametrize("column", ["labels", "value"])
def test_manifests_of_several_labels_and_of_numbers_are_divided(class_folders, tmp_path, column):
    class_folders(cat=20, dog=20)
    cells = {"labels": lambda n: "|".join(name for name, every in (("a", 2), ("b", 3)) if n % every == 0), "value": str}
    rows = [f"photos/{name}/{n}.png,{cells[column](n)}\n" for name in ("cat", "dog") for n in range(20)]
    (tmp_path / "m.csv").write_text(f"path,{column}\n" + "".join(rows))
    splits, folds = open_splits(tmp_path / "m.csv"), open_folds(tmp_path / "m.csv", 3)
    assert splits.labelling == folds.labelling == folds.hold_out(1, 0.2).labelling
    assert splits.labelling == {"labels": "classes", "value": "number"}[column]
    assert sum(len(splits.split(split)) for split in ("train", "validation", "test")) == 40
    assert sum(len(fold) for fold in folds.folds) == 40
    assert splits.from_csv(splits.to_csv(), tmp_path).train == splits.train


def test_a_class_that_only_one_split_has_is_noted_where_pictures_have_several(class_folders, tmp_path):
    class_folders(cat=6)
    rows = [
        f"photos/cat/{n}.png,{label},{split}\n"
        for n, (label, split) in enumerate(
            [("a", "train"), ("a|b", "train"), ("a", "val"), ("c", "val"), ("a", "test"), ("", "test")]
        )
    ]
    (tmp_path / "m.csv").write_text("path,labels,split\n" + "".join(rows))
    notes = open_splits(tmp_path / "m.csv").notes
    assert notes == ("train has no pictures of c", "validation has no pictures of b", "test has no pictures of b")
