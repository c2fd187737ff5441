"""A mask as a result: its areas, its rows, its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubel.data.masks.reading import Legend, read_mask
from hubel.results import Segmentation
from hubel.results.palette import colours_of, has_background, mask_palette
from hubel.results.segmentation import PackedMask

CLASSES = ("background", "cell", "nucleus")
MASK = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], np.uint8)


def result(path: str | None = "a.png") -> Segmentation:
    return Segmentation.of(CLASSES, PackedMask.of([MASK[:1], MASK[1:]]), path)


def test_masks_come_back_as_they_were():
    assert np.array_equal(result().mask, MASK)
    assert result().mask.dtype == np.uint8
    assert PackedMask.of([MASK]).size == (2, 5)


def test_areas_of_the_classes():
    assert result().pixels == (7, 3, 0)
    assert result().to_dict() == {
        "path": "a.png",
        "height": 2,
        "width": 5,
        "areas": {
            "background": {"pixels": 7, "share": 0.7},
            "cell": {"pixels": 3, "share": 0.3},
            "nucleus": {"pixels": 0, "share": 0.0},
        },
    }
    assert list(result().to_dict(1)["areas"]) == ["background"]
    json.dumps(result().to_dict())
    (row,) = result().csv_rows(1)
    assert row == {
        **{"path": "a.png", "largest": "background"},
        **{"share background": "0.700000", "share cell": "0.300000", "share nucleus": "0.000000"},
    }
    assert result().table_row(3) == {"picture": "a.png", "pixels": "background 70.0 %, cell 30.0 %"}


def test_pixels_of_a_true_mask_that_do_not_count_are_of_no_class():
    mask = np.array([[0, 255, 2]], np.uint8)
    assert Segmentation.of(CLASSES, PackedMask.of([mask])).pixels == (1, 0, 1)


def test_masks_are_written_as_indexed_png_that_reads_back(tmp_path: Path):
    result().save_mask(tmp_path / "new" / "a.png")
    image = Image.open(tmp_path / "new" / "a.png")
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((4, 0)) == colours_of(CLASSES)[1]
    legend = Legend.named({name: number for number, name in enumerate(CLASSES)})
    assert np.array_equal(read_mask(tmp_path / "new" / "a.png", legend), MASK)


@pytest.mark.parametrize("count", [1, 7, 8, 20, 255])
def test_every_class_has_a_colour_of_its_own(count: int):
    colours = colours_of([f"class {number}" for number in range(count)])
    assert len(set(colours)) == count
    assert (0, 0, 0) not in colours


def test_a_background_is_black():
    assert has_background(["Background", "cell"])
    assert not has_background(["membrane", "cell"])
    palette = mask_palette(["background", "cell"])
    assert palette.shape == (256, 3)
    assert palette[0].tolist() == [0, 0, 0]
    assert palette[1].tolist() == list(colours_of(["cell"])[0])
    assert palette[255].any()
