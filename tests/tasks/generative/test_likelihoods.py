"""Likelihoods against torch's and scipy's distributions, bits per dimension against codes whose length is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from hubel.tasks.generative.likelihoods import (
    bernoulli_log_likelihood,
    bits_per_dimension,
    dequantise,
    gaussian_log_likelihood,
)


def test_bernoulli_is_the_log_probability_of_black_and_white_pictures():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 3, 2, generator=generator)
    images = (torch.rand(4, 1, 3, 2, generator=generator) > 0.5).float()
    ours = bernoulli_log_likelihood(logits, images)
    expected = stats.bernoulli.logpmf(images.numpy(), logits.double().sigmoid().numpy()).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-5)
    # all 2^2 pictures of 2 pixels together have the probability 1
    every = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).reshape(4, 1, 1, 2)
    assert bernoulli_log_likelihood(torch.tensor([0.3, -2.0]).reshape(1, 1, 2), every).exp().sum() == pytest.approx(1)


def test_bernoulli_of_grey_is_the_mean_over_pictures_drawn_from_it():
    generator = torch.Generator().manual_seed(0)
    grey, logits = torch.rand(1, 1, 4, 4, generator=generator), torch.randn(1, 1, 4, 4, generator=generator)
    drawn = torch.bernoulli(grey.expand(20_000, 1, 4, 4), generator=generator)
    expected = bernoulli_log_likelihood(logits, drawn).mean().item()
    assert bernoulli_log_likelihood(logits, grey).item() == pytest.approx(expected, rel=0.01)


def test_bernoulli_of_extreme_logits_is_finite():
    assert bernoulli_log_likelihood(torch.full((1, 1, 1, 1), 500.0), torch.zeros(1, 1, 1, 1)).item() == -500


def test_gaussian_is_the_log_density():
    generator = torch.Generator().manual_seed(0)
    mean, images = torch.randn(2, 5, 1, 3, 2, generator=generator)
    variance = 0.3
    ours = gaussian_log_likelihood(mean, images, torch.tensor(variance).log())
    expected = stats.norm.logpdf(images.numpy(), mean.numpy(), math.sqrt(variance)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-5)


def test_several_codes_of_a_batch_at_once():
    logits, images = torch.randn(7, 3, 1, 2, 2), torch.rand(3, 1, 2, 2)
    for likelihood in (
        bernoulli_log_likelihood(logits, images),
        gaussian_log_likelihood(logits, images, torch.tensor(0.0)),
    ):
        assert likelihood.shape == (7, 3)


def test_dequantised_pixels_stay_in_their_bins():
    pixels = torch.arange(256, dtype=torch.uint8).repeat(200)
    values = dequantise(pixels, torch.Generator().manual_seed(0))
    assert torch.equal((values * 256).floor().to(torch.uint8), pixels)
    assert values.max() < 1
    assert (values * 256 - pixels).mean().item() == pytest.approx(0.5, abs=0.01)


def test_bits_per_dimension_of_codes_whose_length_is_known():
    # Uniform over 0 to 1: a density of 1, so that every pixel of 256 levels takes 8 bits.
    assert bits_per_dimension(torch.tensor(0.0), 12).item() == pytest.approx(8)
    # Uniform over a quarter of it: log density log 4 of each value, 64 levels, 6 bits.
    assert bits_per_dimension(torch.tensor(12 * math.log(4)), 12).item() == pytest.approx(6)
    # A fair coin for each pixel: 1 bit.
    fair = bernoulli_log_likelihood(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))
    assert bits_per_dimension(fair, 12, levels=1).item() == pytest.approx(1)


def test_bits_per_dimension_bound_the_entropy_of_discrete_pixels():
    """A density cannot take fewer bits than the pixels' entropy, and the right one takes as many."""
    weights = np.random.default_rng(0).random(256)
    shares = torch.from_numpy(weights / weights.sum())
    entropy = -(shares * shares.log2()).sum().item()
    pixels = torch.multinomial(shares, 200_000, replacement=True, generator=torch.Generator().manual_seed(0))
    values = dequantise(pixels.to(torch.uint8), torch.Generator().manual_seed(1))
    right = (shares * 256).log()[(values * 256).long()]  # the density that is flat in each bin
    assert bits_per_dimension(right.mean(), 1).item() == pytest.approx(entropy, abs=0.01)
    normal = gaussian_log_likelihood(
        values.mean().expand(len(values), 1, 1, 1), values.reshape(-1, 1, 1, 1), values.var().log()
    )
    assert bits_per_dimension(normal.mean(), 1).item() > entropy
