from __future__ import annotations

import hashlib

import pytest
from PIL import Image, ImageOps
from tests.data.doctor.planting import crop, recoded, scene

from hubel.data import near_duplicates as module
from hubel.data.near_duplicates import NearDuplicate, find_near_duplicates, near_duplicate_units
from hubel.data.sources import Sample


@pytest.fixture
def sample(tmp_path):
    """Saves a picture and gives its sample."""

    def save(name: str, image: Image.Image) -> Sample:
        path = tmp_path / name
        image.save(path)
        return Sample(path, name, 0, hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest())

    return save


def pairs(samples, **options):
    name_of = {sample.digest: sample.name for sample in samples}
    return {
        (*sorted((name_of[pair.first], name_of[pair.second])), pair.mirrored)
        for pair in find_near_duplicates(samples, **options)
    }


def test_copies_of_copies_and_mirror_images(sample):
    samples = [sample(f"{number}.png", scene(number)) for number in range(20)]
    samples.append(sample("again.png", recoded(scene(3), 60)))
    samples.append(sample("cropped.png", crop(scene(3), 0.04, 0.0, 0.02, 0.05)))
    samples.append(sample("turned.png", ImageOps.mirror(scene(7))))
    plain = {("3.png", "again.png", False), ("3.png", "cropped.png", False), ("again.png", "cropped.png", False)}
    assert pairs(samples) == plain | {("7.png", "turned.png", True)}
    assert pairs(samples, classes=("b", "d")) == set()  # of letters, all may be alike


def test_identical_files_are_one_picture(sample):
    samples = [sample("a.png", scene(0)), sample("b.png", scene(0)), sample("c.png", scene(1))]
    assert find_near_duplicates(samples) == []


def test_what_was_found_is_remembered_for_the_set_in_any_order(sample, monkeypatch):
    samples = [sample("a.png", scene(0)), sample("b.png", recoded(scene(0), 60)), sample("c.png", scene(1))]
    found = find_near_duplicates(samples)
    assert len(found) == 1
    monkeypatch.setattr(module, "gather_facts", None)  # would fail
    assert find_near_duplicates(samples[::-1]) == found
    with pytest.raises(TypeError):
        find_near_duplicates(samples[:2])


def test_small_and_unreadable_pictures_have_no_copies(sample, tmp_path):
    tiny = [sample(f"{size}.png", scene(0).resize((size, size))) for size in (8, 10, 12)]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = Sample(tmp_path / "broken.png", "broken.png", 0, "0" * 32)
    assert find_near_duplicates([*tiny, broken]) == []
    assert find_near_duplicates([]) == []


def test_a_picture_that_vanishes_during_the_search_is_like_no_other(sample, monkeypatch):
    samples = [sample("a.png", scene(0)), sample("b.png", recoded(scene(0), 60))]
    gather = module.gather_facts

    def gather_and_lose(*args):
        facts = gather(*args)
        samples[1].path.unlink()
        return facts

    monkeypatch.setattr(module, "gather_facts", gather_and_lose)
    assert find_near_duplicates(samples) == []


def test_units_hang_together_through_copies_of_copies():
    names = [("b", "c"), ("e", "d"), ("c", "f"), ("f", "a")]
    units = near_duplicate_units([NearDuplicate(first, second, 1.0, False) for first, second in names])
    assert units == {"a": "a", "b": "a", "c": "a", "f": "a", "d": "d", "e": "d"}
