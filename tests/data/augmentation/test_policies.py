"""RandAugment and TrivialAugment, each operation against torchvision's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from hubel.data.augmentation import Augment
from hubel.data.augmentation.policies import GEOMETRIC, OPERATIONS, Chosen, choose
from hubel.data.augmentation.policy_operations import apply_operation

PLAIN = {"crop": False, "mirror": 0.0}


def picture(seed: int = 0, low: int = 20, high: int = 200) -> np.ndarray:
    small = np.random.default_rng(seed).integers(low, high, (10, 12, 3), dtype=np.uint8)
    return small.repeat(4, axis=0).repeat(4, axis=1)


def planes(stored: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(stored).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "value", "theirs", "tolerance"),
    [
        ("posterize", 4.0, lambda image: tv.posterize(image, 4), 0),
        ("posterize", 2.0, lambda image: tv.posterize(image, 2), 0),
        ("solarize", 100.0, lambda image: tv.solarize(image, 100), 0),
        ("autocontrast", 0.0, tv.autocontrast, 1),
        ("equalize", 0.0, tv.equalize, 0),
        ("sharpness", 0.9, lambda image: tv.adjust_sharpness(image, 1.9), 1),
        ("sharpness", -0.9, lambda image: tv.adjust_sharpness(image, 0.1), 1),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_operations_on_values_are_torchvisions(name, value, theirs, tolerance, seed):
    images = torch.stack([planes(picture(seed)), planes(picture(seed + 10, 0, 256))])
    ours = apply_operation(name, images.float(), torch.tensor([value, value]))
    for mine, image in zip(ours, images, strict=True):
        assert (mine - theirs(image).float()).abs().max() <= tolerance


def test_equalize_and_autocontrast_of_a_flat_picture():
    flat = torch.full((1, 3, 8, 8), 77.0)
    for name in ("equalize", "autocontrast"):
        assert (apply_operation(name, flat, torch.zeros(1)) == flat).all()


@pytest.mark.parametrize(
    ("name", "value", "affine"),
    [
        ("rotate", 20.0, {"angle": -20.0}),
        ("shear_x", 0.25, {"shear": [math.degrees(math.atan(-0.25)), 0.0]}),
        ("shear_y", -0.25, {"shear": [0.0, math.degrees(math.atan(0.25))]}),
        ("translate_x", 0.125, {"translate": [6, 0]}),
        ("translate_y", -0.1, {"translate": [0, -4]}),
    ],
)
def test_operations_on_places_are_torchvisions_about_the_centre(name, value, affine, monkeypatch):
    stored = picture()
    at = OPERATIONS.index(name)
    monkeypatch.setattr(
        "hubel.data.augmentation.plan.choose",
        lambda *_, **__: Chosen(np.full((1, 1), at), np.full((1, 1), value)),
    )
    out = Augment(**PLAIN, policy="randaugment").batch([stored], np.full((1, Augment.DRAWS), 0.5), (40, 48))[0]
    arguments = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **affine}
    expected = tv.affine(planes(stored).float(), interpolation=InterpolationMode.BILINEAR, **arguments)
    assert (planes(out).float() - expected).abs()[:, 2:-2, 2:-2].median() <= 0.51
    assert ((planes(out).float() - expected).abs() > 1).float().mean() < 0.02  # at the picture's moved edge


def test_operations_after_each_other_keep_their_order(monkeypatch):
    """Solarize, then brightness, is not brightness, then solarize; what is affine goes into one map."""
    stored = picture()
    for names, values in ((("solarize", "brightness"), (120.0, 0.5)), (("brightness", "solarize"), (0.5, 120.0))):
        kinds = np.array([[OPERATIONS.index(name) for name in names]])
        chosen = Chosen(kinds, np.array([values]))
        monkeypatch.setattr("hubel.data.augmentation.plan.choose", lambda *_, chosen=chosen, **__: chosen)
        row = np.full((1, Augment.DRAWS), 0.5)
        out = Augment(**PLAIN, policy="randaugment").batch([stored], row, (40, 48))[0]
        expected = planes(stored)
        for name in names:
            brighter = name == "brightness"
            expected = tv.adjust_brightness(expected, 1.5) if brighter else tv.solarize(expected, 120)
        # Between a brightness and a threshold, values of 120 ± 1 may fall to either side.
        assert ((planes(out).int() - expected.int()).abs() <= 1).float().mean() > 0.97


def test_randaugment_draws_every_operation_alike_at_its_strength():
    chosen = choose("randaugment", np.arange(14_000), operations=2, magnitude=9)
    counts = np.bincount(chosen.kinds.ravel(), minlength=14)
    assert ((counts - 2000) ** 2 / 2000).sum() < 40  # chi-squared, 13 degrees of freedom: p < 0.0002
    greatest = {"rotate": 9.0, "shear_x": 0.09, "translate_x": 0.3 * 150 / 331, "contrast": 0.27, "sharpness": 0.27}
    for name, value in greatest.items():
        values = chosen.values[chosen.kinds == OPERATIONS.index(name)]
        assert np.allclose(np.abs(values), value)
        assert 0.45 < (values > 0).mean() < 0.55
    assert set(chosen.values[chosen.kinds == OPERATIONS.index("posterize")]) == {7.0}  # 8 - round(1.2)
    assert np.allclose(chosen.values[chosen.kinds == OPERATIONS.index("solarize")], 255 * (1 - 0.3))
    assert (chosen.values[chosen.kinds == OPERATIONS.index("equalize")] == 0).all()


def test_trivialaugment_draws_one_operation_of_any_strength():
    chosen = choose("trivialaugment", np.arange(14_000), operations=2, magnitude=9)
    assert chosen.kinds.shape == (14_000, 1)
    values = chosen.values[chosen.kinds == OPERATIONS.index("rotate")]
    assert len(np.unique(np.abs(values).round(6))) == 31
    assert np.abs(values).max() == pytest.approx(135)
    assert set(chosen.values[chosen.kinds == OPERATIONS.index("posterize")]) == set(range(2, 9))


def test_excluded_operations_are_never_drawn():
    chosen = choose("randaugment", np.arange(2000), operations=3, magnitude=9, excluded=GEOMETRIC)
    drawn = {OPERATIONS[kind] for kind in np.unique(chosen.kinds)}
    assert drawn == set(OPERATIONS) - set(GEOMETRIC)


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_policies_run_on_pictures_of_any_shape(policy, channels):
    augment = Augment(scale=(0.3, 1.0), policy=policy, magnitude=30, operations=3)
    shapes = [(40 + n, 90 - n) for n in range(30)]
    pictures = [
        np.random.default_rng(n).integers(0, 256, (*shape, channels), np.uint8) for n, shape in enumerate(shapes)
    ]
    rows = augment.draws(0, 0, np.arange(30))
    out = augment.batch(pictures, rows, (32, 32))
    assert out.shape == (30, 32, 32, channels)
    alone = augment.batch(pictures[7:8], rows[7:8], (32, 32))
    assert (alone[0] == out[7]).all()
    told = augment.plan(pictures, rows, (32, 32)).told(7)
    assert any(text.split()[0] in OPERATIONS for text in told)
