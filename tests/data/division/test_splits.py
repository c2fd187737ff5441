from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.places import write_masks

from hubel.data.collecting import labelled_splits
from hubel.data.division.by_hash import divide, unit_keys
from hubel.data.division.splits import DataSplits, open_splits
from hubel.data.files.digests import digest_files
from hubel.data.files.listing import list_folder
from hubel.data.layouts.finding import find_source
from hubel.data.sources import Sample, Source
from hubel.errors import ConfigError, DataError

SPLITS = ("train", "validation", "test")


def digests_of(root: Path, read=None) -> dict[str, str]:
    return digest_files(root, list_folder(root).files, read or find_source(root).read)


def split_of(splits: DataSplits) -> dict[str, str]:
    return {sample.name: split for split in SPLITS for sample in splits.split(split)}


def counted(splits: DataSplits) -> dict[str, int]:
    return {split: len(splits.split(split)) for split in SPLITS}


def test_a_folder_without_splits_is_divided_by_content(class_folders):
    splits = open_splits(class_folders(cat=100, dog=100))
    assert splits.classes == ("cat", "dog")
    assert {(sample.path.parent.name, splits.classes[sample.label]) for sample in splits.train} == {
        ("cat", "cat"),
        ("dog", "dog"),
    }
    for split in SPLITS:  # every picture where the number that its digest is falls
        for sample in splits.split(split):
            assert sample.digest == hashlib.blake2b(sample.path.read_bytes(), digest_size=16).hexdigest()
            position = int(sample.digest, 16) / 16**32
            assert split == ("test" if position < 0.15 else "validation" if position < 0.3 else "train")
    assert sum(counted(splits).values()) == 200
    assert splits.notes == ("no splits: divided by content, 15% validation, 15% test",)


def test_the_division_stays_as_files_come(class_folders, draw):
    root = class_folders(cat=60, dog=60)
    before = split_of(open_splits(root))
    for number in range(60):
        draw(root / "cat" / f"new{number}.png", 10_000 + number)
    (root / "dog" / "0.png").unlink()
    after = split_of(open_splits(root))
    before.pop("dog/0.png")
    assert {name: after[name] for name in before} == before


def test_the_division_follows_content_not_names(class_folders):
    root = class_folders(cat=40, dog=40)
    before = {sample.digest for sample in open_splits(root).test}
    for number in range(40):
        (root / "cat" / f"{number}.png").rename(root / "cat" / f"renamed{number}.png")
    assert {sample.digest for sample in open_splits(root).test} == before


def test_every_class_is_in_every_split_from_three_pictures_on(class_folders):
    counts = open_splits(class_folders(a=3, b=3, c=4, d=50)).counts()
    assert all(count >= 1 for of_class in counts.values() for count in of_class.values())
    assert {split: counts[split]["a"] for split in SPLITS} == dict.fromkeys(SPLITS, 1)


def test_the_smallest_digest_moves_to_a_split_that_would_miss_the_class():
    digests = [f"{position:02x}" + "0" * 30 for position in (0x60, 0x70, 0x80, 0x90)]
    samples = [Sample(Path(), digest, 0, digest) for digest in digests]
    divided = divide(samples, {"test": 0.15, "validation": 0.15}, ["a"], unit_keys(samples, {}))
    assert {split: [sample.digest for sample in of_split] for split, of_split in divided.items()} == {
        "test": digests[:1],
        "validation": digests[1:2],
        "train": digests[2:],
    }


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=60))
def test_dividing_keeps_all_and_never_parts_identical_files(pictures):
    samples = [
        Sample(Path(), str(n), label, hashlib.blake2b(bytes([content]), digest_size=16).hexdigest())
        for n, (label, content) in enumerate(pictures)
    ]
    labels = {sample.label for sample in samples}
    distinct = {label: len({s.digest for s in samples if s.label == label}) for label in labels}
    classes = [str(label) for label in range(max(labels) + 1)]
    if min(distinct.get(label, 0) for label in range(len(classes))) < 3:
        with pytest.raises(DataError, match="different picture"):
            divide(samples, {"test": 0.15, "validation": 0.15}, classes, unit_keys(samples, {}))
        return
    divided = divide(samples, {"test": 0.15, "validation": 0.15}, classes, unit_keys(samples, {}))
    assert sorted(s.name for of_split in divided.values() for s in of_split) == sorted(s.name for s in samples)
    digests = [{s.digest for s in of_split} for of_split in divided.values()]
    assert not digests[0] & digests[1]
    assert not digests[0] & digests[2]
    assert not digests[1] & digests[2]


def test_missing_validation_is_taken_from_train_never_from_test(class_folders):
    class_folders("train", cat=80, dog=80)
    root = class_folders("test", cat=20, dog=20)
    splits = open_splits(root)
    assert counted(splits)["test"] == 40
    assert all(sample.name.startswith("train/") for sample in (*splits.train, *splits.validation))
    assert 10 <= len(splits.validation) <= 40
    assert splits.notes == ("no validation split: taken from train by content, 15% validation; test is left alone",)


def test_a_missing_test_folder_beside_validation_means_no_test(class_folders):
    class_folders("train", cat=5, dog=5)
    splits = open_splits(class_folders("val", cat=2, dog=2))
    assert counted(splits) == {"train": 10, "validation": 4, "test": 0}
    assert splits.counts() == {"train": {"cat": 5, "dog": 5}, "validation": {"cat": 2, "dog": 2}}
    assert "no test split" in splits.notes[0]


def test_a_train_folder_alone_is_divided(class_folders):
    splits = open_splits(class_folders("train", cat=50, dog=50))
    assert all(splits.split(split) for split in SPLITS)
    assert splits.notes == ("only a train split: divided by content, 15% validation, 15% test",)


def test_without_validation_all_but_the_test_trains(class_folders):
    told = "no validation: all pictures but those of the test train, and the last epoch is kept"
    root = class_folders(cat=40, dog=40)
    usual, splits = open_splits(root), open_splits(root, validation_fraction=0)
    assert splits.test == usual.test
    assert {each.name for each in splits.train} == {each.name for each in (*usual.train, *usual.validation)}
    assert not splits.validation
    assert splits.notes == (told, "no splits: divided by content, 15% test")


def test_without_validation_the_pictures_of_a_validation_split_train_too(class_folders):
    class_folders("train", cat=5, dog=5)
    root = class_folders("val", cat=30, dog=30)
    assert open_splits(root, validation_fraction=0).notes[1] == "no test split: divided by content, 15% test"
    splits = open_splits(class_folders("test", cat=3, dog=3), validation_fraction=0)
    assert counted(splits) == {"train": 70, "validation": 0, "test": 6}
    assert all(sample.name.startswith("test/") for sample in splits.test)
    assert splits.counts().keys() == {"train", "test"}


def test_a_split_that_loses_all_to_duplicates(class_folders):
    class_folders("train", cat=3, dog=3)
    class_folders("test", cat=3, dog=3)
    root = class_folders("val", cat=1, dog=1)
    for name in ("cat", "dog"):
        shutil.copy(root / "test" / name / "0.png", root / "val" / name / "0.png")
    with pytest.raises(DataError, match="validation has no pictures left: they are identical to those of another"):
        open_splits(root)
    assert counted(open_splits(root, validation_fraction=0)) == {"train": 6, "validation": 0, "test": 6}


def test_identical_files_stay_on_one_side(class_folders):
    class_folders("train", cat=6, dog=6)
    class_folders("validation", cat=3, dog=3)
    root = class_folders("test", cat=3, dog=3)
    shutil.copy(root / "test/cat/0.png", root / "validation/cat/copy.png")
    shutil.copy(root / "test/cat/0.png", root / "train/cat/copy.png")
    shutil.copy(root / "validation/dog/1.png", root / "train/dog/copy.png")
    splits = open_splits(root)
    assert counted(splits) == {"train": 12, "validation": 6, "test": 6}
    assert {item.sample.name: item.reason for item in splits.excluded} == {
        "validation/cat/copy.png": "identical to test/cat/0.png",
        "train/cat/copy.png": "identical to test/cat/0.png",
        "train/dog/copy.png": "identical to validation/dog/1.png",
    }
    assert splits.notes[0].startswith(
        "pictures of validation that are in a later split, too, were left out of validation: 1 (such"
    )
    assert splits.notes[1].startswith(
        "pictures of train that are in a later split, too, were left out of train: 2 (such"
    )


def test_identical_files_go_together_when_a_folder_is_divided(class_folders):
    root = class_folders(cat=30, dog=30)
    for number in range(30):
        shutil.copy(root / f"cat/{number}.png", root / f"cat/copy{number}.png")
    of_name = split_of(open_splits(root))
    assert all(of_name[f"cat/{number}.png"] == of_name[f"cat/copy{number}.png"] for number in range(30))


def test_identical_pictures_with_two_labels_are_kept_and_noted(class_folders):
    root = class_folders(cat=10, dog=10)
    shutil.copy(root / "cat/0.png", root / "dog/same.png")
    splits = open_splits(root)
    assert sum(counted(splits).values()) == 21
    assert splits.notes[0] == (
        "pictures with more than one label: 1 (such as cat/0.png and dog/same.png, identical but labelled 'cat' and "
        "'dog'): kept, but one of the labels is wrong"
    )


def test_empty_files_are_not_called_identical(class_folders):
    class_folders("train", cat=3, dog=3)
    root = class_folders("test", cat=3, dog=3)
    class_folders("val", cat=1, dog=1)
    for name in ("train/cat/zero.png", "test/dog/zero.png"):
        (root / name).touch()
    splits = open_splits(root)
    assert not splits.excluded
    assert not splits.notes


def test_a_file_that_cannot_be_opened_is_left_out(class_folders, monkeypatch):
    root = class_folders(cat=10, dog=10)
    read = Source.read

    def read_most(source, name):
        if name == "cat/1.png":
            raise PermissionError(name)
        return read(source, name)

    monkeypatch.setattr(Source, "read", read_most)
    splits = open_splits(root)
    assert sum(counted(splits).values()) == 19
    assert [(item.sample.name, item.reason) for item in splits.excluded] == [("cat/1.png", "the file cannot be opened")]
    assert splits.notes[0] == "files left out: 1 (such as cat/1.png: the file cannot be opened)"


def test_names_that_are_no_text_are_left_out(class_folders):
    root = class_folders(cat=10, dog=10)
    try:
        shutil.copy(os.fsencode(root / "cat/0.png"), os.fsencode(root / "cat") + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes text only")
    splits = open_splits(root)
    assert [item.reason for item in splits.excluded] == ["its name is not valid text"]
    assert splits.to_csv().encode()


def test_one_class_only(class_folders):
    with pytest.raises(DataError, match=r"has one class only, 'cat': expected at least two"):
        open_splits(class_folders(cat=10))


def test_a_class_that_train_does_not_have(class_folders):
    class_folders("train", cat=3, dog=3)
    root = class_folders("test", cat=3, dog=3, Cow=1)
    with pytest.raises(DataError, match=r"class 'Cow' is in test but not in train \(train has cat, dog\)"):
        open_splits(root)
    (root / "train" / "cow").mkdir()
    shutil.copy(root / "test/Cow/0.png", root / "train/cow/0.png")
    with pytest.raises(DataError, match=r"class 'Cow' is in test but not in train \(train has 'cow'\)"):
        open_splits(root)


def test_a_split_that_lacks_a_class(class_folders):
    class_folders("train", cat=3, dog=3)
    class_folders("val", cat=3, dog=3)
    with pytest.raises(DataError, match=r"test has no pictures of class 'dog', which train has: add some to test"):
        open_splits(class_folders("test", cat=3))


def test_a_split_that_loses_a_class_to_duplicates(class_folders):
    class_folders("train", cat=3, dog=1)
    class_folders("val", cat=3, dog=3)
    root = class_folders("test", cat=3, dog=3)
    shutil.copy(root / "test/dog/0.png", root / "train/dog/0.png")
    with pytest.raises(DataError, match=r"train has no pictures of class 'dog' left: its pictures are identical"):
        open_splits(root)


def test_a_split_of_pictures_without_classes_that_loses_all(tmp_path):
    root = write_masks(tmp_path, {"train": 4, "val": 1, "test": 2})
    (picture,) = (root / "val/images").iterdir()
    for folder in ("images", "masks"):
        shutil.copy(root / "val" / folder / picture.name, root / "test" / folder / "again.png")
    with pytest.raises(DataError, match="validation has no pictures left: they are identical to those of another"):
        open_splits(root)


def test_too_few_pictures_to_divide(class_folders):
    with pytest.raises(
        DataError, match=r"class 'dog' has 2 different pictures: .* train, validation, test needs at least 3"
    ):
        open_splits(class_folders(cat=10, dog=2))


def test_split_folders_without_train(class_folders):
    class_folders("test", cat=3, dog=3)
    with pytest.raises(DataError, match=r"has pictures for validation and test but none for train"):
        open_splits(class_folders("val", cat=3, dog=3))


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.0), (0.5, 0.5), (-0.1, 0.2), (0.0, 1.0)])
def test_fractions_that_leave_nothing(class_folders, validation, test):
    with pytest.raises(ConfigError, match=r"expected two numbers above 0 .* that leave something to train"):
        open_splits(class_folders(cat=10, dog=10), validation_fraction=validation, test_fraction=test)


def test_the_fingerprint_knows_content_labels_and_splits_but_not_the_place(class_folders, tmp_path, draw):
    root = class_folders(cat=20, dog=20)
    fingerprint = open_splits(root).fingerprint
    shutil.copytree(root, tmp_path / "elsewhere")
    assert open_splits(tmp_path / "elsewhere").fingerprint == fingerprint
    seen = {fingerprint, open_splits(root, test_fraction=0.4).fingerprint}
    (root / "cat").rename(root / "kitten")
    seen.add(open_splits(root).fingerprint)
    (root / "dog/0.png").rename(root / "dog/renamed.png")
    seen.add(open_splits(root).fingerprint)
    draw(root / "dog/1.png", 77_777)
    seen.add(open_splits(root).fingerprint)
    assert len(seen) == 5


def test_csv_and_back(class_folders):
    root = class_folders(**{"a, b": 20, 'c"d': 20})
    splits = open_splits(root)
    text = splits.to_csv()
    assert text.splitlines()[0] == "name,split,label,digest"
    again = DataSplits.from_csv(text, root)
    assert (again.train, again.validation, again.test) == (splits.train, splits.validation, splits.test)
    assert again.classes == splits.classes
    assert again.fingerprint == splits.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of splits"),
        ("name,split\na,b\n", "no table"),
        ("name,split,label,digest\na,dev,b,c\n", "'dev' is no split"),
    ],
)
def test_csv_that_is_none(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        DataSplits.from_csv(text, tmp_path)


def test_labelled_splits_take_the_models_order_of_classes(class_folders):
    class_folders("train", cat=2, dog=2)
    found = find_source(class_folders("test", cat=1))
    of_split, excluded = labelled_splits(found, ["dog", "cow", "cat"])
    assert {split: [(s.name, s.label) for s in samples] for split, samples in of_split.items()} == {
        "test": [("test/cat/0.png", 2)],
        "train": [
            ("train/cat/0.png", 2),
            ("train/cat/1.png", 2),
            ("train/dog/0.png", 0),
            ("train/dog/1.png", 0),
        ],
    }
    assert excluded == ()


def test_labelled_splits_name_a_class_that_the_model_does_not_know(class_folders):
    with pytest.raises(DataError, match=r"has a class 'cow' that the model does not know: expected cat, dog"):
        labelled_splits(find_source(class_folders(cat=1, cow=1)), ["cat", "dog"])


def test_digests_are_remembered_until_a_file_changes(class_folders, monkeypatch):
    root = class_folders(cat=10, dog=10)
    before = open_splits(root).fingerprint
    monkeypatch.setattr("hubel.data.files.digests.YOUNGEST_REMEMBERED", 0)
    assert open_splits(root).fingerprint == before

    def no_reading(source: Source, name: str) -> bytes:
        raise AssertionError(f"{name} was read again")

    with monkeypatch.context() as patched:
        patched.setattr(Source, "read", no_reading)
        assert open_splits(root).fingerprint == before
    (root / "cat/3.png").write_bytes(b"another content")
    assert open_splits(root).fingerprint != before


def test_a_change_that_keeps_size_and_time_is_noticed(class_folders, monkeypatch):
    monkeypatch.setattr("hubel.data.files.digests.YOUNGEST_REMEMBERED", 0)
    root = class_folders(cat=1)
    file = root / "cat/0.png"
    status, before = file.stat(), digests_of(root)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests_of(root) != before


def test_young_files_are_not_remembered(class_folders, monkeypatch):
    root = class_folders(cat=1)
    before = digests_of(root)
    assert digests_of(root, lambda name: b"read again") != before


@pytest.mark.parametrize("damage", ["no folder", "no database"])
def test_without_a_memory_all_still_works(class_folders, cache, damage):
    root = class_folders(cat=10, dog=10)
    before = open_splits(root).fingerprint
    if damage == "no folder":
        shutil.rmtree(cache)
        cache.write_text("in the way")
    else:
        next(cache.glob("*.sqlite")).write_bytes(b"not a database" * 1000)
    assert open_splits(root).fingerprint == before


def test_clothing_keeps_its_own_splits(shared):
    splits = open_splits(shared / "data" / "clothing")
    assert counted(splits) == {"train": 3068, "validation": 341, "test": 372}
    assert len(splits.classes) == 10
