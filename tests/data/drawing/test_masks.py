"""Masks over pictures: which pixels change, and to what."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hubel.data.drawing.masks import draw_errors, draw_mask
from hubel.results.palette import colours_of

GREY = Image.new("L", (300, 260), 100)
MASK = np.zeros((260, 300), np.uint8)
MASK[50:150, 60:200] = 1


def test_areas_are_tinted_outlines_are_opaque_and_a_background_stays_clear():
    drawn = np.asarray(draw_mask(GREY, MASK, ("background", "cell"), {}))
    colour = np.array(colours_of(["cell"])[0])
    assert drawn.shape == (260, 300, 3)
    assert drawn[10, 10].tolist() == [100] * 3
    assert drawn[49, 100].tolist() == [100] * 3  # the background's side of the outline
    assert drawn[50, 100].tolist() == colour.tolist()
    assert drawn[100, 100].tolist() == (0.6 * 100 + 0.4 * colour).round().tolist()


def test_without_a_background_all_classes_are_tinted():
    drawn = np.asarray(draw_mask(GREY, MASK, ("membrane", "cell"), {}))
    first, second = (np.array(colour) for colour in colours_of(["membrane", "cell"]))
    assert drawn[10, 10].tolist() == (60 + 0.4 * first).round().tolist()
    assert drawn[100, 100].tolist() == (60 + 0.4 * second).round().tolist()


def test_the_legend_lies_below_in_as_many_rows_as_it_takes():
    classes = tuple(f"a class with a long name, number {number}" for number in range(6))
    one = draw_mask(GREY, MASK, classes, {classes[1]: "cell 20 %"})
    all_of_them = draw_mask(GREY, MASK, classes)
    assert 260 < one.height < all_of_them.height
    assert one.width == all_of_them.width == 300
    below = np.asarray(all_of_them)[260:].reshape(-1, 3)
    for colour in colours_of(classes):
        assert (below == colour).all(axis=1).any()


def test_small_pictures_are_enlarged():
    drawn = draw_mask(Image.new("RGB", (30, 20)), np.zeros((20, 30), np.uint8), ("background", "cell"), {})
    assert drawn.width % 30 == 0
    assert min(drawn.size) >= 240


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="a mask of 300×260 pixels came for a picture of 30×20"):
        draw_mask(Image.new("RGB", (30, 20)), MASK, ("background", "cell"))


def test_errors_are_red_and_what_does_not_count_is_white():
    truth, predicted = np.array([[0, 1, 255]], np.uint8), np.array([[0, 0, 1]], np.uint8)
    drawn = np.asarray(draw_errors(Image.new("L", (3, 1), 255), truth, predicted)).tolist()
    assert drawn == [[[255] * 3, [200, 20, 30], [255] * 3]]
    (black,) = np.asarray(draw_errors(Image.new("RGB", (3, 1)), truth, truth))[0, :1].tolist()
    assert black == [110] * 3
