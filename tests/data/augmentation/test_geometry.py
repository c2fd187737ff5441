"""Geometry against slow, obvious references: loops over pixels, Pillow, scipy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import map_coordinates

from hubel.data.augmentation import Augment
from hubel.data.augmentation.draws import Draw
from hubel.data.augmentation.resampling import IGNORED, reduction

PLAIN = Augment(crop=False, mirror=0.0)


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture as smooth as photographs are: random colours, enlarged."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 7, channels), dtype=np.uint8)
    planes = [
        np.asarray(Image.fromarray(small[:, :, c]).resize((width, height), Image.Resampling.BICUBIC))
        for c in range(channels)
    ]
    return np.stack(planes, axis=2)


def draws(count: int = 1, **values: float) -> np.ndarray:
    """Random numbers: all 0.5 (nothing moves), except those named."""
    rows = np.full((count, Augment.DRAWS), 0.5)
    for name, value in values.items():
        rows[:, Draw[name.upper()]] = value
    return rows


def everything(**more) -> Augment:
    return Augment(
        scale=(0.3, 1.0),
        flip=0.5,
        rotate=40.0,
        zoom=0.3,
        shear=15.0,
        translate=0.15,
        **more,
    )


def sampled(stored: np.ndarray, x: np.ndarray, y: np.ndarray, outside: str) -> np.ndarray:
    """The picture at points in pixels from its corner, bilinear: scipy's. (H, W, C)"""
    mode = {"black": "grid-constant", "reflect": "reflect"}[outside]
    planes = [
        map_coordinates(stored[:, :, c].astype(float), [y - 0.5, x - 0.5], order=1, mode=mode, cval=0.0)
        for c in range(stored.shape[2])
    ]
    return np.stack(planes, axis=2)


def pixel_centres(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width]
    return x + 0.5, y + 0.5


@pytest.mark.parametrize("outside", ["black", "reflect"])
@pytest.mark.parametrize("degrees", [-40, 7, 130])
def test_rotation_is_pillows(degrees, outside):
    """Counter-clockwise for positive angles, about the centre."""
    stored = picture(48, 48)
    augment = replace(PLAIN, rotate=180.0, outside=outside)
    out = augment.batch([stored], draws(rotate=(degrees / 180 + 1) / 2), (48, 48))[0]
    turned = np.asarray(Image.fromarray(stored).rotate(degrees, Image.Resampling.BILINEAR))
    y, x = np.mgrid[:48, :48] - 23.5
    inner = np.hypot(x, y) < 22  # at the edge, Pillow does as if pixels ended at their centres
    assert np.abs(out[inner].astype(int) - turned[inner]).max() <= 1
    corner = out[0, 0] if outside == "black" else np.zeros(3)
    if degrees == -40:
        assert (corner == 0).all()


def test_a_quarter_turn_moves_pixels_exactly():
    stored = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    out = replace(PLAIN, rotate=90.0).batch([stored], draws(rotate=1.0), (20, 20))[0]
    assert (out == np.rot90(stored)).all()


def test_translation_by_whole_pixels_moves_them_exactly():
    stored = np.random.default_rng(0).integers(0, 256, (20, 30, 1), dtype=np.uint8)
    out = replace(PLAIN, translate=0.1).batch([stored], draws(translate_x=1.0, translate_y=0.0), (20, 30))[0]
    assert (out[:-2, 3:] == stored[2:, :-3]).all()  # 3 of 30 to the right, 2 of 20 up
    assert (out[-2:] == 0).all()
    assert (out[:, :3] == 0).all()
    reflected = replace(PLAIN, translate=0.1, outside="reflect")
    out = reflected.batch([stored], draws(translate_x=1.0, translate_y=0.0), (20, 30))[0]
    padded = np.pad(stored, ((0, 2), (3, 0), (0, 0)), mode="symmetric")
    assert (out == padded[2:, :30]).all()


def test_zoom_enlarges_about_the_centre():
    stored = picture(40, 40)
    out = replace(PLAIN, zoom=0.6).batch([stored], draws(zoom=1.0), (40, 40))[0]
    x, y = pixel_centres(40, 40)
    expected = sampled(stored, 20 + (x - 20) / 1.6, 20 + (y - 20) / 1.6, "black")
    assert np.abs(out - expected).max() <= 0.51


def test_shear_tilts_upright_lines():
    stored = picture(40, 40)
    out = replace(PLAIN, shear=20.0).batch([stored], draws(shear_x=1.0), (40, 40))[0]
    x, y = pixel_centres(40, 40)
    expected = sampled(stored, x - math.tan(math.radians(20)) * (y - 20), y, "black")
    assert np.abs(out - expected).max() <= 0.51


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(["black", "reflect"]), st.sampled_from([1, 3]))
def test_all_of_it_is_one_resampling(seed, outside, channels):
    """What comes out is the picture, bilinear, at the points where the steps, one by one, say that it is seen."""
    stored = picture(60, 80, channels, seed)
    augment = everything(outside=outside, elastic=0.02)
    row = augment.draws(seed, 0, np.arange(1))
    out = augment.batch([stored], row, (40, 48))[0]
    plan = augment.plan([stored], row, (40, 48))
    x, y = pixel_centres(40, 48)
    field = plan.geometry.fields[0]
    for axis, places in ((0, x), (1, y)):  # scipy's bilinear look-up of the displacement, constant at the border
        at = [
            (y0 * field.shape[1] / s - 0.5)
            for y0, s in ((pixel_centres(40, 48)[1], 40), (pixel_centres(40, 48)[0], 48))
        ]
        places += map_coordinates(field[axis], at, order=1, mode="nearest")
    x, y = x - 24, y - 20  # now the steps backwards, from the output to the picture
    moved = {name: float(values[0]) for name, values in plan.drawn.items()}
    x, y = x - moved["translate"] * 48, y - (2 * row[0, Draw.TRANSLATE_Y] - 1) * 0.15 * 40
    cosine, sine = math.cos(math.radians(moved["rotate"])), math.sin(math.radians(moved["rotate"]))
    x, y = cosine * x - sine * y, sine * x + cosine * y  # clockwise, as they are seen
    y = y - math.tan(math.radians((2 * row[0, Draw.SHEAR_Y] - 1) * 15)) * x
    x = x - math.tan(math.radians(moved["shear"])) * y
    x, y = x / (1 + moved["zoom"]) + 24, y / (1 + moved["zoom"]) + 20
    x = 48 - x if plan.geometry.mirrored[0] else x
    y = 40 - y if plan.geometry.flipped[0] else y
    top, left, rows, columns = plan.geometry.windows[0]
    x, y = left + x * columns / 48, top + y * rows / 40
    if reduction(plan.geometry.matrices[0]) == 1:  # else blocks are averaged first
        assert np.abs(out - sampled(stored, x, y, outside)).max() <= 0.6


def test_what_shrinks_much_is_averaged_first():
    checks = (np.indices((240, 240)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None]  # nothing but aliasing
    out = replace(PLAIN, scale=(1.0, 1.0), ratio=(1.0, 1.0), rotate=20.0).batch([checks], draws(rotate=1.0), (60, 60))
    inner = out[0, 15:45, 15:45, 0].astype(int)
    assert np.abs(inner - 127.5).max() < 1


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(["black", "reflect"]), st.booleans())
def test_masks_are_the_nearest_pixels_of_a_loop(seed, outside, elastic):
    mask = np.random.default_rng(seed).integers(0, 5, (30, 37), dtype=np.uint8)
    stored = np.repeat(mask[:, :, None], 3, axis=2)
    augment = everything(outside=outside, elastic=0.02 if elastic else 0.0, share=0.7)
    row = augment.draws(seed, 3, np.arange(1))
    geometry = augment.plan([stored], row, (20, 26)).geometry
    moved = augment.together([stored], row, (20, 26), masks=[mask]).masks[0]
    assert moved.dtype == np.uint8
    for i in range(20):
        for j in range(26):
            x, y = geometry.sources(0, np.array([[j + 0.5, i + 0.5]]))[0]
            if outside == "reflect":
                x, y = 37 - abs(37 - x % 74), 30 - abs(30 - y % 60)
            column, line = math.floor(x), math.floor(y)
            ties = abs(x - round(x)) < 1e-9 or abs(y - round(y)) < 1e-9  # exactly between two pixels: either will do
            inside = 0 <= column < 37 and 0 <= line < 30
            assert ties or moved[i, j] == (mask[line, column] if inside else IGNORED)


def test_masks_of_plain_crops():
    mask = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)
    stored = np.repeat(mask[:, :, None], 3, axis=2)
    light = Augment.preset("light")
    row = draws(top=0.0, left=0.0, mirror=0.0)
    varied = light.together([stored], row, (8, 10), masks=[mask])  # 10 wide: a margin of 1 to the left
    assert (varied.masks[0][:, :-1] == mask[:8, :9][:, ::-1]).all()
    assert (varied.masks[0][:, -1] == IGNORED).all()
    assert (varied.pictures[0, :, :-1, 0] == varied.masks[0][:, :-1]).all()
    assert (varied.pictures[0, :, -1] == 0).all()


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_boxes_are_the_bounds_of_their_moved_corners(seed):
    generator = np.random.default_rng(seed)
    stored = picture(50, 70)
    augment = everything()
    row = augment.draws(seed, 0, np.arange(1))
    start = generator.uniform(0, [60, 40], (8, 2))
    boxes = np.concatenate([start, start + generator.uniform(1, 30, (8, 2))], axis=1)
    varied = augment.together([stored], row, (40, 40), boxes=[boxes])
    matrix = augment.plan([stored], row, (40, 40)).geometry.matrices[0]
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    expected, kept = [], []
    for number, (left, top, right, bottom) in enumerate(boxes):
        corners = [inverse @ (x, y, 1) for x in (left, right) for y in (top, bottom)]
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        clipped = [max(0, min(xs)), max(0, min(ys)), min(40, max(xs)), min(40, max(ys))]
        width, height = clipped[2] - clipped[0], clipped[3] - clipped[1]
        area = (max(xs) - min(xs)) * (max(ys) - min(ys))
        if width >= 2 and height >= 2 and width * height >= 0.1 * area:
            expected.append(clipped)
            kept.append(number)
    assert varied.kept[0].tolist() == kept
    assert varied.boxes[0].shape == (len(kept), 4)
    assert np.allclose(varied.boxes[0], np.array(expected).reshape(-1, 4), atol=1e-3)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_a_box_bounds_what_its_mask_shows(seed):
    """Where a displacement field bends it, too: the pixels of a filled box end where the moved box does."""
    mask = np.zeros((200, 200), dtype=np.uint8)
    mask[60:130, 50:150] = 1
    augment = Augment(crop=False, rotate=30.0, shear=10.0, elastic=0.04)
    row = augment.draws(seed, 0, np.arange(1))
    stored = np.repeat(mask[:, :, None], 3, axis=2)
    varied = augment.together([stored], row, (200, 200), masks=[mask], boxes=[np.array([[50, 60, 150, 130.0]])])
    y, x = np.nonzero(varied.masks[0] == 1)
    bounds = [x.min(), y.min(), x.max() + 1, y.max() + 1]
    plan = augment.plan([stored], row, (200, 200))
    corners = plan.geometry.targets(0, np.array([[50, 60], [150, 60], [50, 130], [150, 130.0]]))
    assert np.allclose(plan.geometry.sources(0, corners), [[50, 60], [150, 60], [50, 130], [150, 130]], atol=0.05)
    assert np.abs(varied.boxes[0][0] - bounds).max() <= 2.5  # bounds of an affine image of a box, bent, in pixels


def test_boxes_of_pictures_without_any():
    stored = picture(30, 30)
    augment = everything()
    varied = augment.together([stored] * 2, augment.draws(0, 0, np.arange(2)), (20, 20), boxes=[np.zeros((0, 4))] * 2)
    assert [boxes.shape for boxes in varied.boxes] == [(0, 4), (0, 4)]
    assert varied.masks is None


def test_boxes_follow_plain_crops():
    stored = picture(12, 20)
    augment = Augment(mirror=1.0)
    varied = augment.together([stored], draws(top=0.0, left=0.0), (10, 16), boxes=[np.array([[2, 3, 8, 9.0]])])
    assert varied.boxes[0].tolist() == [[8, 3, 14, 9]]


def test_upside_down():
    stored = picture(12, 10)
    out = replace(PLAIN, flip=1.0).batch([stored], draws(), (12, 10))[0]
    assert (out == stored[::-1]).all()


def test_a_share_of_the_pictures_is_only_cropped():
    stored = picture(24, 24)
    augment = replace(PLAIN, rotate=20.0, share=0.25)
    out = augment.batch([stored] * 400, augment.draws(0, 0, np.arange(400)), (24, 24))
    untouched = (out == stored).all(axis=(1, 2, 3))
    assert 0.68 < untouched.mean() < 0.82
