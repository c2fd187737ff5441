"""Colour changes against loops over pixels and torchvision's functions."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from hubel.data.augmentation import Augment, colour
from hubel.data.augmentation.draws import Draw

LUMA = np.array([0.299, 0.587, 0.114])
# Of every fourth pixel of every fourth row is the mean taken: of pictures of blocks of 4 × 4, it is exact.


def blocks(height: int = 24, width: int = 20, channels: int = 3, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(60, 190, (height // 4, width // 4, channels), dtype=np.uint8)
    return small.repeat(4, axis=0).repeat(4, axis=1)


def draws(**values: float) -> np.ndarray:
    row = np.full((1, Augment.DRAWS), 0.5)
    for name, value in values.items():
        row[0, Draw[name.upper()]] = value
    return row


def changed(stored: np.ndarray, row: np.ndarray, **fields: object) -> np.ndarray:
    return Augment(crop=False, mirror=0.0, **fields).batch([stored], row, stored.shape[:2])[0]


@pytest.mark.parametrize("draw", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("brightness", tv.adjust_brightness), ("contrast", tv.adjust_contrast), ("saturation", tv.adjust_saturation)],
)
def test_one_change_is_torchvisions(name, theirs, draw):
    stored = blocks()
    out = changed(stored, draws(**{name: draw}), **{name: 0.6})
    expected = theirs(torch.from_numpy(stored).permute(2, 0, 1), 1 + 0.6 * (2 * draw - 1)).permute(1, 2, 0).numpy()
    assert np.abs(out.astype(int) - expected).max() <= 1  # theirs is cut off where ours is rounded


def test_hue_turns_the_chroma_of_every_pixel():
    stored = blocks()
    out = changed(stored, draws(hue=1.0), hue=25.0)
    to_yiq = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
    angle = math.radians(25)
    for pixel, got in zip(stored.reshape(-1, 3), out.reshape(-1, 3), strict=True):
        y, i, q = to_yiq @ pixel
        turned = (y, math.cos(angle) * i - math.sin(angle) * q, math.sin(angle) * i + math.cos(angle) * q)
        expected = np.clip(np.linalg.solve(to_yiq, turned), 0, 255)
        assert np.abs(expected - got).max() <= 0.51


def test_hue_agrees_with_the_hsv_circle_in_direction():
    """A third of a turn makes red what HSV calls near green or near blue, and grey stays."""
    red = np.full((4, 4, 3), (160, 90, 90), dtype=np.uint8)
    for draw in (0.0, 1.0):
        r, g, b = changed(red, draws(hue=draw), hue=120.0)[0, 0] / 255.0
        hue = colorsys.rgb_to_hsv(r, g, b)[0] * 360
        assert min(abs(hue - 120), abs(hue - 240)) < 40
    grey = np.full((4, 4, 3), 133, dtype=np.uint8)
    assert (changed(grey, draws(hue=1.0), hue=120.0) == 133).all()


def test_principal_components_are_those_of_the_paper():
    """Krizhevsky et al. 2012, section 4.1, with the eigenvalues and eigenvectors of fb.resnet.torch."""
    stored = blocks()
    row = draws(pca_1=0.9, pca_2=0.2, pca_3=0.5)
    alphas = 0.1 * np.array([1.2815515655446004, -0.8416212335729143, 0.0])  # the normal quantiles of 0.9, 0.2, 0.5
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    shift = vectors @ (alphas * np.array([0.2175, 0.0188, 0.0045])) * 255
    assert np.abs(changed(stored, row, pca=0.1) - np.clip(stored + shift, 0, 255)).max() <= 0.51
    assert np.allclose(vectors.T @ vectors, np.eye(3), atol=1e-3)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]))
def test_composed_maps_do_one_after_the_other(seed, channels):
    generator = np.random.default_rng(seed)
    pixels = generator.uniform(0, 255, (50, channels))
    makers = [colour.brightness, colour.contrast, colour.saturation, colour.hue]
    order = generator.permutation(len(makers))
    amounts = generator.uniform(0.5, 1.5, len(makers))
    whole = colour.identities(1, channels)
    values = pixels
    for at in order:
        one = makers[at](amounts[at : at + 1], channels)
        whole = colour.composed(one, whole)
        values = applied(one[0], values)
    assert np.allclose(applied(whole[0], pixels), values)


def applied(colour_map: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    channels = pixels.shape[1]
    matrix, around, shift = np.split(colour_map, [channels, 2 * channels], axis=1)
    return pixels @ matrix.T + around @ pixels.mean(axis=0) + shift[:, 0]


def test_grey_pictures_have_no_colour_to_change():
    stored = blocks(channels=1)
    row = draws(saturation=1.0, hue=1.0, pca_1=0.99)
    assert (changed(stored, row, saturation=0.9, hue=90.0, pca=0.5) == stored).all()
    out = changed(stored, draws(contrast=1.0), contrast=0.5)
    expected = stored.mean() + 1.5 * (stored - stored.mean())
    assert np.abs(out - np.clip(expected, 0, 255)).max() <= 0.51
