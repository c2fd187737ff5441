"""What moves boxes and masks: mosaics, quarter turns, and changes that leave boxes in view; against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubel.config import AugmentConfig
from hubel.data.augmentation import Augment
from hubel.data.augmentation.mosaic import Part, mosaic, mosaic_partners
from hubel.data.augmentation.settings import augment_of
from hubel.preprocessing import FRAME

SIZE = (40, 50)


def marked(seed: int, height: int, width: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A black picture with bright rectangles that do not touch: in each column of a grid one, and their boxes."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width, 1), np.uint8)
    boxes = []
    step = width // count
    for number in range(count):
        rows, columns = generator.integers(4, height // 2), generator.integers(3, step - 1)
        top, left = generator.integers(0, height - rows), number * step + generator.integers(0, step - columns)
        picture[top : top + rows, left : left + columns] = 50 + 40 * number + 3 * seed
        boxes.append((left, top, left + columns, top + rows))
    return picture, np.array(boxes, dtype=np.float64), np.arange(count)


@given(st.floats(0, 0.999), st.floats(0, 0.999), st.integers(0, 1000))
def test_a_mosaic_has_its_parts_boxes_where_they_are_seen(y: float, x: float, seed: int) -> None:
    """Every rectangle has a grey value of its own: its box is where the canvas has that value."""
    sizes = [(40, 50), (30, 50), (40, 25), (22, 31)]
    parts = [Part(*marked(number, *size, 2)) for number, size in enumerate(sizes)]
    parts = [part._replace(labels=part.labels + 10 * number) for number, part in enumerate(parts)]
    centre = (0.25 + y / 2, 0.25 + x / 2)
    canvas, boxes, labels = mosaic(parts, centre, SIZE)
    assert canvas.shape == (80, 100, 1)
    seen = dict(zip(labels.tolist(), boxes.tolist(), strict=True))
    for number, part in enumerate(parts):
        for place, (x1, y1, x2, y2) in enumerate(part.boxes):
            value = 50 + 40 * place + 3 * number
            ys, xs = np.nonzero(canvas[:, :, 0] == value)
            visible = len(ys)
            sides = (np.ptp(xs) + 1, np.ptp(ys) + 1) if visible else (0, 0)
            expected = visible >= 0.1 * (x2 - x1) * (y2 - y1) and min(sides) >= 2
            assert (10 * number + place in seen) == expected
            if expected:
                assert seen[10 * number + place] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert FRAME in canvas


def test_who_joins_a_mosaic_is_drawn_for_each_picture_alone() -> None:
    augment = Augment(mosaic=0.5)
    draws = augment.draws(3, 1, np.arange(200))
    partners = mosaic_partners(0.5, draws, 30)
    assert 70 < len(partners) < 130
    assert {position for _, others in partners.values() for position in others} == set(range(30))
    alone = mosaic_partners(0.5, draws[[7]], 30)
    assert alone.get(0) == partners.get(7)
    for (y, x), _ in partners.values():
        assert 0.25 <= y < 0.75
        assert 0.25 <= x < 0.75


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_numpys(quarters: int) -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    mask = generator.integers(0, 5, (24, 24), dtype=np.uint8)
    boxes = np.array([[2.0, 3.0, 9.0, 20.0]])
    inside = np.zeros((24, 24), np.uint8)
    inside[3:20, 2:9] = 1
    augment = Augment(crop=False, mirror=0.0, turn=1.0)
    draws = np.full((1, Augment.DRAWS), (quarters - 0.5) / 3)
    varied = augment.together([picture], draws, (24, 24), masks=[mask], boxes=[boxes])
    assert augment.plan([picture], draws, (24, 24)).told(0) == [f"turn {90.0 * quarters:.1f}°"]
    assert (varied.pictures[0] == np.rot90(picture, quarters)).all()
    assert (varied.masks[0] == np.rot90(mask, quarters)).all()
    ys, xs = np.nonzero(np.rot90(inside, quarters))
    assert np.allclose(varied.boxes[0], [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], atol=1e-4)


def test_pictures_are_turned_as_often_as_asked() -> None:
    augment = Augment(turn=0.4)
    draws = augment.draws(0, 0, np.arange(1000))
    told = [augment.plan(np.zeros((1000, 8, 8, 1), np.uint8), draws, (8, 8)).drawn["turn"]][0]
    assert 340 < (told > 0).sum() < 460
    assert set(told.tolist()) == {0.0, 90.0, 180.0, 270.0}


@pytest.mark.parametrize("preset", ["light", "standard", "strong"])
def test_the_one_object_of_a_picture_is_never_cut(preset: str) -> None:
    augment = Augment.preset(preset, "localization")
    pictures = [np.zeros((32, 32, 3), np.uint8)] * 300
    generator = np.random.default_rng(1)
    corners = generator.uniform(0, 20, (300, 2))
    boxes = [np.array([[x, y, x + 12, y + 12]]) for x, y in corners]
    draws = augment.draws(0, 0, np.arange(300))
    varied = augment.together(pictures, draws, (32, 32), boxes=boxes)
    assert all(len(kept) == 1 for kept in varied.kept)
    loose = Augment(**{**vars(augment), "keep_boxes": False}).together(pictures, draws, (32, 32), boxes=boxes)
    changed = [not np.array_equal(a, b) for a, b in zip(varied.boxes, loose.boxes, strict=True)]
    if preset == "light":
        assert not any(changed)
    else:
        assert 0 < sum(changed) < 150  # the others are varied as they were drawn
        for number in np.flatnonzero(changed):
            (x1, y1, x2, y2), (left, top, right, bottom) = varied.boxes[number][0], boxes[number][0]
            assert np.allclose([y1, y2], [top, bottom])
            assert np.allclose(sorted([x1, x2]), sorted([x1, x2]))
            assert np.allclose([x1, x2], [left, right]) or np.allclose([x1, x2], [32 - right, 32 - left])


def test_pictures_with_an_upright_are_not_turned_upside_down() -> None:
    augment, notes = augment_of(AugmentConfig(preset="standard"), ("road", "sky", "car"), (64, 64), "segmentation")
    assert (augment.flip, augment.turn) == (0, 0)
    assert any(
        "pictures have an upright (car, road, sky): no upside-down images, no quarter turns" in note for note in notes
    )
    augment, _ = augment_of(AugmentConfig(preset="standard"), ("0", "membrane"), (64, 64), "segmentation")
    assert augment.flip == augment.turn == 0.5
    augment, _ = augment_of(AugmentConfig(preset="standard", flip=0.3), ("sky", "road"), (64, 64), "segmentation")
    assert (augment.flip, augment.turn) == (0.3, 0)


@pytest.mark.parametrize("size", [(64, 64), (40, 90)])
@pytest.mark.parametrize("extent", [(20, 30), (64, 64), (100, 41)])
def test_pictures_smaller_than_the_crop_are_shown_whole(size: tuple[int, int], extent: tuple[int, int]) -> None:
    """A mask says where the picture lies: what is beyond it counts for nothing."""
    picture, mask = np.full((*extent, 3), 200, np.uint8), np.ones(extent, np.uint8)
    augment = Augment(crop=True, mirror=0.5)
    draws = augment.draws(0, 0, np.arange(20))
    varied = augment.together([picture] * 20, draws, size, masks=[mask] * 20)
    assert ((varied.masks == 1) == (varied.pictures[..., 0] == 200)).all()
    seen = (varied.masks == 1).sum(axis=(1, 2))
    rows, columns = (min(a, b) for a, b in zip(extent, size, strict=True))
    if extent[0] <= size[0] * 3 // 4 and extent[1] <= size[1] * 3 // 4:
        assert (seen == rows * columns).all()
    else:
        assert (seen > 0.5 * rows * columns).all()
