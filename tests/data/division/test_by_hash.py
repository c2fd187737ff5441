"""Folds and groups: what is dealt, by which rule, and what never comes apart."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.data.division.by_hash import deal_folds, divide, unit_keys
from hubel.data.division.groups import Grouping
from hubel.data.division.splits import open_folds, open_splits
from hubel.data.sources import Sample
from hubel.errors import ConfigError, DataError


def sample(name: str, label: int, content: int | str | None = None) -> Sample:
    digest = hashlib.blake2b(str(name if content is None else content).encode(), digest_size=16).hexdigest()
    return Sample(Path(), name, label, digest)


@settings(max_examples=100)
@given(st.lists(st.integers(3, 30), min_size=1, max_size=5), st.integers(2, 3))
def test_without_groups_folds_differ_by_one_picture_of_a_class_at_most(counts: list[int], folds: int) -> None:
    samples = [sample(f"{label}/{n}", label) for label, count in enumerate(counts) for n in range(count)]
    classes = [str(label) for label in range(len(counts))]
    fold_of = deal_folds(samples, folds, classes, unit_keys(samples, {}))
    assert set(fold_of) == {s.name for s in samples}
    for label, count in enumerate(counts):
        of_class = Counter(fold_of[s.name] for s in samples if s.label == label)
        assert set(of_class.values()) <= {count // folds, -(-count // folds)}
    sizes = Counter(fold_of.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1
    assert deal_folds(samples[::-1], folds, classes, unit_keys(samples, {})) == fold_of


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(0, 60)), min_size=1, max_size=80),
    st.integers(2, 4),
)
def test_groups_and_copies_never_come_apart(pictures: list[tuple[int, int, int]], folds: int) -> None:
    samples = [sample(f"{n}.png", label, content) for n, (label, _, content) in enumerate(pictures)]
    groups = {f"{n}.png": f"g{group}" for n, (_, group, _) in enumerate(pictures)}
    keys = unit_keys(samples, groups)
    for related in (lambda s: s.digest, lambda s: groups[s.name]):
        units = defaultdict(set)
        for s in samples:
            units[related(s)].add(keys[s.name])
        assert all(len(keys_of_unit) == 1 for keys_of_unit in units.values())
    try:
        fold_of = deal_folds(samples, folds, ["a", "b"], keys, grouped=True)
    except DataError as error:
        assert any(text in str(error) for text in ("folds of", "is in", "cannot be dealt"))  # noqa: PT017
        return
    for s in samples:
        assert {fold_of[t.name] for t in samples if keys[t.name] == keys[s.name]} == {fold_of[s.name]}
    for fold in range(1, folds + 1):
        assert {s.label for s in samples if fold_of[s.name] == fold} == {0, 1}


def test_groups_are_united_only_by_a_common_picture() -> None:
    samples = [sample("a.png", 0), sample("b.png", 0, "same"), sample("c.png", 0, "same"), sample("d.png", 0)]
    keys = unit_keys(samples, {"a.png": "one", "b.png": "one", "c.png": "two", "d.png": "three"})
    assert keys["a.png"] == keys["b.png"] == keys["c.png"] != keys["d.png"]
    assert keys["d.png"] == hashlib.blake2b(b"three", digest_size=16).hexdigest()


def test_the_rarest_class_is_dealt_first_and_large_groups_before_small_ones() -> None:
    # 3 groups with the rare class: each to a fold of its own, whatever else they hold
    groups = {"p1": (9, 1), "p2": (1, 1), "p3": (0, 2), "p4": (4, 0), "p5": (4, 0), "p6": (3, 0)}
    samples, group_of = [], {}
    for group, counts in groups.items():
        for label, count in enumerate(counts):
            for n in range(count):
                samples.append(sample(f"{group}-{label}-{n}", label))
                group_of[samples[-1].name] = group
    fold_of = deal_folds(samples, 3, ["common", "rare"], unit_keys(samples, group_of), grouped=True)
    of_group = {group: fold_of[f"{group}-{0 if counts[0] else 1}-0"] for group, counts in groups.items()}
    assert {of_group["p1"], of_group["p2"], of_group["p3"]} == {1, 2, 3}
    common = Counter(fold_of[s.name] for s in samples if s.label == 0)
    assert sorted(common.values()) == [5, 7, 9]


def test_too_many_folds() -> None:
    samples = [sample(f"{n}", n % 2) for n in range(10)]
    with pytest.raises(DataError, match="class 'a' has 5 different pictures: 6 folds need at least 6 of each class"):
        deal_folds(samples, 6, ["a", "b"], unit_keys(samples, {}))
    groups = {s.name: f"g{int(s.name) % 4}" for s in samples}
    with pytest.raises(DataError, match=r"5 folds of 4 groups: .* ask for fewer folds"):
        deal_folds(samples, 5, ["a", "b"], unit_keys(samples, groups), grouped=True)
    with pytest.raises(DataError, match="class 'a' is in 2 groups: 3 folds need at least 3"):
        deal_folds(samples, 3, ["a", "b"], unit_keys(samples, groups), grouped=True)
    with pytest.raises(DataError, match="class 'a' is in 1 group: a division into train, validation needs at least 2"):
        divide(samples, {"validation": 0.2}, ["a", "b"], unit_keys(samples, dict.fromkeys(groups, "g")), grouped=True)


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        (r"^(patient\d+)_", "cat/patient12_left.png", "patient12"),
        (r"^patient\d+", "cat/patient12_left.png", "patient12"),
        (r"/(p\d)/", "cat/p3/1.png", "p3"),
        (r"^(?:[a-z]+-)?(\d+)", "cat/x-7.png", "7"),
    ],
)
def test_a_pattern_finds_the_group(pattern: str, name: str, group: str) -> None:
    assert Grouping(pattern).groups_of([name]) == {name: group}


def test_groups_that_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.group is '\(', which is no regular expression"):
        Grouping("(").groups_of(["a.png"])
    with pytest.raises(DataError, match=r"no group for 1 of 2 pictures: the pattern '\^p' .* does not match a/x.png"):
        Grouping("^p").groups_of(["a/p.png", "a/x.png"])
    with pytest.raises(DataError, match=r"cannot read the table of groups .*gone\.csv"):
        Grouping(table=tmp_path / "gone.csv").groups_of(["a.png"])
    table = tmp_path / "groups.csv"
    for text, message in {
        "name,patient\na.png,1\n": "has the columns name, patient: expected path and group",
        "": "has the columns of an empty file: expected path and group",
        "path,group\na.png,1\na.png,2\n": "has a.png in two groups, '1' and '2'",
        "path,group\nb.png,1\n": r"no group for 1 of 1 picture: .* has no row for a.png",
        "path,group\na.png,\n": r"no group for 1 of 1 picture:",
    }.items():
        table.write_text(text)
        with pytest.raises(DataError, match=message):
            Grouping(table=table).groups_of(["a.png"])
    table.write_text("﻿group,path,more\n7,a.png,x\n8,other.png,y\n")
    assert Grouping(table=table).groups_of(["a.png"]) == {"a.png": "7"}
    with pytest.raises(ConfigError, match=r"data\.group and data\.groups both"):
        Grouping("a", table).groups_of(["a.png"])


def test_a_folder_is_divided_by_group_and_a_group_keeps_its_split(class_folders, draw) -> None:
    root = class_folders(cat=1, dog=1)
    for label, name in enumerate(("cat", "dog")):
        for picture in (root / name).iterdir():
            picture.unlink()
        for number in range(120):
            draw(root / name / f"p{number // 4:02}_{number}.png", 1000 * label + number)
    grouping = Grouping(r"^(p\d+)_")
    before = open_splits(root, grouping=grouping)
    assert any("divided by group, " in note for note in before.notes)
    split_of = {
        s.name.split("/")[1][:3]: split for split in ("train", "validation", "test") for s in before.split(split)
    }
    for split in ("train", "validation", "test"):
        assert {split_of[s.name.split("/")[1][:3]] for s in before.split(split)} == {split}
    draw(root / "cat" / "p00_new.png", 9999)
    after = open_splits(root, grouping=grouping)
    assert [s.name for s in after.split(split_of["p00"]) if "new" in s.name] == ["cat/p00_new.png"]


def test_a_wrong_pattern_is_told_even_where_nothing_is_divided(class_folders) -> None:
    class_folders("train", cat=3, dog=3)
    class_folders("val", cat=3, dog=3)
    root = class_folders("test", cat=3, dog=3)
    with pytest.raises(DataError, match=r"no group for 18 of 18 pictures"):
        open_splits(root, grouping=Grouping(r"^patient\d+"))


def test_held_out_folds_make_up_the_whole_and_a_test_folder_is_left_alone(class_folders) -> None:
    class_folders("train", cat=20, dog=11)
    class_folders("val", cat=4, dog=4)
    root = class_folders("test", cat=3, dog=3)
    folds = open_folds(root, 5)
    assert "test split are left alone" in folds.notes[-1]
    held: list[str] = []
    for fold in range(1, 6):
        splits = folds.hold_out(fold, 0.2)
        names = [{s.name for s in splits.split(split)} for split in ("train", "validation", "test")]
        assert sum(map(len, names)) == len(set().union(*names)) == 39
        assert not any(name.startswith("test/") for name in set().union(*names))
        assert all({s.label for s in splits.split(split)} == {0, 1} for split in ("train", "validation", "test"))
        assert splits.notes[-1].startswith(f"fold {fold} of 5: ")
        held += names[2]
        without = folds.hold_out(fold, 0)
        assert (len(without.train), without.validation, without.test) == (39 - len(splits.test), (), splits.test)
        assert "; no validation: all pictures but those of the test train" in without.notes[-1]
    assert len(held) == len(set(held)) == 39
