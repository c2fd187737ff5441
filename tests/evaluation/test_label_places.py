"""Labels that do not lie on each other."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.evaluation.label_places import Box, Disc, place_labels

FRAME = Box(400, 300, 800, 600)


def test_a_label_goes_into_a_large_disc_and_beside_a_small_one():
    large, small = Disc(200, 300, 60), Disc(600, 300, 6)
    inside, beside = place_labels([large, small], [(50, 10), (50, 10)], FRAME)
    assert (inside.x, inside.y) == (200, 300)
    assert not beside.overlap(Box(600, 300, 8, 8))


def test_labels_of_equal_points_part():
    points = [Disc(400, 300, 5)] * 6
    places = place_labels(points, [(80, 12)] * 6, FRAME)
    assert all(not one.overlap(other) for one, other in combinations(places, 2))


@given(st.lists(st.tuples(st.floats(0, 800), st.floats(0, 600)), min_size=1, max_size=8))
@settings(max_examples=25)
def test_labels_stay_in_the_frame_and_apart(centres: list[tuple[float, float]]):
    places = place_labels([Disc(x, y, 8) for x, y in centres], [(60, 12)] * len(centres), FRAME)
    assert all(place.inside(FRAME) for place in places)
    assert all(one.overlap(other) < 1 for one, other in combinations(places, 2))


@pytest.mark.parametrize(("x", "crossed"), [(100.0, True), (100.0 + 200, False)])
def test_a_line_crosses_a_label(x: float, crossed: bool):
    label = Box(x, 50, 40, 12)
    assert label.is_crossed_by_line(Disc(100, 0, 5), Box(100, 120, 40, 12)) is crossed
