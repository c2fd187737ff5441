from __future__ import annotations

from PIL import ImageOps
from tests.data.doctor.planting import clean_set, recoded, scene

from hubel.data.division.splits import open_splits
from hubel.data.doctor.brief import examine_in_brief


def test_nothing_to_tell_of_a_clean_set(tmp_path):
    root = clean_set(tmp_path / "set", [scene(seed) for seed in range(30)])
    assert examine_in_brief(open_splits(root), 1000) == []


def test_near_duplicates_on_both_sides_and_wrong_labels_are_told(tmp_path):
    root = clean_set(tmp_path / "a set", [scene(seed) for seed in range(30)])
    recoded(scene(0), 50).save(root / "test" / "cat" / "again.jpg")
    recoded(scene(1), 50).save(root / "train" / "owl" / "other.jpg")
    leak, label = examine_in_brief(open_splits(root), 1000)
    assert leak == (
        "near duplicates in different splits, so that figures are too good: 1 pair, such as train/cat/0000.jpg and "
        f"test/cat/again.jpg (`hubel data '{root}'` shows all)"
    )
    assert label.startswith(
        "near duplicates with different labels, of which one is wrong: 1 pair, such as train/dog/0001"
    )
    assert examine_in_brief(open_splits(root), 31) == []


def test_letters_are_alike_by_nature(tmp_path):
    root = clean_set(tmp_path / "set", [scene(seed) for seed in range(30)], classes=("b", "d", "p"))
    ImageOps.mirror(scene(0)).save(root / "test" / "d" / "turned.jpg", quality=95)
    assert examine_in_brief(open_splits(root), 1000) == []
