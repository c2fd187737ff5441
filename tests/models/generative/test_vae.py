"""Variational autoencoders: codes are drawn as their distribution says, in training alone."""

from __future__ import annotations

import pytest
import torch

from hubel.models import build_model
from hubel.models.generative import GaussianCode, VariationalAutoencoder


def built(**arguments: object) -> VariationalAutoencoder:
    torch.manual_seed(0)
    network = build_model("vae", **{"size": 4, "widths": (8,), "code_size": 3, **arguments})
    assert isinstance(network, VariationalAutoencoder)
    return network


def test_codes_are_drawn_from_their_distribution():
    code = GaussianCode(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 0.7]]))
    many = GaussianCode(*(each.expand(50_000, 2) for each in code))
    drawn = many.draw(torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), code.mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), code.log_variance[0].exp(), atol=0.05, rtol=0)


def test_the_gradient_goes_through_the_drawing():
    mean, log_variance = torch.zeros(1, 2, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    code = GaussianCode(mean, log_variance)
    drawn = code.draw(torch.Generator().manual_seed(0))
    drawn.sum().backward()
    assert torch.equal(mean.grad, torch.ones(1, 2))
    torch.testing.assert_close(log_variance.grad, 0.5 * drawn.detach())  # d/dlogvar of noise exp(logvar / 2) at 0


def test_training_draws_and_evaluation_takes_the_mean():
    network, x = built(), torch.rand(5, 1, 4, 4)
    with torch.no_grad():
        first, second = network.train()(x), network(x)
        assert not torch.equal(first.outputs, second.outputs)
        assert torch.equal(first.code.mean, second.code.mean)
        first, second = network.eval()(x), network(x)
        assert torch.equal(first.outputs, second.outputs)
        assert torch.equal(first.outputs, network.outputs(network.encode(x)))


def test_pictures_of_a_bernoulli_decoder_are_probabilities_and_of_a_gaussian_one_means():
    codes = torch.randn(4, 3)
    bernoulli, gaussian = built(), built(likelihood="gaussian")
    assert torch.equal(bernoulli.decode(codes), bernoulli.outputs(codes).sigmoid())
    assert torch.equal(gaussian.decode(codes), gaussian.outputs(codes))
    assert not hasattr(bernoulli.head, "log_variance")
    assert gaussian.pixel_log_variance.exp().item() == pytest.approx(0.1)
    assert gaussian.pixel_log_variance is gaussian.get_parameter("head.log_variance")  # trains with the head


def test_samples_are_decoded_standard_normal_codes():
    network = built().eval()
    codes = network.sample_codes(20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(codes.mean(0), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(codes.T), torch.eye(3), atol=0.05, rtol=0)
    with torch.no_grad():
        expected = network.decode(codes[:7])
    seeded = network.sample(7, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seeded, network.decode(network.sample_codes(7, torch.Generator().manual_seed(0))))
    assert seeded.shape == expected.shape
