from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel.data.augmentation import Augment
from hubel.data.augmentation.draws import Draw
from hubel.errors import ConfigError


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def draws(**values: float) -> np.ndarray:
    """Random numbers for one picture: all 0.5, except those named."""
    row = np.full((1, Augment.DRAWS), 0.5)
    for name, value in values.items():
        row[0, Draw[name.upper()]] = value
    return row


def test_none_is_the_centre_crop():
    stored = picture(20, 31)
    out = Augment.preset("none").batch([stored], draws(mirror=0), (16, 16))
    assert (out[0] == stored[2:18, 7:23]).all()


def test_light_crops_anywhere_and_mirrors():
    stored, light = picture(20, 31), Augment.preset("light")
    first = light.batch([stored], draws(top=0, left=0, mirror=0.5), (16, 16))[0]
    assert (first == stored[:16, :16]).all()
    last = light.batch([stored], draws(top=1 - 1e-9, left=1 - 1e-9, mirror=0.499), (16, 16))[0]
    assert (last == stored[4:, 15:][:, ::-1]).all()


def test_every_place_is_equally_likely():
    stored = np.arange(25, dtype=np.uint8).reshape(5, 5, 1)
    light = replace(Augment.preset("light"), mirror=0.0)
    numbers = light.draws(0, 0, np.arange(9000))
    corners = light.batch([stored] * 9000, numbers, (3, 3))[:, 0, 0, 0]
    values, counts = np.unique(corners, return_counts=True)
    assert values.tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12]
    assert ((counts - 1000) ** 2 / 1000).sum() < 30  # chi-squared, 8 degrees of freedom: p < 0.0003


def test_without_slack_the_picture_is_padded_with_zeros():
    stored, light = picture(32, 32), replace(Augment.preset("light"), mirror=0.0)
    padded = np.pad(stored, ((4, 4), (4, 4), (0, 0)))  # He et al. 2015, section 4.2: 4 pixels for 32
    for top in range(9):
        for left in (0, 3, 8):
            out = light.batch([stored], draws(top=(top + 0.5) / 9, left=(left + 0.5) / 9), (32, 32))[0]
            assert (out == padded[top : top + 32, left : left + 32]).all()


def test_padding_is_for_the_axis_without_slack():
    stored = picture(32, 40)
    out = Augment(mirror=0.0).batch([stored], draws(top=0, left=0), (32, 32))[0]
    assert (out[:4] == 0).all()
    assert (out[4:] == stored[:28, :32]).all()


def test_pad_overrides_the_presets():
    stored = picture(8, 8)
    out = replace(Augment.preset("none"), pad=2).batch([stored], draws(top=0, left=0), (8, 8))[0]
    assert (out[2:, 2:] == stored[:6, :6]).all()
    assert (replace(Augment.preset("light"), pad=0, mirror=0.0).batch([stored], draws(), (8, 8))[0] == stored).all()


@settings(max_examples=60)
@given(st.integers(0, 9), st.integers(0, 9), st.sampled_from([1, 3]), st.booleans(), st.integers(0, 5))
def test_a_block_is_as_one_by_one(more_rows, more_columns, channels, crop, seed):
    pictures = np.stack([picture(24 + more_rows, 16 + more_columns, channels, seed=n) for n in range(6)])
    augment = Augment(crop=crop)
    numbers = augment.draws(seed, 1, np.arange(6))
    block = augment.block(pictures.copy(), numbers, (24, 16))
    assert block.dtype == np.uint8
    assert (block == augment.batch(list(pictures), numbers, (24, 16))).all()


def test_large_pictures_are_mirrored_as_small_ones():
    stored = picture(130, 140)
    out = Augment(mirror=1.0, crop=False).batch([stored], draws(), (130, 140))[0]
    assert (out == stored[:, ::-1]).all()


def test_the_stored_pictures_stay_as_they_are():
    stored = picture(40, 40)
    before = stored.copy()
    stored.flags.writeable = False
    for augment in (Augment.preset("light"), Augment.preset("standard"), Augment(mirror=1.0, crop=False)):
        augment.batch([stored] * 4, augment.draws(0, 0, np.arange(4)), (40, 40))
    assert (stored == before).all()


def test_a_resized_crop_is_pillows_resize_of_a_box():
    stored = picture(60, 80)
    smooth = np.asarray(Image.fromarray(stored).resize((8, 6)).resize((80, 60)))
    augment = Augment(scale=(0.25, 0.25), ratio=(4 / 3, 4 / 3), mirror=0.0)
    out = augment.batch([smooth], draws(top=0.1, left=0.9), (24, 32))[0]  # 30 × 40 of 60 × 80
    top, left = int(0.1 * 31), int(0.9 * 41)
    box = (left, top, left + 40, top + 30)
    expected = np.asarray(Image.fromarray(smooth).resize((32, 24), Image.Resampling.BILINEAR, box=box))
    assert np.abs(out.astype(int) - expected).max() <= 1


@settings(max_examples=60)
@given(
    st.integers(20, 90),
    st.integers(20, 90),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=Augment.DRAWS, max_size=Augment.DRAWS),
    st.sampled_from([1, 3]),
)
def test_resized_crops_stay_inside_and_keep_a_flat_picture_flat(height, width, row, channels):
    stored = np.full((height, width, channels), 77, dtype=np.uint8)
    out = Augment(scale=(0.08, 1.0)).batch([stored], np.array([row]), (16, 24))
    assert out.shape == (1, 16, 24, channels)
    assert (out == 77).all()


def test_areas_and_ratios_of_resized_crops(monkeypatch):
    """Positions are written into the pixels, so that a crop's extent can be read from the result."""
    y, x = np.mgrid[:256, :256].astype(np.uint8)
    stored = np.stack([y, x, x], axis=-1)
    augment = Augment(scale=(0.25, 0.36), ratio=(3 / 4, 4 / 3), mirror=0.0)
    out = augment.batch([stored] * 400, augment.draws(0, 0, np.arange(400)), (256, 256)).astype(float)
    heights = out[:, :, 128, 0].max(axis=1) - out[:, :, 128, 0].min(axis=1) + 1
    widths = out[:, 128, :, 1].max(axis=1) - out[:, 128, :, 1].min(axis=1) + 1
    areas, ratios = heights * widths / 256**2, widths / heights
    assert 0.24 < areas.min() < 0.26
    assert 0.35 < areas.max() < 0.37
    assert 0.74 < ratios.min() < 0.77
    assert 1.29 < ratios.max() < 1.36
    assert abs(np.log(ratios).mean()) < 0.03  # wide and tall are equally likely


def test_brightness():
    stored = picture(8, 8) // 2
    out = Augment(mirror=0.0, crop=False, brightness=0.5).batch([stored], draws(brightness=1.0), (8, 8))[0]
    assert (out == np.clip(np.rint(stored * 1.5), 0, 255)).all()


def test_contrast_is_around_the_mean_luminance():
    stored = np.zeros((8, 8, 3), dtype=np.uint8)
    stored[:, :4], stored[:, 4:] = (60, 60, 60), (140, 140, 140)
    out = Augment(mirror=0.0, crop=False, contrast=0.5).batch([stored], draws(contrast=0.0), (8, 8))[0]
    assert (out[:, :4] == 80).all()
    assert (out[:, 4:] == 120).all()
    grey = Augment(mirror=0.0, crop=False, contrast=0.5).batch([stored[:, :, :1]], draws(contrast=0.0), (8, 8))[0]
    assert (grey[:, :4] == 80).all()
    assert (grey[:, 4:] == 120).all()


def test_saturation_down_to_grey():
    stored = picture(8, 8)
    out = Augment(mirror=0.0, crop=False, saturation=1.0).batch([stored], draws(saturation=0.0), (8, 8))[0]
    grey = stored @ np.array([0.299, 0.587, 0.114])
    assert np.abs(out - grey[..., None]).max() <= 0.51


def test_middle_numbers_change_no_colour():
    stored = picture(8, 8)
    augment = Augment(mirror=0.0, crop=False, brightness=1.0, contrast=1.0, saturation=1.0)
    assert (augment.batch([stored], draws(), (8, 8))[0] == stored).all()


def test_a_batch_leaves_torchs_threads_as_they_were():
    before = torch.get_num_threads()
    Augment.preset("standard").batch([picture(40, 40)], draws(), (32, 32))
    assert torch.get_num_threads() == before


def test_presets():
    assert Augment.preset("none") == Augment(crop=False, mirror=0.0)
    assert Augment.preset("standard").scale == (0.25, 1.0)
    with pytest.raises(ConfigError, match="unknown augmentation preset 'standart': did you mean standard"):
        Augment.preset("standart")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"mirror": 1.5}, r"augment\.mirror is 1\.5: expected a number from 0 to 1"),
        ({"brightness": -0.1}, r"augment\.brightness is -0\.1"),
        ({"scale": (0.5, 0.2)}, r"augment\.scale is \(0\.5, 0\.2\): expected two shares of the area"),
        ({"scale": (0.0, 1.0)}, r"augment\.scale is"),
        ({"ratio": (2.0, 1.0)}, r"augment\.ratio is \(2\.0, 1\.0\): expected two aspect ratios"),
        ({"pad": -1}, r"augment\.pad is -1: expected 0 or more pixels"),
        ({"pad": 4, "scale": (0.5, 1.0)}, r"augment\.pad and augment\.scale exclude each other"),
    ],
)
def test_fields_outside_their_range(field, message):
    with pytest.raises(ConfigError, match=message):
        Augment(**field)
