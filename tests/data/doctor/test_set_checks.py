"""Findings about the set as a whole."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image
from tests.data.doctor.planting import clean_set, recoded, scene

from hubel.data.division.groups import Grouping
from hubel.data.doctor.diagnosis import diagnose
from hubel.data.doctor.examination import examine


@pytest.fixture
def root(tmp_path):
    return clean_set(tmp_path / "set", [scene(seed) for seed in range(60)])


def findings(data, **options):
    return {finding.kind: finding for finding in diagnose(examine(data, **options)).findings}


def test_a_class_that_a_split_lacks(root):
    shutil.rmtree(root / "validation" / "owl")
    found = findings(root)
    assert found["missing_classes"].title == "validation has no pictures of owl"
    assert found["missing_classes"].level == "problem"


def test_rare_classes_and_imbalance(root):
    for number, path in enumerate(sorted((root / "train" / "owl").iterdir())):
        if number >= 1:
            path.unlink()
    found = findings(root)
    assert found["rare_classes"].advice == "Add pictures, or join classes: owl (1)."
    assert found["imbalance"].title == "the largest class is 12.0 times the smallest: cat 12, owl 1"
    assert found["imbalance"].level == "warning"


def test_groups_in_several_splits(root):
    found = findings(root, grouping=Grouping(r"^(\d\d\d)\d\."))
    finding = found["groups_across_splits"]
    assert finding.title == "6 groups of 6 with pictures in several splits"
    assert finding.cases[0].remark == "000: 9 in train, 1 in validation"
    first = finding.cases[0].pictures
    assert [picture.split for picture in first[:2]] == ["train", "validation"]


def test_groups_within_a_split_are_fine(root):
    assert findings(root, grouping=Grouping(r"^(\d+)\.")) == {}


def test_copies_in_one_split_and_across(root):
    shutil.copy(root / "train" / "cat" / "0000.jpg", root / "train" / "cat" / "copy.jpg")
    shutil.copy(root / "train" / "dog" / "0001.jpg", root / "validation" / "dog" / "copy.jpg")
    found = findings(root)
    assert found.keys() == {"duplicates", "duplicates_across_splits"}
    assert [picture.name for picture in found["duplicates"].cases[0].pictures] == [
        "train/cat/0000.jpg",
        "train/cat/copy.jpg",
    ]
    assert found["duplicates_across_splits"].title == "1 picture with identical copies in another split"


def test_a_family_of_copies_is_told_once(root):
    shutil.copy(root / "train" / "cat" / "0000.jpg", root / "test" / "cat" / "copy.jpg")
    recoded(scene(0), 50).save(root / "test" / "cat" / "again.jpg")
    found = findings(root)
    assert found.keys() == {"near_duplicates_across_splits"}
    (case,) = found["near_duplicates_across_splits"].cases
    assert {picture.name for picture in case.pictures} == {
        "train/cat/0000.jpg",
        "test/cat/copy.jpg",
        "test/cat/again.jpg",
    }
    assert case.remark.startswith("similarity ")


def test_copies_under_another_label(root):
    recoded(scene(0), 50).save(root / "train" / "dog" / "again.jpg")
    found = findings(root)
    assert found.keys() == {"contradicting_labels"}
    assert found["contradicting_labels"].title == "1 picture with copies under another label"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("the size", lambda path: Image.open(path).resize((120, 150)).save(path)),
        ("the colour mode", lambda path: Image.open(path).convert("L").save(path)),
    ],
)
def test_files_that_tell_the_class(root, name, change):
    for path in root.rglob("owl/*.jpg"):
        change(path)
    found = findings(root)
    assert found["shortcut"].title == f"{name} alone tells the class of 67% of the pictures"


def test_several_labels_a_picture(root, tmp_path):
    rows = [
        f"set/train/cat/{path.name},cat|{'fur' if n % 2 else ''}"
        for n, path in enumerate((root / "train/cat").iterdir())
    ]
    rows += [f"set/train/dog/{path.name}," for path in (root / "train/dog").iterdir()]
    (tmp_path / "several.csv").write_text("path,labels\n" + "\n".join(rows))
    examination = examine(tmp_path / "several.csv")
    assert examination.counts() == {None: {"cat": 12, "fur": 6}}
    found = findings(tmp_path / "several.csv")
    assert found["no_class"].title == "12 pictures of no class"
    assert found.keys() == {"no_class", "rare_classes"}


def test_numbers(root, tmp_path):
    files = sorted((root / "train").rglob("*.jpg"))
    rows = [f"{path.relative_to(tmp_path).as_posix()},{number / 2}" for number, path in enumerate(files)]
    (tmp_path / "ages.csv").write_text("path,value\n" + "\n".join(rows))
    diagnosis = diagnose(examine(tmp_path / "ages.csv"))
    assert diagnosis.findings == ()
    assert diagnosis.to_dict()["values"] == {"least": 0.0, "median": 8.75, "greatest": 17.5}
    assert diagnosis.to_dict()["classes"] == []


def test_near_duplicates_may_have_different_numbers_and_identical_files_may_not(root, tmp_path):
    recoded(scene(0), 50).save(root / "train" / "cat" / "again.jpg")
    shutil.copy(root / "train" / "dog" / "0001.jpg", root / "train" / "dog" / "copy.jpg")
    files = sorted((root / "train").rglob("*.jpg"))
    rows = [f"{path.relative_to(tmp_path).as_posix()},{number}" for number, path in enumerate(files)]
    (tmp_path / "ages.csv").write_text("path,value\n" + "\n".join(rows))
    found = findings(tmp_path / "ages.csv")
    assert found.keys() == {"contradicting_labels", "near_duplicates"}
    for kind, names in {"contradicting_labels": "dog/0001 dog/copy", "near_duplicates": "cat/0000 cat/again"}.items():
        (case,) = found[kind].cases
        assert {picture.name for picture in case.pictures} == {f"set/train/{name}.jpg" for name in names.split()}
