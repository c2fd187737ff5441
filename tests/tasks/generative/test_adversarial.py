"""Losses of the game by hand, the gradient penalty where the gradient is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hubel.tasks.generative.adversarial import (
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)

REAL, GENERATED = torch.tensor([2.0, -0.5]), torch.tensor([-1.0, 0.25, 3.0])


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        (
            "non-saturating",
            mean([softplus(-2), softplus(0.5)]) + mean([softplus(-1), softplus(0.25), softplus(3)]),
            mean([softplus(1), softplus(-0.25), softplus(-3)]),
        ),
        (
            "least-squares",
            0.5 * mean([1, 2.25]) + 0.5 * mean([1, 0.0625, 9]),
            0.5 * mean([4, 0.5625, 4]),
        ),
        ("wasserstein", 0.75 - 0.75, -0.75),
        ("hinge", mean([0, 1.5]) + mean([0, 1.25, 4]), -0.75),
    ],
)
def test_losses_by_hand(kind, discriminator: float, generator: float):
    assert discriminator_loss(kind, REAL, GENERATED).item() == pytest.approx(discriminator, abs=1e-6)
    assert generator_loss(kind, GENERATED).item() == pytest.approx(generator, abs=1e-6)


def test_the_non_saturating_game_is_the_cross_entropy_of_probabilities():
    """Goodfellow et al. 2014: -log D(x) - log(1 - D(G(z))), and -log D(G(z)) for the generator."""
    expected = -REAL.sigmoid().log().mean() - (1 - GENERATED.sigmoid()).log().mean()
    torch.testing.assert_close(discriminator_loss("non-saturating", REAL, GENERATED), expected)
    torch.testing.assert_close(generator_loss("non-saturating", GENERATED), -GENERATED.sigmoid().log().mean())


def test_smoothing_is_one_sided():
    real = REAL.sigmoid()
    expected = -(0.9 * real.log() + 0.1 * (1 - real).log()).mean() - (1 - GENERATED.sigmoid()).log().mean()
    torch.testing.assert_close(discriminator_loss("non-saturating", REAL, GENERATED, smoothing=0.1), expected)
    squares = 0.5 * mean([1.1**2, 1.4**2]) + 0.5 * mean([1, 0.0625, 9])
    assert discriminator_loss("least-squares", REAL, GENERATED, smoothing=0.1).item() == pytest.approx(squares)


@pytest.mark.parametrize("kind", ["non-saturating", "least-squares", "wasserstein", "hinge"])
def test_each_side_is_led_its_way(kind):
    real, generated = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    discriminator_loss(kind, real, generated).backward()
    assert (real.grad < 0).all()  # following the gradient raises D of real pictures
    assert (generated.grad >= 0).all()
    fooling = torch.zeros(3, requires_grad=True)
    generator_loss(kind, fooling).backward()
    assert (fooling.grad < 0).all()


def test_the_penalty_of_a_linear_critic_is_known():
    """D(x) = w·x has the gradient w everywhere: (‖w‖ - 1)², whose gradient in w is 2 (‖w‖ - 1) w / ‖w‖."""
    layer = nn.Linear(12, 1)
    penalty = gradient_penalty(lambda x: layer(x.flatten(1))[:, 0], torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2))
    norm = layer.weight.norm()
    torch.testing.assert_close(penalty, (norm - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(layer.weight.grad, (2 * (norm - 1) * layer.weight / norm).detach())


def test_the_penalty_of_a_quadratic_critic_is_known():
    """D(x) = a ‖x‖² / 2 has the gradient a x; on equal pictures all places between are those."""
    x, scale = torch.randn(6, 1, 3, 3), torch.tensor(0.7, requires_grad=True)
    penalty = gradient_penalty(lambda images: scale * images.square().flatten(1).sum(dim=1) / 2, x, x)
    torch.testing.assert_close(
        penalty, (0.7 * x.flatten(1).norm(dim=1) - 1).square().mean().detach(), check_stride=False
    )


def test_the_penalty_is_that_of_numerical_differences():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(1), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    real, generated = torch.randn(2, 3, 1, 2, 2).double()
    penalty = gradient_penalty(lambda x: network(x)[:, 0], real, generated, torch.Generator().manual_seed(3))
    share = torch.rand(3, 1, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    between = generated + share * (real - generated)
    step, norms = 1e-6, []
    with torch.no_grad():
        for picture in between:
            flat = picture.flatten()
            slopes = [
                (network((flat + step * e)[None]) - network((flat - step * e)[None])).item() / (2 * step)
                for e in torch.eye(4).double()
            ]
            norms.append(math.hypot(*slopes))
    assert penalty.item() == pytest.approx(mean([(norm - 1) ** 2 for norm in norms]), rel=1e-6)


def test_accuracy_counts_both_sides():
    assert discriminator_accuracy("non-saturating", REAL, GENERATED) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert discriminator_accuracy("least-squares", REAL, GENERATED) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert discriminator_accuracy("wasserstein", REAL, GENERATED) == pytest.approx(3 / 6)


def test_mistakes():
    with pytest.raises(ValueError, match="the loss is 'minimax': expected one of non-saturating, least-squares"):
        generator_loss("minimax", GENERATED)
    with pytest.raises(ValueError, match="label smoothing came with the loss 'hinge', which has no labels"):
        discriminator_loss("hinge", REAL, GENERATED, smoothing=0.1)
    with pytest.raises(ValueError, match=r"label smoothing is 1: expected at least 0 and below 1"):
        discriminator_loss("non-saturating", REAL, GENERATED, smoothing=1)
    with pytest.raises(ValueError, match=r"real pictures of shape \(2, 1, 2, 2\) and generated ones of shape \(3,"):
        gradient_penalty(lambda x: x, torch.zeros(2, 1, 2, 2), torch.zeros(3, 1, 2, 2))
