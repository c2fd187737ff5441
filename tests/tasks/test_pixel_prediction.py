"""Bands of rows against whole arrays: enlarging, cutting, keeping, averaging."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hubel.tasks.pixel_prediction import PixelPrediction, averaged, in_bands, scaled_bands


def probabilities(*size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, *size, generator=generator).softmax(dim=0)


def kept(of: torch.Tensor) -> PixelPrediction:
    return PixelPrediction.of(in_bands([of]))


@settings(max_examples=20)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    wanted=st.tuples(st.sampled_from([1, 7, 255, 256, 300, 513]), st.integers(1, 60)),
)
def test_bands_are_scaled_as_the_whole_is(size: tuple[int, int], wanted: tuple[int, int]):
    logits = torch.randn(2, *size, generator=torch.Generator().manual_seed(0))
    bands = list(scaled_bands(logits, wanted))
    whole = F.interpolate(logits[None], size=wanted, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(torch.cat(bands, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert all(band.shape[1] == 256 for band in bands[:-1])


@pytest.mark.parametrize("heights", [[1], [256], [100, 100, 100, 300, 3], [700], [256, 256]])
def test_strips_are_cut_into_bands(heights: list[int]):
    strips = [torch.rand(2, height, 3) for height in heights]
    bands = list(in_bands(strips))
    assert torch.equal(torch.cat(bands, dim=1), torch.cat(strips, dim=1))
    assert [band.shape[1] for band in bands[:-1]] == [256] * (len(bands) - 1)
    assert 0 < bands[-1].shape[1] <= 256


def test_the_mask_is_exact_and_the_probabilities_are_kept_in_steps():
    of = probabilities(300, 11)
    prediction = kept(of)
    assert prediction.mask.size == (300, 11)
    assert np.array_equal(prediction.mask.array(), of.argmax(dim=0).numpy())
    steps = np.concatenate(list(prediction.bands()), axis=1)
    assert np.abs(steps / 255 - of.numpy()).max() <= 0.5 / 255 + 1e-7


def test_sure_masks_take_little_room():
    of = torch.zeros(5, 600, 800)
    of[1, :300], of[2, 300:] = 1, 1
    prediction = kept(of)
    assert sum(len(band) for band in (*prediction.mask.bands, *prediction.probabilities)) < of.numel() / 100


def test_cross_entropy_is_that_of_the_pixels_that_count():
    of = probabilities(300, 7)
    truth = np.random.default_rng(0).integers(0, 3, (300, 7)).astype(np.uint8)
    truth[:, 2] = 255
    losses = [-math.log(of[truth[y, x], y, x]) for y, x in np.ndindex(*truth.shape) if truth[y, x] != 255]
    assert kept(of).cross_entropy(truth) == pytest.approx(np.mean(losses), rel=0.01)
    assert kept(of).cross_entropy(np.full_like(truth, 255)) == 0
    sure = torch.zeros(2, 1, 1)
    sure[0] = 1
    assert kept(sure).cross_entropy(np.array([[0]], np.uint8)) == 0
    assert kept(sure).cross_entropy(np.array([[1]], np.uint8)) == pytest.approx(math.log(2 * 255))


def test_models_are_averaged_by_probabilities():
    several = [probabilities(270, 9, seed=seed) for seed in range(3)]
    together = averaged([kept(of) for of in several])
    mean = torch.stack(several).mean(dim=0)
    best, second = mean.topk(2, dim=0).values
    clear = ((best - second) > 2 / 255).numpy()
    assert clear.mean() > 0.9
    assert np.array_equal(together.mask.array()[clear], mean.argmax(dim=0).numpy()[clear])
    (alone,) = [kept(several[0])]
    assert averaged([alone]) is alone
