from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from hubel.data.augmentation import Augment
from hubel.data.augmentation.elastic import displacement_fields, displacements_at
from hubel.data.randomness import Stream, uniform


def test_a_field_is_simards_on_its_grid():
    """Displacements evenly between -1 and 1, smoothed by a Gaussian, times α: ICDAR 2003, section 2."""
    words = np.array([7, 123456])
    fields = displacement_fields(words, 0.05, 0.15, (40, 60))
    assert fields.shape == (2, 2, 20, 20)
    noise = 2 * uniform(0, 0, words, 800, Stream.ELASTIC).reshape(2, 2, 20, 20) - 1
    for field, drawn in zip(fields.reshape(4, 20, 20), noise.reshape(4, 20, 20), strict=True):
        smooth = gaussian_filter(drawn, 3.0, mode="wrap")
        alpha = (field / smooth).ravel()
        assert np.allclose(alpha, alpha[0])


@pytest.mark.parametrize("smoothness", [0.05, 0.14, 0.3])
def test_strength_is_the_root_mean_square(smoothness):
    fields = displacement_fields(np.arange(300), 0.02, smoothness, (100, 100))
    assert math.sqrt((fields**2).mean()) == pytest.approx(2.0, rel=0.05)
    assert abs(fields.mean()) < 0.2


def test_alpha_34_and_sigma_4_of_28_pixels_are_5_percent():
    """The paper's values, simulated at every pixel as the paper does."""
    noise = np.random.default_rng(0).uniform(-1, 1, (400, 28, 28))
    smooth = 34 * gaussian_filter(noise, (0, 4, 4), mode="wrap")
    assert math.sqrt((smooth**2).mean()) == pytest.approx(0.05 * 28, rel=0.05)


def test_between_the_points_it_is_bilinear():
    field = np.random.default_rng(0).normal(size=(2, 8, 8))
    centres = (np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2) + 0.5) * (24 / 8, 40 / 8)
    assert np.allclose(displacements_at(field, centres, (40, 24)), field.reshape(2, -1).T)
    between = displacements_at(field, np.array([[24 / 8, 20.0]]), (40, 24))[0]  # amid four
    assert np.allclose(between, field[:, 3:5, 0:2].mean(axis=(1, 2)))
    fine = zoom(field[0], 5, order=1, mode="nearest", grid_mode=True)
    y, x = np.mgrid[:40, :40] + 0.5
    ours = displacements_at(field, np.stack([x.ravel(), y.ravel()], axis=1), (40, 40))[:, 0].reshape(40, 40)
    assert np.allclose(ours, fine)


def test_words_give_fields_of_their_own():
    fields = displacement_fields(np.arange(200), 0.05, 0.14, (32, 32)).reshape(200, -1)
    between = np.corrcoef(fields)[np.triu_indices(200, 1)]
    assert abs(between.mean()) < 0.01
    assert np.abs(between).max() < 0.8  # few numbers make a smooth field: some are alike by chance
    assert (displacement_fields(np.array([7]), 0.05, 0.14, (32, 32)).ravel() == fields[7]).all()


def test_small_displacements_leave_a_picture_nearly_as_it_is():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None, :, None].repeat(64, axis=0)
    augment = Augment(crop=False, mirror=0.0, elastic=0.02, outside="reflect")
    out = augment.batch([ramp] * 8, augment.draws(0, 0, np.arange(8)), (64, 64)).astype(int)
    moved = (out - ramp)[:, 8:-8, 8:-8] / (255 / 63)  # in pixels
    assert 0.5 < np.sqrt((moved**2).mean()) < 2.2  # 2 % of 64 pixels is 1.28
