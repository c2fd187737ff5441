from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image
from tests.data.doctor.planting import scene

from hubel.data.duplicates import facts as module
from hubel.data.duplicates.facts import PictureFacts, facts_of, gather_facts, thumbnails_of
from hubel.data.sources import Sample


def sample_of(path):
    return Sample(path.parent, path.name, 0, hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest())


def test_what_a_file_says_of_itself(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = scene(0).resize((90, 60))
    image.save(tmp_path / "turned.jpg", exif=exif)
    facts = facts_of(sample_of(tmp_path / "turned.jpg"))
    assert (facts.format, facts.mode, facts.bits, facts.orientation, facts.frames) == ("JPEG", "RGB", 8, 6, 1)
    assert (facts.width, facts.height) == (60, 90)  # as it is shown
    assert not facts.transparent
    grey = image.rotate(-90, expand=True).convert("L").resize((32, 32), Image.Resampling.BOX)
    (thumbnail,) = thumbnails_of([facts])
    assert np.abs(thumbnail.astype(int) - np.asarray(grey).astype(int)).mean() < 2  # but for JPEG
    assert (facts.darkest, facts.brightest) == (thumbnail.min(), thumbnail.max())


@pytest.mark.parametrize(
    ("name", "image", "bits", "transparent"),
    [
        ("deep.png", Image.fromarray(np.full((20, 20), 40_000, dtype=np.uint16)), 16, False),
        ("float.tiff", Image.fromarray(np.full((20, 20), 0.5, dtype=np.float32)), 32, False),
        ("bits.png", Image.new("1", (20, 20)), 1, False),
        ("opaque.png", Image.new("RGBA", (20, 20), (1, 2, 3, 255)), 8, False),
        ("clear.png", Image.new("RGBA", (20, 20), (1, 2, 3, 254)), 8, True),
        ("grey.png", Image.new("LA", (20, 20), (1, 0)), 8, True),
    ],
)
def test_bits_and_transparency(tmp_path, name, image, bits, transparent):
    image.save(tmp_path / name)
    facts = facts_of(sample_of(tmp_path / name))
    assert (facts.bits, facts.transparent) == (bits, transparent)


def test_a_film_that_is_cut_off_is_its_first_frame(tmp_path):
    frames = [scene(number).quantize(64) for number in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "film.gif").read_bytes()
    assert facts_of(sample_of(tmp_path / "film.gif")).frames == 3
    for share in (0.5, 0.7, 0.9):
        (tmp_path / "film.gif").write_bytes(whole[: int(share * len(whole))])
        facts = facts_of(sample_of(tmp_path / "film.gif"))
        assert facts.reason == ""
        assert facts.frames >= 1


def test_why_a_picture_is_unreadable(tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    assert facts_of(sample_of(tmp_path / "text.jpg")) == PictureFacts(reason="it is no image that Pillow knows")
    gone = Sample(tmp_path, "gone.jpg", 0, "0" * 32)
    assert facts_of(gone) == PictureFacts(reason="No such file or directory")


def test_copies_are_opened_once_and_all_is_remembered(tmp_path, monkeypatch):
    for name, seed in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        scene(seed).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes(b"nothing")
    samples = [sample_of(path) for path in sorted(tmp_path.glob("*.png"))]
    opened = []
    monkeypatch.setattr(module, "facts_of", lambda sample: opened.append(sample.name) or facts_of(sample))
    told = []
    first = gather_facts(samples, lambda done, total: told.append((done, total)))
    assert len(opened) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert gather_facts(samples) == first
    assert len(opened) == 3
    assert first[samples[3].digest].reason == "it is no image that Pillow knows"


def test_what_was_opened_before_an_interruption_is_remembered(tmp_path, monkeypatch):
    for number in range(40):
        scene(number, 40).save(tmp_path / f"{number:02}.png")
    samples = [sample_of(path) for path in sorted(tmp_path.glob("*.png"))]

    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather_facts(samples, stop)
    opened = []
    monkeypatch.setattr(module, "facts_of", lambda sample: opened.append(sample.name) or facts_of(sample))
    assert len(gather_facts(samples)) == 40
    assert len(opened) == 20
