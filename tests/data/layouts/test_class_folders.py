from __future__ import annotations

from pathlib import Path

import pytest

from hubel.data.layouts.finding import find_source
from hubel.data.sources import Source, split_called
from hubel.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def of_class(found: Source, split: str | None, name: str) -> list[str]:
    return [entry.file.name for entry in found.splits[split] if entry.label == name]


def test_class_folders_without_splits_hold_their_nested_pictures(tmp_path):
    found = find_source(touch(tmp_path, "dog/1.jpg", "dog/2020/may/2.JPEG", "cat/a.PNG", "cat/b.webp"))
    assert found.classes == ("cat", "dog")
    assert set(found.splits) == {None}
    assert of_class(found, None, "dog") == ["dog/1.jpg", "dog/2020/may/2.JPEG"]


def test_hidden_things_are_no_classes_and_no_pictures(tmp_path):
    touch(tmp_path, "a/1.png", "b/1.png", ".hidden/1.png", "__MACOSX/a/1.png", "a/.2.png", "a/.thumbnails/3.png")
    found = find_source(tmp_path)
    assert found.classes == ("a", "b")
    assert of_class(found, None, "a") == ["a/1.png"]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "VALID", "Testing"),
        ("TRAIN", "dev", "test"),
        ("train", "validation", "TEST"),
    ],
)
def test_split_folders_under_their_usual_names(tmp_path, train, validation, test):
    for folder in (train, validation, test):
        touch(tmp_path, f"{folder}/a/1.png", f"{folder}/b/1.png")
    found = find_source(tmp_path)
    assert set(found.splits) == {"train", "validation", "test"}
    assert of_class(found, "validation", "b") == [f"{validation}/b/1.png"]


def test_trains_may_be_a_class(tmp_path):
    assert find_source(touch(tmp_path, "train/1.png", "bus/1.png", "car/1.png")).classes == (
        "bus",
        "car",
        "train",
    )
    touch(tmp_path, "train/old/2.png")
    assert find_source(tmp_path).classes == ("bus", "car", "train")


def test_what_is_passed_over_is_noted(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png")
    touch(tmp_path, "extra/a/1.png", "loose.png", "train/loose.png", "LICENSE")
    touch(tmp_path, "a.txt", "b.TXT", "c.mov", "d.xmp", "e.ini", "train/a/1.HEIC", "train/a/2.heic", "test/b/1.dng")
    for number in range(3):
        (tmp_path / "train" / "a" / f"moved{number}.png").symlink_to(tmp_path / "nowhere.png")
    assert find_source(tmp_path).notes == (
        "pictures passed over that hubel does not read: 3 (2 .heic, 1 .dng); convert them to JPEG or PNG",
        "files passed over that are no images: 9 (3 links to nothing, 2 .txt, 1 without extension, 1 .ini, ...)",
        "folder 'extra' beside the split folders was passed over",
        "images outside class folders passed over: 2 (such as loose.png)",
    )


def test_class_folders_that_may_be_splits_are_noted(tmp_path):
    touch(tmp_path, "mytrain/cat/1.png", "mytrain/dog/1.png", "mytest/cat/1.png", "mytest/dog/1.png")
    source = find_source(tmp_path)
    assert source.classes == ("mytest", "mytrain")
    (note,) = source.notes
    assert note.startswith("every class folder has the same folders within (cat, dog): if those are the classes, call")
    touch(tmp_path, "mytest/1.png")
    assert find_source(tmp_path).notes == ()


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(
        DataError, match=r"nowhere does not exist: expected a folder with one folder of images per class"
    ):
        find_source(tmp_path / "nowhere")


def test_a_path_that_is_a_file(tmp_path):
    with pytest.raises(DataError, match=r"a\.png is a file: expected a folder"):
        find_source(touch(tmp_path, "a.png") / "a.png")


def test_a_folder_without_images(tmp_path):
    with pytest.raises(
        DataError, match=r"has no images; files passed over .*: 2 \(1 \.csv, 1 \.txt\): expected a folder"
    ):
        find_source(touch(tmp_path, "a/1.txt", "b/2.csv"))


def test_images_without_class_folders(tmp_path):
    with pytest.raises(DataError, match=r"has 2 images but no class folders: expected"):
        find_source(touch(tmp_path, "1.png", "2.png"))


def test_an_empty_class_folder(tmp_path):
    (touch(tmp_path, "a/1.png", "b/1.png") / "c").mkdir()
    with pytest.raises(DataError, match=r"class folder 'c' has no images \(.*png.*\): add some or remove the folder"):
        find_source(tmp_path)


def test_an_empty_split_folder(tmp_path):
    (touch(tmp_path, "train/a/1.png", "train/b/1.png") / "test").mkdir()
    with pytest.raises(DataError, match=r"the test folder 'test' has no images"):
        find_source(tmp_path)


def test_two_folders_for_one_split(tmp_path):
    touch(tmp_path, "train/a/1.png", "val/a/1.png", "validation/a/1.png")
    with pytest.raises(DataError, match=r"two folders for validation, 'val' and 'validation': keep one"):
        find_source(tmp_path)


def test_one_class_name_in_two_spellings(tmp_path):
    touch(tmp_path, "caf\u00e9/1.png", "cafe\u0301/1.png", "bar/1.png")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system takes both spellings for one name")
    with pytest.raises(DataError, match=r"two folders under .* are both called 'caf\u00e9'"):
        find_source(tmp_path)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("TRAIN_SET", "train"),
        ("images-train", "train"),
        ("valid", "validation"),
        ("val", "validation"),
        ("dev", "validation"),
        ("Validation Data", "validation"),
        ("testing", "test"),
        ("eval", "test"),
        ("test_images", "test"),
        ("train2017", "train"),
        ("02_test", "test"),
        ("train1", None),  # and train2: kinds of trains, perhaps
        ("train_test", None),
        ("trains", None),
        ("images", None),
        ("2017", None),
        ("seg_train", None),
        ("", None),
    ],
)
def test_names_of_splits(name, split):
    assert split_called(name) == split


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("seg_train", "seg_test", "seg_pred"), {"train", "test"}),
        (("clothes-train", "clothes-val", "clothes-test"), {"train", "validation", "test"}),
        (("Train_v2", "Test_v2"), {"train", "test"}),
        (("night_train", "day_train"), {None}),
        (("model_train", "model_ship"), {None}),
        (("red_train", "blue_test"), {None}),
    ],
)
def test_what_folders_of_splits_have_in_common_does_not_count(tmp_path, folders, splits):
    for folder in folders:
        touch(tmp_path, f"{folder}/a/1.png", f"{folder}/b/1.png")
    found = find_source(tmp_path)
    assert set(found.splits) == splits
    assert found.classes == (("a", "b") if None not in splits else tuple(sorted(folders)))


def test_a_split_in_a_folder_of_its_own_name(tmp_path):
    touch(tmp_path, "train/train/a/1.png", "train/train/b/2.png", "test/test/a/3.png", "test/test/b/4.png")
    found = find_source(tmp_path)
    assert found.classes == ("a", "b")
    assert of_class(found, "test", "b") == ["test/test/b/4.png"]
    touch(tmp_path, "train/bus/5.png", "test/bus/6.png")
    assert find_source(tmp_path).classes == ("bus", "test", "train")  # where there is more, it is a class


def test_a_folder_that_holds_nothing_but_a_folder_is_looked_through(tmp_path):
    touch(tmp_path, "photos/pets/train/a/1.png", "photos/pets/train/b/1.png", "photos/pets/test/a/1.png")
    touch(tmp_path, "photos/pets/test/b/1.png", "photos/readme.txt")
    found = find_source(tmp_path)
    assert set(found.splits) == {"train", "test"}
    assert of_class(found, "test", "b") == ["photos/pets/test/b/1.png"]


def test_only_a_train_folder_is_a_split_nevertheless(tmp_path):
    found = find_source(touch(tmp_path, "train/a/1.png", "train/b/1.png"))
    assert set(found.splits) == {"train"}


def test_a_single_class_with_pictures_of_its_own_is_not_looked_through(tmp_path):
    assert find_source(touch(tmp_path, "cat/1.png", "cat/old/2.png", "cat/new/3.png")).classes == ("cat",)
