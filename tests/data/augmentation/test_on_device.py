"""The batch version against the loading processes' version: the same pictures, up to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.data.augmentation import Augment

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def photograph(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    """Smooth shapes with some grain, as photographs have."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    grainy = np.clip(smooth + generator.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    return grainy[:, :, :channels]


def photographs(count: int, channels: int = 3) -> list[np.ndarray]:
    return [photograph(64 + 7 * (n % 5), 110 - 9 * (n % 6), channels, n) for n in range(count)]


SETTINGS = {
    "none": Augment.preset("none"),
    "light": Augment.preset("light"),
    "standard": Augment.preset("standard"),
    "strong": Augment.preset("strong"),
    "detection": Augment.preset("strong", "detection"),
    "segmentation": Augment.preset("strong", "segmentation"),
    "elastic": Augment(elastic=0.04, outside="reflect"),
    "policy": Augment(scale=(0.3, 1.0), policy="randaugment", magnitude=20),
    "all": Augment(scale=(0.1, 1.0), flip=0.5, rotate=90.0, zoom=1.0, pca=0.2, noise=0.1, blur=1.5, erase=0.5),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SETTINGS)
def test_it_gives_what_loading_processes_give(name, channels, device):
    """Within 1 of 255, of which gains of colour make up to 3, in few places; thresholds of policies make more."""
    augment, pictures = SETTINGS[name], photographs(24, channels)
    rows = augment.draws(5, 2, np.arange(24))
    expected = augment.batch(pictures, rows, (48, 56)).astype(int)
    got = augment.packed(pictures, rows, (48, 56)).vary(torch.device(device))
    assert got.dtype == torch.uint8
    assert got.device.type == device
    difference = np.abs(got.cpu().numpy() - expected)
    if name in ("none", "light"):
        assert difference.max() == 0
    assert difference.mean() < 0.2
    assert (difference > 1).mean() < 0.03
    assert name == "policy" or difference.max() <= 3


@pytest.mark.parametrize("device", DEVICES)
def test_windows_that_shrink_much_are_antialiased_alike(device):
    pictures = [photograph(300, 420, 3, n) for n in range(4)]
    augment = Augment(scale=(0.5, 1.0), rotate=20.0, share=0.5)
    rows = augment.draws(0, 0, np.arange(4))
    expected = augment.batch(pictures, rows, (40, 40)).astype(int)
    difference = np.abs(augment.packed(pictures, rows, (40, 40)).vary(torch.device(device)).cpu().numpy() - expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.2


def test_a_picture_does_not_depend_on_its_company():
    augment, pictures = SETTINGS["strong"], photographs(12)
    rows = augment.draws(5, 2, np.arange(12))
    together = augment.packed(pictures, rows, (48, 56)).vary(torch.device("cpu")).int()
    for n in (0, 5, 11):
        alone = augment.packed(pictures[n : n + 1], rows[n : n + 1], (48, 56)).vary(torch.device("cpu")).int()
        assert (alone[0] - together[n]).abs().max() <= 1  # other sums of products, rounded otherwise


def test_only_what_is_seen_is_packed():
    """A ribbon of a picture does not make room for itself in all the others."""
    pictures = [photograph(60, 60, 3, 0), photograph(60, 2400, 3, 1)]
    for augment in (Augment(scale=(0.3, 1.0)), Augment(rotate=10.0, outside="reflect")):
        packed = augment.packed(pictures, augment.draws(0, 0, np.arange(2)), (48, 48))
        assert max(packed.pixels.shape[1:3]) <= 90
