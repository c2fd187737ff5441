"""PSNR and SSIM, FID and KID, sparsity and the alarm: against formulas, other programs and planted cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import linalg, ndimage
from tests.apple_gpu import apple_gpu, on_apple_gpu

from hubel.tasks.generative.collapse import class_coverage, collapse_alarm, diversity
from hubel.tasks.generative.reconstruction import mean_squared_error, psnr, ssim
from hubel.tasks.generative.sample_distances import frechet_distance, kernel_distance
from hubel.tasks.generative.sparsity import kl_sparsity, l1_sparsity


def test_psnr_by_hand():
    images = torch.zeros(2, 1, 2, 2)
    reconstructions = torch.tensor([0.1, 0.0]).reshape(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert mean_squared_error(reconstructions, images).tolist() == pytest.approx([0.01, 0.0])
    assert psnr(reconstructions, images)[0].item() == pytest.approx(20)
    assert psnr(reconstructions, images)[1].item() == math.inf
    assert psnr(255 * reconstructions, 255 * images, peak=255)[0].item() == pytest.approx(20)


def test_noise_of_sigma_half_has_a_psnr_of_6():
    noise = 0.5 * torch.randn(4, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    assert psnr(noise, torch.zeros_like(noise)).mean().item() == pytest.approx(20 * math.log10(2), abs=0.1)


def ssim_by_scipy(x: np.ndarray, y: np.ndarray) -> float:
    """The same formula with scipy's filter, cut to where its window lies within the picture."""

    def windowed(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, 1.5, radius=5)[5:-5, 5:-5]

    mx, my = windowed(x), windowed(y)
    vx, vy, c = windowed(x * x) - mx**2, windowed(y * y) - my**2, windowed(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (((2 * mx * my + c1) * (2 * c + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def test_ssim_of_pictures_on_an_apple_gpu_is_that_on_the_cpu():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 2, 3, 14, 16, generator=generator)
    with apple_gpu():
        there = ssim(on_apple_gpu(y), on_apple_gpu(x))
    assert there.device.type == "mps"
    assert torch.equal(there.cpu(), ssim(y, x))


def test_ssim_is_that_of_scipys_filter():
    generator = np.random.default_rng(0)
    x = ndimage.gaussian_filter(generator.random((3, 2, 24, 30)), (0, 0, 1, 1))
    y = (x + 0.1 * generator.normal(size=x.shape)).clip(0, 1)
    ours = ssim(torch.from_numpy(y), torch.from_numpy(x)).numpy()
    expected = [
        np.mean([ssim_by_scipy(a, b) for a, b in zip(one, two, strict=True)]) for one, two in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    assert ssim(torch.from_numpy(x), torch.from_numpy(x)).tolist() == pytest.approx([1, 1, 1])


def test_pictures_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"reconstructions of shape \(2, 1, 4, 4\) and pictures of shape \(1, 1, 4, 4\)"
    ):
        psnr(torch.zeros(2, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="SSIM's window asks for at least 11×11"):
        ssim(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


def features(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, 16)) @ np.random.default_rng(99).normal(size=(16, 16))
    return (mixed + shift).astype(np.float32)


def test_fid_is_that_of_the_published_formula():
    generated, real = features(0, 500, 0.3), features(1, 700)
    m1, m2 = (each.astype(float).mean(axis=0) for each in (generated, real))
    c1, c2 = (np.cov(each.astype(float), rowvar=False) for each in (generated, real))
    expected = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * linalg.sqrtm(c1 @ c2).real)
    assert frechet_distance(generated, real) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_fid_of_known_normal_distributions():
    """A shift by d costs ‖d‖², twice the spread of D values of deviation s costs D s²."""
    real = np.random.default_rng(0).normal(size=(300, 5))
    assert frechet_distance(real + 2.0, real) == pytest.approx(5 * 4)
    centred = real - real.mean(axis=0)
    assert frechet_distance(2 * centred, centred) == pytest.approx(np.trace(np.cov(centred, rowvar=False)))


def test_fid_of_fewer_pictures_than_features_is_finite():
    assert 0 < frechet_distance(features(0, 8), features(1, 9)) < math.inf


def test_fid_and_kid_are_those_of_torch_fidelity():
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    generated, real = features(0, 1500, 0.1), features(1, 1200)
    tensors = [torch.from_numpy(each) for each in (generated, real)]
    statistics = [fid_features_to_statistics(each) for each in tensors]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(generated, real) == pytest.approx(theirs, abs=1e-3)
    expected = kid_features_to_metric(*tensors, verbose=False, rng_seed=2020, kid_subsets=10)
    ours = kernel_distance(generated, real, subsets=10)
    assert ours.mean == pytest.approx(expected[KEY_METRIC_KID_MEAN], abs=1e-3)
    assert ours.deviation == pytest.approx(expected[KEY_METRIC_KID_STD], abs=1e-3)


def test_kid_is_the_unbiased_discrepancy_pair_by_pair():
    x, y = features(0, 7, 0.5).astype(float), features(1, 7).astype(float)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / 16 + 1) ** 3

    within = [np.mean([kernel(each[i], each[j]) for i in range(7) for j in range(7) if i != j]) for each in (x, y)]
    expected = sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])
    ours = kernel_distance(x, y, subsets=3, subset_size=7)
    assert ours.mean == pytest.approx(expected)
    assert ours.deviation == pytest.approx(0, abs=1e-9)


def test_kid_of_the_same_distribution_is_zero_on_average():
    same = kernel_distance(features(0, 1000), features(1, 1000), subset_size=100)
    other = kernel_distance(features(0, 1000, 3.0), features(1, 1000), subset_size=100)
    assert abs(same.mean) < 3 * same.deviation
    assert other.mean > same.mean + 3 * other.deviation


def test_features_that_do_not_fit():
    with pytest.raises(ValueError, match=r"features of shapes \(5, 16\) and \(5, 3\) came"):
        frechet_distance(features(0, 5), features(0, 5)[:, :3])
    with pytest.raises(ValueError, match="500 generated and 2000 real pictures came: expected at least 1000 of each"):
        kernel_distance(features(0, 500), features(1, 2000))


def test_sparsity():
    codes = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert l1_sparsity(codes).item() == 3
    active = torch.tensor([[0.1, 0.5], [0.3, 0.5]])  # mean activities 0.2 and 0.5
    expected = 0.2 * math.log(0.2 / 0.5) + 0.8 * math.log(0.8 / 0.5)
    assert kl_sparsity(active, target=0.2).item() == pytest.approx(expected, rel=1e-5)
    assert kl_sparsity(torch.tensor([[0.0], [0.0]])).isfinite()
    with pytest.raises(ValueError, match=r"mean activities of the codes reach from 0.5 to 2.5: expected 0 to 1"):
        kl_sparsity(codes.abs())
    with pytest.raises(ValueError, match="the target activity is 0: expected one between 0 and 1"):
        kl_sparsity(active, target=0)


def test_coverage_of_classes():
    every = class_coverage(np.eye(10)[np.arange(100) % 10])
    assert every.counts.tolist() == [10] * 10
    assert (every.coverage, every.confident) == (pytest.approx(1), 1)
    one = class_coverage(np.tile([0.05, 0.8, 0.15], (30, 1)))
    assert one.counts.tolist() == [0, 30, 0]
    assert (one.coverage, one.confident) == (pytest.approx(1 / 3), 0)
    half = class_coverage(np.eye(4)[np.arange(100) % 2])
    assert half.coverage == pytest.approx(0.5)
    assert half.shares.tolist() == [0.5, 0.5, 0, 0]
    with pytest.raises(ValueError, match=r"probabilities of shape \(0, 3\) came"):
        class_coverage(np.zeros((0, 3)))


def test_diversity_is_relative_to_real_pictures():
    real = np.random.default_rng(0).random((100, 1, 4, 4))
    assert diversity(real, real) == pytest.approx(1)
    assert diversity(real.mean() + 0.1 * (real - real.mean()), real) == pytest.approx(0.1)
    assert diversity(np.repeat(real[:1], 50, axis=0), real) == 0
    with pytest.raises(ValueError, match="the real pictures are all the same"):
        diversity(real, np.zeros_like(real))
    with pytest.raises(
        ValueError, match=r"samples of shape \(1, 1, 4, 4\) and real pictures of shape \(100, 1, 4, 4\)"
    ):
        diversity(real[:1], real)


def test_the_diversity_of_many_is_that_of_some_of_them():
    """Taken evenly: the first ones of pictures that are sorted by class would be of one class."""
    draw = np.random.default_rng(0)
    real = draw.normal(size=(10_000, 2)) + 5 * (np.arange(10_000) // 1000)[:, None]
    samples = draw.permutation(real)
    assert diversity(samples, real) == pytest.approx(1, abs=0.03)
    assert diversity(samples[:2000], real) == pytest.approx(1, abs=0.03)


def test_the_alarm_tells_why():
    assert collapse_alarm(coverage=0.95, diversity=0.9, discriminator_accuracy=0.8) == ()
    assert collapse_alarm(coverage=0.95, diversity=0.9, discriminator_accuracy=1.0) == ()
    assert collapse_alarm(diversity=0.6) == ()
    assert collapse_alarm(coverage=0.1, diversity=0.9) == (
        "the classes of the samples are 10% of those of the data (below 50%)",
    )
    assert collapse_alarm(coverage=1.0, diversity=0.2, discriminator_accuracy=0.5) == (
        "the samples differ 20% as much as real pictures (below 50%)",
    )
    assert collapse_alarm(coverage=0.9, diversity=0.6, discriminator_accuracy=0.99) == (
        "the samples differ 60% as much as real pictures (below 75% while the discriminator tells 99% of the pictures)",
    )
    assert len(collapse_alarm(coverage=0.1, diversity=0.1)) == 2


def test_a_planted_collapse_raises_the_alarm():
    """A generator that knows one picture, with some noise, of pictures of ten kinds."""
    generator = np.random.default_rng(0)
    kinds = generator.random((10, 8, 8))
    real = kinds[generator.integers(10, size=300)] + 0.05 * generator.normal(size=(300, 8, 8))

    def judged(pictures: np.ndarray) -> np.ndarray:
        distances = np.linalg.norm((pictures[:, None] - kinds[None]).reshape(len(pictures), 10, -1), axis=2)
        return np.exp(-10 * distances) / np.exp(-10 * distances).sum(axis=1, keepdims=True)

    def alarm(samples: np.ndarray) -> tuple[str, ...]:
        return collapse_alarm(coverage=class_coverage(judged(samples)).coverage, diversity=diversity(samples, real))

    healthy = kinds[generator.integers(10, size=300)] + 0.1 * generator.normal(size=(300, 8, 8))
    collapsed = kinds[:1] + 0.05 * generator.normal(size=(300, 8, 8))
    assert alarm(healthy) == ()
    assert len(alarm(collapsed)) == 2
    assert len(alarm(kinds[generator.integers(3, size=300)])) == 1  # three kinds of ten
