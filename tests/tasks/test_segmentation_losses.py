"""Losses of segmentation against sums over the pixels one by one, and U-Net's weights against brute force."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hubel.tasks.segmentation_losses import (
    border_weights,
    inverse_pixel_frequencies,
    pixel_cross_entropy,
    pixel_focal_loss,
    soft_dice_loss,
)

CLASSES = 3


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, CLASSES, 4, 5, generator=generator) * 2
    masks = torch.randint(CLASSES, (2, 4, 5), generator=generator)
    masks[torch.rand(2, 4, 5, generator=generator) < 0.3] = 255
    return logits, masks, torch.rand(2, 4, 5, generator=generator)


def pixels(logits: torch.Tensor, masks: torch.Tensor):
    """Every pixel that counts: where it is, its class, and the probability that it has."""
    for n, y, x in np.ndindex(*masks.shape):
        if (label := masks[n, y, x].item()) != 255:
            scores = [math.exp(value) for value in logits[n, :, y, x].tolist()]
            yield (n, y, x), label, scores[label] / sum(scores)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("class_weights", [None, (0.5, 2.0, 3.0)])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_and_focal_loss_pixel_by_pixel(
    gamma: float, class_weights: tuple[float, ...] | None, weighted: bool
):
    logits, masks, weights = example()
    losses = [
        (weights[place].item() if weighted else 1)
        * (class_weights[label] if class_weights else 1)
        * (1 - p) ** gamma
        * -math.log(p)
        for place, label, p in pixels(logits, masks)
    ]
    expected = sum(losses) / len(losses)
    options = {"class_weights": class_weights, "pixel_weights": weights if weighted else None}
    assert pixel_focal_loss(logits, masks, gamma=gamma, **options).item() == pytest.approx(expected, rel=1e-5)
    if gamma == 0:
        assert pixel_cross_entropy(logits, masks, **options).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("class_weights", [None, (1.0, 0.0, 2.0)])
def test_soft_dice_pixel_by_pixel(class_weights: tuple[float, ...] | None):
    logits, masks, _ = example(1)
    probabilities = logits.softmax(dim=1)
    coefficients = []
    for label in range(CLASSES):
        both = ours = theirs = 0.0
        for place, truth, _ in pixels(logits, masks):
            p = probabilities[place[0], label, place[1], place[2]].item()
            both, ours, theirs = both + p * (truth == label), ours + p, theirs + (truth == label)
        coefficients.append((2 * both + 1) / (ours + theirs + 1))
    expected = 1 - np.average(coefficients, weights=class_weights)
    assert soft_dice_loss(logits, masks, class_weights=class_weights).item() == pytest.approx(expected, rel=1e-5)


def test_soft_dice_of_two_classes_by_hand():
    """Certain of everything, half of it right: 2·8 + 1 of 16 + 16 + 1 pixels for both classes."""
    masks = torch.zeros(1, 4, 8, dtype=torch.long)
    masks[:, :, 4:] = 1
    guess = masks.clone()
    guess[:, :2] = 1 - guess[:, :2]
    logits = torch.stack([1e3 * (guess == 0), 1e3 * (guess == 1)], dim=1)
    assert soft_dice_loss(logits, masks).item() == pytest.approx(1 - 17 / 33)
    assert soft_dice_loss(torch.stack([1e3 * (masks == 0), 1e3 * (masks == 1)], dim=1), masks).item() == 0


@pytest.mark.parametrize("loss", [pixel_cross_entropy, pixel_focal_loss, soft_dice_loss])
def test_ignored_pixels_have_no_gradient_and_others_have(loss):
    logits, masks, _ = example(2)
    logits.requires_grad_()
    loss(logits, masks).backward()
    ignored = (masks == 255).unsqueeze(1).expand_as(logits)
    assert not logits.grad[ignored].any()
    assert logits.grad[~ignored].all()


@pytest.mark.parametrize("loss", [pixel_cross_entropy, pixel_focal_loss, soft_dice_loss])
def test_a_batch_without_a_pixel_that_counts_is_no_accident(loss):
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    value = loss(logits, torch.full((1, 3, 3), 255))
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


def test_losses_fall_when_followed():
    _, masks, _ = example(3)
    for loss in (pixel_cross_entropy, pixel_focal_loss, soft_dice_loss):
        logits = torch.zeros(2, CLASSES, 4, 5, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=0.5)
        before = loss(logits, masks).item()
        for _ in range(20):
            optimizer.zero_grad()
            loss(logits, masks).backward()
            optimizer.step()
        assert loss(logits, masks).item() < before / 3


def brute_force(mask: np.ndarray, sigma: float, weight: float) -> np.ndarray:
    """Equation 2 with the distance to every pixel of every object, which are grown from their pixels one by one."""
    height, width = mask.shape
    objects: list[list[tuple[int, int]]] = []
    left = {(y, x) for y, x in np.ndindex(height, width) if mask[y, x] not in (0, 255)}
    while left:
        grown = [left.pop()]
        for y, x in grown:
            near = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            same = [place for place in near if place in left and mask[place] == mask[y, x]]
            left.difference_update(same)
            grown.extend(same)
        objects.append(grown)
    result = np.zeros(mask.shape)
    for y, x in np.ndindex(height, width):
        if mask[y, x] == 0 and len(objects) > 1:
            near = sorted(min(math.dist((y, x), place) for place in each) for each in objects)
            result[y, x] = weight * math.exp(-((near[0] + near[1]) ** 2) / (2 * sigma**2))
    return result


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.05, 0.3, 0.6]), sigma=st.sampled_from([0.7, 2.0, 5.0]))
@settings(max_examples=40)
def test_border_weights_are_those_of_brute_force(seed: int, share: float, sigma: float):
    generator = np.random.default_rng(seed)
    mask = np.where(generator.random((9, 13)) < share, generator.integers(1, 3, (9, 13)), 0)
    mask[generator.random((9, 13)) < 0.1] = 255
    ours = border_weights(mask, sigma=sigma, weight=10)
    np.testing.assert_allclose(ours, brute_force(mask, sigma, 10), rtol=1e-5, atol=1e-9)
    assert ours.dtype == np.float32


def test_border_weights_between_two_cells():
    mask = np.zeros((1, 9), np.uint8)
    mask[0, :4], mask[0, 5:] = 1, 1  # one pixel between them, whose distances are 1 and 1
    weights = border_weights(mask)
    assert weights[0, 4] == pytest.approx(10 * math.exp(-4 / 50))
    assert not weights[0, :4].any()
    assert not border_weights(mask[:, :4]).any()  # one object has no second


def test_border_weights_of_a_real_slice(shared: Path):
    """Weights are greatest on the thin membranes and small inside the thick ones."""
    path = shared / "data/membrane/masks/0.png"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    mask = (np.asarray(Image.open(path)) > 127).astype(np.uint8)[:160, :160]
    weights = border_weights(mask)
    assert not weights[mask == 1].any()
    assert 5 < weights.max() <= 10 * math.exp(-4 / 50)


def test_class_weights_from_the_pixels_of_masks():
    counts = (4, 2, 0)
    assert inverse_pixel_frequencies(counts) == pytest.approx((6 / (3 * 4), 6 / (3 * 2), 0.0))


def test_shapes_that_do_not_fit_are_named():
    logits, masks, _ = example()
    with pytest.raises(
        ValueError,
        match=r"of shape \(2, 3, 4, 5\) and masks of shape \(2, 5, 4\) came: expected masks of shape \(2, 4, 5\)",
    ):
        pixel_cross_entropy(logits, masks.transpose(1, 2))
    with pytest.raises(ValueError, match=r"pixel weights of shape \(4, 5\)"):
        pixel_focal_loss(logits, masks, pixel_weights=torch.ones(4, 5))
    with pytest.raises(ValueError, match="2 class weights came for 3 classes"):
        soft_dice_loss(logits, masks, class_weights=(1, 2))
