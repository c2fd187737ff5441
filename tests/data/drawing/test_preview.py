from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.places import write_masks, write_voc

from hubel.data.augmentation import Augment
from hubel.data.collecting import labelled_splits
from hubel.data.drawing.letters import font_of
from hubel.data.drawing.preview import _FONT_SIZE, _LINES, _SMALLEST_CELL, _lines, preview_sheet
from hubel.data.layouts.finding import find_source
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.preprocessing import Preprocess

USUAL = Preprocess(size=(64, 64), resize_to=72)


@pytest.fixture
def samples(draw: Callable[..., Path], tmp_path: Path) -> list[Sample]:
    paths = [draw(tmp_path / f"{n}.png", n, size=(90, 80)) for n in range(12)]
    return [Sample(path.parent, path.name, n % 3, str(n)) for n, path in enumerate(paths)]


def cell(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    """A picture of 64 × 64 pixels, three times as large, with a margin of 8 and eight lines of text of 15 pixels."""
    top, left = 8 + row * (192 + 8 + 120), 8 + column * (192 + 8)
    return sheet[top : top + 192 : 3, left : left + 192 : 3]


def test_a_row_has_the_picture_as_evaluated_and_its_variants(samples):
    augment = Augment.preset("strong")
    sheet = np.asarray(preview_sheet(samples, ["a", "b", "c"], augment, USUAL, rows=3, variants=2, seed=7))
    assert sheet.shape == (3 * 320 + 8, 3 * 200 + 8, 3)
    # By label, then name: 0, 3, 6, 9, 1, 10, 4, 7, 11, 2, 5, 8; of these the first, the seventh and the last.
    for row, index in enumerate((0, 4, 8)):
        with Image.open(samples[index].path) as image:
            pixels = np.asarray(USUAL.resized(image))
        plain = Augment.preset("none").batch([pixels], np.ones((1, 8)), (64, 64))[0]
        assert np.abs(cell(sheet, row, 0).astype(int) - plain).max() <= 1
        for epoch in range(2):
            varied = augment.batch([pixels], augment.draws(7, epoch, np.array([index])), (64, 64))[0]
            assert np.abs(cell(sheet, row, epoch + 1).astype(int) - varied).mean() < 1
    texts = sheet[8 + 192 : 8 + 192 + 120, 8:200]
    assert (texts < 100).any()


def test_all_that_may_be_drawn_for_a_picture_finds_room_below_it():
    told = (
        "mirrored, flipped, rotate -14.3°, zoom -0.22, shear -4.3°, turn 270.0°, elastic 0.02, brightness +0.11, "
        "contrast +0.16, saturation +0.16, hue -6.2°, blur 0.9 px, noise 0.03"
    )
    lines = _lines(told, font_of(_FONT_SIZE), _SMALLEST_CELL)
    assert " ".join(lines) == told
    assert len(lines) <= _LINES
    assert all(font_of(_FONT_SIZE).getlength(line) <= _SMALLEST_CELL for line in lines)


@pytest.mark.parametrize(("name", "other"), [("Söckchen", "Säckchen"), ("жук", "лук")])
def test_names_are_written_in_letters_of_other_languages(samples, name, other):
    """A font without a letter writes the same box for it as for any other that it lacks."""
    sheets = [
        np.asarray(preview_sheet(samples[:1], [called], Augment.preset("none"), USUAL, rows=1, variants=1))
        for called in (name, other)
    ]
    captions = [sheet[8 + 192 : 8 + 192 + 120, 8:200] for sheet in sheets]
    assert (captions[0] != captions[1]).any()


def test_pictures_that_cannot_be_read_are_passed_over(samples, tmp_path):
    for sample in samples[1:]:
        sample.path.write_bytes(b"no picture")
    sheet = preview_sheet(samples, ["a", "b", "c"], Augment.preset("light"), USUAL, rows=4, variants=1)
    assert sheet.size == (2 * 200 + 8, 320 + 8)
    samples[0].path.unlink()
    with pytest.raises(DataError, match=r"no picture can be shown \(.*png: .*\): give a folder with pictures"):
        preview_sheet(samples, ["a", "b", "c"], Augment.preset("light"), USUAL)
    with pytest.raises(DataError, match=r"no picture can be shown \(there are none\)"):
        preview_sheet([], [], Augment.preset("light"), USUAL)


def test_pictures_of_several_labels_and_of_none_are_ordered(samples):
    labelled = [replace(sample, label=((), (0,), (0, 1), (1,))[at % 4]) for at, sample in enumerate(samples)]
    assert preview_sheet(labelled, ["a", "b"], Augment.preset("light"), USUAL, rows=4, variants=1).size[0] > 0


@pytest.mark.parametrize("kind", ["boxes", "mask"])
def test_boxes_and_masks_are_drawn(tmp_path, kind):
    """In the first column every box or mask is where `hubel.data.drawing.labels` draws it; varied ones differ."""
    root = {"boxes": write_voc, "mask": write_masks}[kind](tmp_path, 6)
    source = find_source(root)
    samples = labelled_splits(source, source.classes)[0][None]
    preprocess = Preprocess(size=(48, 64), resize="fit" if kind == "boxes" else "native")
    augment = Augment.preset("strong", {"boxes": "detection", "mask": "segmentation"}[kind])
    with_labels = np.asarray(preview_sheet(samples, source.classes, augment, preprocess, rows=2, variants=3))
    bare = [replace(sample, label=0) for sample in samples]
    without = np.asarray(preview_sheet(bare, source.classes, Augment.preset("none"), preprocess, rows=2, variants=3))
    assert with_labels.shape == without.shape
    again = np.asarray(preview_sheet(samples, source.classes, augment, preprocess, rows=2, variants=3))
    assert (with_labels == again).all()
    height = 48 * 3
    assert (with_labels[8 : 8 + height, 8:200] != without[8 : 8 + height, 8:200]).any()
