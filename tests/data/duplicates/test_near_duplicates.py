from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageOps
from tests.data.doctor.planting import crop, recoded, scene

from hubel.data.duplicates import near_duplicates as module
from hubel.data.duplicates.comparison import Comparison
from hubel.data.duplicates.near_duplicates import NearDuplicate, find_near_duplicates, near_duplicate_units
from hubel.data.sources import Sample


@pytest.fixture
def sample(tmp_path):
    """Saves a picture and gives its sample."""

    def save(name: str, image: Image.Image) -> Sample:
        path = tmp_path / name
        image.save(path)
        return Sample(tmp_path, name, 0, hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest())

    return save


def families(samples, **options):
    """The names of pictures that hang together."""
    found: dict[str, set[str]] = {}
    units = near_duplicate_units(find_near_duplicates(samples, **options))
    for each in samples:
        if each.digest in units:
            found.setdefault(units[each.digest], set()).add(each.name)
    return sorted(sorted(names) for names in found.values())


def test_copies_of_copies_and_mirror_images(sample):
    samples = [sample(f"{number}.png", scene(number)) for number in range(20)]
    samples.append(sample("again.png", recoded(scene(3), 60)))
    samples.append(sample("cropped.png", crop(scene(3), 0.04, 0.0, 0.02, 0.05)))
    samples.append(sample("turned.png", ImageOps.mirror(scene(7))))
    assert families(samples) == [["3.png", "again.png", "cropped.png"], ["7.png", "turned.png"]]
    assert [pair.mirrored for pair in find_near_duplicates(samples)].count(True) == 1
    assert families(samples, classes=("b", "d")) == []  # of letters, all may be alike


def test_a_film_hangs_together_by_few_pairs(sample):
    long = scene(0, 200)
    frames = [sample(f"{number:02}.png", long.crop((number, 0, number + 160, 160))) for number in range(40)]
    others = [sample(f"other{number}.png", scene(100 + number)) for number in range(5)]
    assert families(frames + others) == [[frame.name for frame in frames]]
    assert 39 <= len(find_near_duplicates(frames + others)) < 200  # of 780 pairs


def test_what_is_found_does_not_depend_on_how_many_pairs_are_compared_at_once(sample, monkeypatch):
    long = scene(0, 200)
    frames = [sample(f"{number:02}.png", long.crop((number, 0, number + 160, 160))) for number in range(24)]
    monkeypatch.setattr(module, "remembered_near_duplicates", lambda key: None)
    monkeypatch.setattr(module, "_BLOCK", 8)
    found = find_near_duplicates(frames)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 3)
    monkeypatch.setattr(module, "_PAIRS_PER_TASK", 2)
    monkeypatch.setattr(module, "_PAIRS_AHEAD", 16)
    fewer = find_near_duplicates(frames)
    assert [(pair.first, pair.second) for pair in fewer] == [(pair.first, pair.second) for pair in found]
    assert [pair.similarity for pair in fewer] == pytest.approx([pair.similarity for pair in found], abs=2e-4)


def test_files_of_the_same_pixels_are_compared_with_another_once(sample, tmp_path, monkeypatch):
    samples = [sample(f"{number}.png", scene(number)) for number in range(3)]
    for number in range(1, 9):  # bytes behind a picture's end do not change it
        path = tmp_path / f"0 again {number}.png"
        path.write_bytes(samples[0].read() + bytes([number]))
        samples.append(Sample(tmp_path, path.name, 0, hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()))
    samples.append(sample("coded.png", recoded(scene(0), 50)))
    monkeypatch.setattr(module, "ThreadPoolExecutor", lambda threads: ThreadPoolExecutor(1))  # two may do it at once
    compared = []
    correlations = Comparison._correlations
    monkeypatch.setattr(
        Comparison,
        "_correlations",
        lambda self, pairs, small: compared.append(len(pairs)) or correlations(self, pairs, small),
    )
    assert families(samples) == [["0 again " + f"{number}.png" for number in range(1, 9)] + ["0.png", "coded.png"]]
    assert sum(compared) == 2  # with itself, and with that which is coded


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
    broken = Sample(tmp_path, "broken.png", 0, "0" * 32)
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
