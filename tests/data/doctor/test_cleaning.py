from __future__ import annotations

import csv
import hashlib
import shutil
import zipfile

import pytest
from tests.data.doctor.planting import clean_set, plant, recoded, scene
from tests.data.places import write_voc

from hubel.data.division.groups import Grouping
from hubel.data.division.splits import open_splits
from hubel.data.doctor.cleaning import clean, write_manifest
from hubel.data.doctor.diagnosis import diagnose
from hubel.data.doctor.examination import examine
from hubel.errors import DataError


@pytest.fixture
def root(tmp_path):
    return clean_set(tmp_path / "set", [scene(seed) for seed in range(60)])


def cleaned(root, out, **options):
    examination = examine(root, **options)
    write_manifest(out, examination, clean(examination))
    with out.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_a_clean_set_stays_as_it_is(root, tmp_path):
    rows = cleaned(root, tmp_path / "cleaned.csv")
    expected = {path.relative_to(tmp_path).as_posix() for path in root.rglob("*.jpg")}
    assert set(rows) == expected
    assert all(row["split"] == name.split("/")[1] and row["label"] == name.split("/")[2] for name, row in rows.items())


def test_planted_defects_are_gone_and_the_pictures_untouched(tmp_path):
    root = clean_set(tmp_path / "set", [scene(seed) for seed in range(120)])
    plant(root, 3)
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*") if path.is_file()}
    cleaned(root, tmp_path / "out" / "cleaned.csv")
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*") if path.is_file()} == before
    kinds = {finding.kind for finding in diagnose(examine(tmp_path / "out" / "cleaned.csv")).findings}
    assert kinds.isdisjoint({"unreadable", "duplicates", "duplicates_across_splits", "near_duplicates_across_splits"})
    assert "contradicting_labels" not in kinds
    open_splits(tmp_path / "out" / "cleaned.csv")  # can be trained on


def test_of_identical_files_that_of_test_stays(root, tmp_path):
    shutil.copy(root / "train" / "cat" / "0000.jpg", root / "test" / "cat" / "copy.jpg")
    rows = cleaned(root, tmp_path / "cleaned.csv")
    assert "set/test/cat/copy.jpg" in rows
    assert "set/train/cat/0000.jpg" not in rows


def test_identical_files_with_different_labels_all_go(root, tmp_path):
    shutil.copy(root / "train" / "cat" / "0000.jpg", root / "train" / "dog" / "copy.jpg")
    examination = examine(root)
    cleaning = clean(examination)
    assert {picture.name for picture, _ in cleaning.left_out} == {"train/cat/0000.jpg", "train/dog/copy.jpg"}
    assert cleaning.summary() == (
        "left in: 59 pictures; left out: 2 (2 identical with different labels); moved to another split: 0"
    )


def test_near_duplicates_go_where_most_of_them_are(root, tmp_path):
    for number, split in enumerate(("test", "test", "validation")):
        recoded(scene(0), 40 + number).save(root / split / "cat" / f"again{number}.jpg")
    recoded(scene(1), 40).save(root / "test" / "dog" / "again.jpg")
    rows = cleaned(root, tmp_path / "cleaned.csv")
    family = ["set/train/cat/0000.jpg", "set/test/cat/again0.jpg", "set/validation/cat/again2.jpg"]
    assert {rows[name]["split"] for name in family} == {"test"}
    pair = ["set/train/dog/0001.jpg", "set/test/dog/again.jpg"]  # of one each, to train
    assert {rows[name]["split"] for name in pair} == {"train"}


def test_groups_come_together_and_are_written(root, tmp_path):
    rows = cleaned(root, tmp_path / "cleaned.csv", grouping=Grouping(r"^(\d\d\d)\d\."))
    of_group = {}
    for row in rows.values():
        of_group.setdefault(row["group"], set()).add(row["split"])
    assert set(of_group) == {f"{number:03}" for number in range(6)}
    assert all(len(splits) == 1 for splits in of_group.values())


def test_a_split_that_is_empty_afterwards_is_told(tmp_path):
    for number in range(8):
        folder = tmp_path / "set" / ("test" if number < 2 else "train") / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        scene(number).save(folder / f"patient{number % 2}_{number}.png")
    cleaning = clean(examine(tmp_path / "set", grouping=Grouping(r"^(patient\d)_")))
    assert cleaning.summary() == "left in: 8 pictures; left out: 0; moved to another split: 2, so that test is empty"


def test_an_undivided_set_has_no_column_of_splits(tmp_path):
    for number in range(12):
        (tmp_path / "set" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        scene(number).save(tmp_path / "set" / "ab"[number % 2] / f"{number}.png")
    rows = cleaned(tmp_path / "set", tmp_path / "cleaned.csv")
    assert rows["set/a/0.png"] == {"path": "set/a/0.png", "label": "a"}


def test_pictures_in_an_archive_are_listed_behind_its_path(root, tmp_path):
    (root / "train" / "cat" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "there").mkdir()
    with zipfile.ZipFile(tmp_path / "there" / "set.zip", "w") as archive:
        for path in root.rglob("*.jpg"):
            archive.write(path, path.relative_to(root))
    rows = cleaned(tmp_path / "there" / "set.zip", tmp_path / "out" / "cleaned.csv")
    assert "../there/set.zip/train/cat/0000.jpg" in rows
    assert not any("broken" in name for name in rows)
    listed, packed = open_splits(tmp_path / "out" / "cleaned.csv"), open_splits(root)
    for split in ("train", "validation", "test"):
        assert {(s.digest, s.label) for s in listed.split(split)} == {
            (s.digest, s.label) for s in packed.split(split) if "broken" not in s.name
        }
    assert listed.train[0].read() == next(s for s in packed.train if s.digest == listed.train[0].digest).read()


def test_a_table_of_pictures_in_and_outside_of_an_archive_is_refused(root, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(root / "train" / "cat" / "0000.jpg", "cat/a.jpg")
    (tmp_path / "list.csv").write_text("path,label\nset.zip/cat/a.jpg,cat\nset/train/dog/0001.jpg,dog\n")
    with pytest.raises(
        DataError, match=r"lists pictures in .*set\.zip and others \(set/train/dog/0001\.jpg\): expected"
    ):
        open_splits(tmp_path / "list.csv")


def test_pictures_with_boxes_in_an_archive_have_no_paths(tmp_path):
    folder = write_voc(tmp_path / "set", {"train": 6, "val": 3})
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    with pytest.raises(DataError, match=r"but the pictures lie inside .*set\.zip: unpack it, and give the folder"):
        cleaned(tmp_path / "set.zip", tmp_path / "cleaned.csv")
    assert not (tmp_path / "cleaned.csv").exists()


def test_pictures_without_labels_are_listed_by_their_paths_alone(tmp_path):
    for number in range(4):
        (tmp_path / "set").mkdir(exist_ok=True)
        scene(number).save(tmp_path / "set" / f"{number}.png")
    (tmp_path / "set" / "broken.png").write_bytes(b"no picture")
    examination = examine(tmp_path / "set", labelling="none")
    write_manifest(tmp_path / "cleaned.csv", examination, clean(examination))
    assert (tmp_path / "cleaned.csv").read_text() == "path\nset/0.png\nset/1.png\nset/2.png\nset/3.png\n"
    again = examine(tmp_path / "cleaned.csv", labelling="none")
    assert [again.label_of(picture) for picture in again.pictures] == [""] * 4
