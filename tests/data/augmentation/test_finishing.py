from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import kstest

from hubel.data.augmentation import Augment
from hubel.data.augmentation.draws import Draw


def draws(count: int = 1, **values: float) -> np.ndarray:
    rows = np.full((count, Augment.DRAWS), 0.5)
    for name, value in values.items():
        rows[:, Draw[name.upper()]] = value
    return rows


def picture(height: int = 40, width: int = 36, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


PLAIN = {"crop": False, "mirror": 0.0}


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.6])
@pytest.mark.parametrize("channels", [1, 3])
def test_blur_is_scipys(sigma, channels):
    stored = picture(channels=channels)
    augment = Augment(**PLAIN, blur=1.6)
    out = augment.batch([stored], draws(blur=0.25 * (1 - sigma / 1.6)), stored.shape[:2])[0]
    expected = stored.astype(float)
    for axis in (0, 1):
        expected = gaussian_filter1d(expected, sigma, axis=axis, mode="mirror", radius=5)
    assert np.abs(out - expected).max() <= 0.52


def test_a_quarter_is_blurred():
    augment = Augment(**PLAIN, blur=1.0)
    stored = picture()
    rows = augment.draws(0, 0, np.arange(400))
    strong = augment.plan([stored] * 400, rows, stored.shape[:2]).looks.blur > 0.3  # weaker ones round to nothing
    out = augment.batch([stored] * 400, rows, stored.shape[:2])
    assert 0.12 < strong.mean() < 0.24  # 0.25 × 0.7
    assert (out[strong] != stored).any(axis=(1, 2, 3)).all()
    assert (out != stored).any(axis=(1, 2, 3)).mean() < 0.32


def test_noise_is_normal_and_of_the_drawn_strength():
    flat = np.full((120, 120, 3), 128, dtype=np.uint8)
    augment = Augment(**PLAIN, noise=0.06)
    out = augment.batch([flat], draws(noise=0.0, noise_place=0.3), (120, 120))[0] - 128.0
    assert out.std() == pytest.approx(0.06 * 255, rel=0.02)
    assert abs(out.mean()) < 0.3
    spread = np.random.default_rng(1).uniform(-0.5, 0.5, out.shape)  # undoes the rounding
    assert kstest(((out + spread) / (0.06 * 255)).ravel(), "norm").pvalue > 1e-4
    assert abs(np.corrcoef(out[:, :-1].ravel(), out[:, 1:].ravel())[0, 1]) < 0.02


def test_noise_of_two_pictures_differs_and_wraps_at_the_tables_end():
    flat = np.full((64, 64, 3), 128, dtype=np.uint8)
    augment = Augment(**PLAIN, noise=0.06)
    rows = draws(3, noise=0.0)
    rows[:, Draw.NOISE_PLACE] = 0.1, 0.7, 1 - 2.0**-30
    out = augment.batch([flat] * 3, rows, (64, 64)) - 128.0
    assert np.abs(np.corrcoef(out.reshape(3, -1)) - np.eye(3)).max() < 0.05
    assert out[2].std() > 10


def test_erasing_fills_a_box_with_the_mean():
    stored = picture(80, 60)
    augment = Augment(**PLAIN, erase=1.0, erase_area=(0.1, 0.1))
    row = draws(erase_ratio=0.5, erase_top=0.25, erase_left=1 - 1e-9)
    out = augment.batch([stored], row, (80, 60))[0]
    side = round(np.sqrt(0.1 * 80 * 60))  # as high as wide
    top, left = int(0.25 * (80 - side + 1)), 60 - side
    inside = np.zeros((80, 60), dtype=bool)
    inside[top : top + side, left : left + side] = True
    mean = stored[::4, ::4].reshape(-1, 3).mean(axis=0)
    assert np.abs(out[inside] - mean).max() <= 0.51
    assert (out[~inside] == stored[~inside]).all()


def test_erased_areas_are_zhongs():
    """Areas and aspect ratios as Zhong et al. 2020 draw them; every box inside."""
    white, stored = 255, np.full((64, 64, 1), 10, dtype=np.uint8)
    stored[::4, ::4] = white  # where the mean is looked at: what is erased becomes white
    augment = Augment(**PLAIN, erase=0.5, erase_area=(0.05, 0.2))
    out = augment.batch([stored] * 600, augment.draws(0, 0, np.arange(600)), (64, 64))[..., 0]
    area = (out != stored[..., 0]).sum(axis=(1, 2)) * 16 / 15 / 64**2  # of 16 pixels, one was white before
    erased = area > 0
    assert 0.44 < erased.mean() < 0.56
    assert 0.04 < area[erased].min() < 0.065
    assert 0.185 < area[erased].max() < 0.22
    heights = (out == white).all(axis=2).sum(axis=1)
    assert heights.max() <= 64


def test_the_order_is_blur_colour_noise_erasing():
    """With all of them, what is erased is one flat colour: nothing comes after it."""
    stored = picture(40, 40)
    augment = Augment(**PLAIN, blur=1.0, brightness=0.3, saturation=0.3, noise=0.05, erase=1.0, erase_area=(0.2, 0.2))
    row = draws(blur=0.0, noise=0.0, brightness=0.9, saturation=0.9)
    out = augment.batch([stored], row, (40, 40))[0]
    top, left, bottom, right = augment.plan([stored], row, (40, 40)).looks.erased[0]
    assert len(np.unique(out[top:bottom, left:right].reshape(-1, 3), axis=0)) == 1
