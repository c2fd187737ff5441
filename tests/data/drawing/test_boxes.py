"""Boxes on pictures: where they are drawn, texts that do not hide each other, small and large pictures."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hubel.data.drawing.boxes import DrawnBox, draw_boxes, letter_size, readable, text_size, write_on_ground

ORANGE, BLUE = (230, 159, 0), (0, 114, 178)


def white(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), 255 if mode == "L" else (255, 255, 255))


def is_colour(image: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.asarray(image) == colour).all(axis=2)


def test_the_line_lies_on_the_outermost_pixels_of_the_box():
    drawn = draw_boxes(white(400, 300), [DrawnBox((50, 60, 250, 200), "", ORANGE)])
    rows, columns = is_colour(drawn, ORANGE).nonzero()
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (50, 60, 249, 199)
    assert is_colour(drawn, (20, 20, 20))[59, 100]  # a dark edge around it
    assert is_colour(drawn, (255, 255, 255))[100, 100]


def test_a_broken_line_has_gaps_and_both_ends():
    solid = is_colour(draw_boxes(white(400, 300), [DrawnBox((50, 60, 250, 200), "", ORANGE)]), ORANGE)
    dashed = is_colour(draw_boxes(white(400, 300), [DrawnBox((50, 60, 250, 200), "", ORANGE, dashed=True)]), ORANGE)
    assert 0.3 < dashed.sum() / solid.sum() < 0.8
    assert not (dashed & ~solid).any()
    assert all(dashed[y, x] for y, x in ((60, 50), (60, 249), (199, 50), (199, 249)))


@pytest.mark.parametrize(
    "box", [(0, 0, 400, 300), (-50, -50, 20, 20), (390, 290, 500, 400), (5, 5, 6, 6), (7, 7, 7, 7)]
)
@pytest.mark.parametrize("dashed", [False, True])
def test_boxes_at_and_beyond_the_borders(box: tuple[float, float, float, float], dashed: bool):
    image = white(400, 300)
    drawn = draw_boxes(image, [DrawnBox(box, "a rather long name 0.99", BLUE, dashed)])
    assert drawn.size == image.size
    width, height = text_size("a rather long name 0.99", letter_size(image.size))
    assert is_colour(drawn, BLUE).sum() > width * height / 2  # the text's ground is inside, whole


def test_texts_of_neighbours_do_not_hide_each_other():
    boxes = [
        DrawnBox((60 + 3 * n, 80 + 3 * n, 200, 200), f"cell 0.9{n}", colour) for n, colour in enumerate((ORANGE, BLUE))
    ]
    both = draw_boxes(white(400, 300), boxes)
    width, height = text_size("cell 0.91", letter_size(both.size))
    for _, colour in zip(boxes, (ORANGE, BLUE), strict=True):
        assert is_colour(both, colour).sum() > 0.6 * width * height


def test_small_pictures_are_enlarged_and_grey_ones_coloured():
    drawn = draw_boxes(white(32, 40, "L"), [DrawnBox((4, 4, 20, 20), "7", ORANGE)])
    assert (drawn.mode, drawn.size) == ("RGB", (256, 320))
    columns = is_colour(drawn, ORANGE).nonzero()[1]
    assert columns.min() == 32
    canvas, factor = readable(white(640, 480))
    assert (canvas.size, factor) == ((640, 480), 1)


def test_letters_grow_with_the_picture_and_shrink_in_a_crowd():
    assert letter_size((640, 480)) == 12
    assert 60 <= letter_size((4000, 3000)) <= 80
    assert letter_size((4000, 3000), crowded=True) < letter_size((4000, 3000))
    assert letter_size((250, 250), crowded=True) == 10


def test_a_text_can_be_read_on_any_ground():
    for ground, letters in (((240, 228, 66), (20, 20, 20)), ((0, 114, 178), (255, 255, 255))):
        image = white(200, 60)
        left, top, right, bottom = write_on_ground(ImageDraw.Draw(image), (10, 10), "Ωmega ß", ground, 20)
        part = image.crop((int(left), int(top), int(right), int(bottom)))
        assert is_colour(part, letters).any()
        assert (left, top) == (10, 10)
        assert (right - left, bottom - top) == text_size("Ωmega ß", 20)


def test_the_given_picture_stays_as_it_is_and_matplotlib_is_not_imported():
    image = white(300, 300)
    draw_boxes(image, [DrawnBox((10, 10, 100, 100), "x", ORANGE)])
    assert np.asarray(image).min() == 255
    program = (
        "import sys; from PIL import Image; from hubel.data.drawing.boxes import *;"
        "draw_boxes(Image.new('RGB', (300, 300)), [DrawnBox((1, 1, 90, 90), 'x', (9, 9, 9))]);"
        "print('matplotlib' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
