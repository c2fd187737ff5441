"""Reconstruction as a task: losses against values worked by hand, figures against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from hubel.config import GenerativeConfig
from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.generative import Autoencoder, VariationalAutoencoder
from hubel.preprocessing import Preprocess
from hubel.tasks.generative.drawing import error_map, in_a_row, pixels_of, sheet
from hubel.tasks.generative.measuring import Reconstructed, measure
from hubel.tasks.generative.variational import kl_to_standard_normal
from hubel.tasks.reconstruction import ReconstructionTask

PREPROCESS = Preprocess(channels=1, size=(16, 16), resize_to=16, mean=(0.0,), std=(1.0,))


def autoencoder(**arguments: Any) -> Autoencoder:
    torch.manual_seed(0)
    network = build_model("autoencoder", in_channels=1, size=16, widths=(8,), code_size=3, **arguments)
    assert isinstance(network, Autoencoder)
    return network


def images(count: int = 5) -> torch.Tensor:
    pixels = torch.randint(256, (count, 1, 16, 16), generator=torch.Generator().manual_seed(1))
    return pixels / 255


def test_losses_are_those_that_are_named() -> None:
    x, network = images(), autoencoder()
    outputs = network(x)
    loss, score = ReconstructionTask(GenerativeConfig()).loss(network, x, None)
    assert loss.item() == pytest.approx(F.binary_cross_entropy_with_logits(outputs, x).item(), rel=1e-5)
    assert score.item() == pytest.approx(5 * F.mse_loss(outputs.sigmoid(), x).item(), rel=1e-5)
    squared, _ = ReconstructionTask(GenerativeConfig(loss="squared_error")).loss(network, x, None)
    assert squared.item() == pytest.approx(F.mse_loss(outputs.sigmoid(), x).item(), rel=1e-5)
    sparse, _ = ReconstructionTask(GenerativeConfig(loss="squared_error", sparsity=0.5)).loss(network, x, None)
    penalty = network.encode(x).abs().sum(dim=1).mean()
    assert sparse.item() == pytest.approx(squared.item() + 0.5 * penalty.item(), rel=1e-5)


def test_the_divergence_warms_up() -> None:
    network = build_model("vae", in_channels=1, size=16, widths=(8,), code_size=3)
    assert isinstance(network, VariationalAutoencoder)
    network.eval()  # codes are their means
    task, x = ReconstructionTask(GenerativeConfig(beta=2.0, kl_warmup=4), beta=2.0), images()
    losses = [task.at_step(step).loss(network, x, None)[0].item() for step in (0, 2, 4, 100)]
    of_a_value = kl_to_standard_normal(network.posterior(x)).sum(dim=1).mean().item() / 256
    assert losses[1] - losses[0] == pytest.approx(of_a_value, rel=1e-3)
    assert losses[2] - losses[0] == pytest.approx(2 * of_a_value, rel=1e-3)
    assert losses[3] == losses[2]


def test_figures_are_of_what_comes_back() -> None:
    network, task = autoencoder(noise=0.2).eval(), ReconstructionTask(GenerativeConfig())
    pictures = list((images() * 255).round().byte().permute(0, 2, 3, 1).numpy())
    found = task.predict(network, PREPROCESS, pictures, [(16, 16)] * 5)
    back = network.reconstruct(images()).detach().numpy()
    errors = np.square(back - images().numpy()).mean(axis=(1, 2, 3))
    metrics = task.measure(found, np.zeros(5, np.int64))
    assert metrics.values["mean_squared_error"] == pytest.approx(errors.mean(), rel=1e-5)
    assert metrics.values["psnr"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-5)
    mean = images().mean(dim=0).numpy()
    of_mean = np.square(images().numpy() - mean).mean(axis=(1, 2, 3))
    assert metrics.values["mean_picture_psnr"] == pytest.approx((-10 * np.log10(of_mean)).mean(), rel=1e-4)
    assert metrics.values["noisy_psnr"] == pytest.approx(-20 * math.log10(0.2), abs=0.5)
    assert next(iter(metrics.values)) == "restored_psnr"  # what chooses the epoch
    assert task.rank(metrics) == (metrics.values["restored_psnr"],)
    assert metrics.quantiles["0.9"] == pytest.approx(np.quantile(errors, 0.9), rel=1e-5)
    # The noise is the picture's own, whatever comes with it.
    alone = task.predict(network, PREPROCESS, pictures[3:4], [(16, 16)])[0]
    assert alone.figures["noisy_error"] == pytest.approx(found[3].figures["noisy_error"], rel=1e-6)


def test_small_pictures_have_no_ssim() -> None:
    network = build_model("autoencoder", in_channels=1, size=8, widths=(8,), code_size=3).eval()
    found = ReconstructionTask(GenerativeConfig()).predict(
        network, PREPROCESS, [np.full((8, 8, 1), 9, np.uint8)], [(8, 8)]
    )
    assert "ssim" not in found[0].figures


def test_models_are_averaged_and_compared_picture_by_picture() -> None:
    given = np.full((4, 4, 1), 100, np.uint8)
    dark, light = (
        [Reconstructed(np.full((4, 4, 1), level, np.uint8), given, {"mean_squared_error": error}) for error in errors]
        for level, errors in ((90, (0.01, 0.02, 0.04)), (112, (0.02, 0.04, 0.08)))
    )
    task = ReconstructionTask(GenerativeConfig())
    together = task.average([dark, light])
    assert (together[0].picture == 101).all()
    assert together[0].figures["mean_squared_error"] == pytest.approx((1 / 255) ** 2)
    difference = task.compare(dark, light, np.zeros(3, np.int64))
    assert difference.figure == "psnr"
    assert difference.difference == pytest.approx(10 * math.log10(2))
    assert measure(dark).images == 3


def test_a_network_without_an_encoder_is_refused() -> None:
    network = build_model("lenet5", num_classes=2)
    with pytest.raises(ConfigError, match="ClassificationNetwork gives no picture back"):
        ReconstructionTask(GenerativeConfig()).predict(network, PREPROCESS, [], [])


def test_pictures_in_rows_and_sheets() -> None:
    grey = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 6, 1), np.uint8)
    drawn = sheet(grey, columns=2)
    assert drawn.size == (6 * 2 + 2, 8 * 3 + 4)
    assert drawn.getpixel((8, 0)) == (1, 1, 1)
    assert drawn.getpixel((0, 20)) == (4, 4, 4)
    assert drawn.getpixel((6, 0)) == (255, 255, 255)
    row = in_a_row([grey[0], grey[1]])
    assert isinstance(row, Image.Image)
    assert row.size == (2 * 72 + 2, 96)
    values = np.array([[[[-1.0, 0.0], [1.0, 3.0]]]])
    assert pixels_of(values, (-1.0, 1.0))[0, :, :, 0].tolist() == [[0, 128], [255, 255]]


def test_the_map_of_the_error_goes_from_black_to_white() -> None:
    given = np.zeros((1, 3, 1), np.uint8)
    back = np.array([[[0], [64], [200]]], np.uint8)
    heat = error_map(back, given, most=0.5)[0]
    assert heat[0].tolist() == [0, 0, 0]
    assert heat[1, 0] == 255
    assert heat[1, 2] == 0
    assert heat[2].tolist() == [255, 255, 255]


def test_models_of_grey_and_of_colour_pictures_are_not_averaged() -> None:
    grey, colour = (
        [Reconstructed(np.zeros((4, 4, channels), np.uint8), np.zeros((4, 4, channels), np.uint8), {})]
        for channels in (1, 3)
    )
    with pytest.raises(ConfigError, match=r"inputs are of 4×4×1 and 4×4×3 values \(height, width, channels\)"):
        ReconstructionTask(GenerativeConfig()).average([grey, colour])
