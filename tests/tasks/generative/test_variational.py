"""The divergence against Monte Carlo, the bounds against the exact likelihood of probabilistic PCA."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from hubel.models import build_model
from hubel.models.generative import GaussianCode, VariationalAutoencoder, VariationalOutput
from hubel.tasks.generative.likelihoods import gaussian_log_likelihood
from hubel.tasks.generative.variational import (
    elbo,
    importance_weighted_bound,
    kl_to_standard_normal,
    log_importance_weights,
    log_likelihood,
    normal_log_density,
    variational_loss,
    warmed_up,
)

SIZE, DIMENSIONS, CODE = (2, 3), 6, 2


def test_the_divergence_is_that_of_monte_carlo():
    code = GaussianCode(torch.tensor([[0.7, -1.5, 0.0]]), torch.tensor([[0.4, -1.2, 0.0]]))
    draws = 400_000
    many = GaussianCode(*(each.expand(draws, 3) for each in code))
    z = many.draw(torch.Generator().manual_seed(0))
    standard = GaussianCode(torch.zeros_like(z), torch.zeros_like(z))
    differences = normal_log_density(z, many) - normal_log_density(z, standard)
    closed = kl_to_standard_normal(code)
    error = differences.std().item() / math.sqrt(draws)
    assert closed.sum().item() == pytest.approx(differences.mean().item(), abs=4 * error)
    assert closed[0, 2].item() == 0  # the prior itself
    by_torch = torch.distributions.kl_divergence(
        torch.distributions.Normal(code.mean, (0.5 * code.log_variance).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(closed, by_torch)


def test_the_normal_density_is_scipys():
    code = GaussianCode(torch.randn(4, 3), torch.randn(4, 3))
    z = torch.randn(4, 3)
    deviations = (0.5 * code.log_variance).exp().numpy()
    expected = stats.norm.logpdf(z.numpy(), code.mean.numpy(), deviations).sum(axis=1)
    np.testing.assert_allclose(normal_log_density(z, code).numpy(), expected, rtol=1e-4)


class ProbabilisticPCA:
    """x = W z + mean + noise (Tipping and Bishop 1999, doi:10.1111/1467-9868.00196) as a linear VAE.

    The columns of W are orthogonal, so that the exact posterior has independent values, as a VAE's must have.
    """

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        axes = np.linalg.qr(generator.normal(size=(DIMENSIONS, CODE)))[0]
        self.weights = axes * np.array([1.5, 0.7])
        self.mean = generator.normal(size=DIMENSIONS)
        self.variance = 0.2
        covariance = self.weights @ self.weights.T + self.variance * np.eye(DIMENSIONS)
        self.marginal = stats.multivariate_normal(self.mean, covariance)
        self.generator = generator

    def draw(self, count: int) -> torch.Tensor:
        values = self.marginal.rvs(count, random_state=self.generator)
        return torch.from_numpy(values).reshape(count, 1, *SIZE).float()

    def exact(self, x: torch.Tensor) -> np.ndarray:
        """log p(x)."""
        return self.marginal.logpdf(x.flatten(1).numpy())

    def network(self) -> VariationalAutoencoder:
        """Decoder and encoder of the model itself: the posterior is N(M⁻¹ Wᵀ (x - mean), variance M⁻¹)."""
        network = build_model("vae", size=SIZE, widths=(), code_size=CODE, likelihood="gaussian")
        assert isinstance(network, VariationalAutoencoder)
        precision = np.diag(self.weights.T @ self.weights) + self.variance  # M, which is diagonal
        into = self.weights.T / precision[:, None]
        encoder = np.concatenate([into, np.zeros_like(into)])
        bias = np.concatenate([-into @ self.mean, np.log(self.variance / precision)])
        for name, values in {
            "stages.code.dense.weight": encoder,
            "stages.code.dense.bias": bias,
            "head.out.weight": self.weights,
            "head.out.bias": self.mean,
            "head.log_variance": np.log(self.variance),
        }.items():
            with torch.no_grad():
                network.get_parameter(name).copy_(torch.as_tensor(values))
        return network.eval()


@torch.no_grad()
def test_every_weight_of_the_exact_posterior_is_the_exact_likelihood():
    """p(x, z) / q(z|x) = p(x) whatever z is, if q is the posterior: no chance is left in it."""
    model = ProbabilisticPCA()
    x = model.draw(20)
    weights = log_importance_weights(model.network(), x, 5, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(weights.numpy(), np.tile(model.exact(x), (5, 1)), atol=1e-4)
    np.testing.assert_allclose(importance_weighted_bound(weights).numpy(), model.exact(x), atol=1e-4)


@torch.no_grad()
def test_the_elbo_of_a_linear_vae_is_the_exact_likelihood():
    model = ProbabilisticPCA()
    network, x = model.network(), model.draw(5)
    bounds = elbo(network, x.repeat(20_000, 1, 1, 1), torch.Generator().manual_seed(0)).reshape(20_000, 5)
    error = bounds.std(dim=0).numpy() / math.sqrt(20_000)
    assert (np.abs(bounds.mean(dim=0).numpy() - model.exact(x)) < 4 * error + 1e-4).all()


def test_a_linear_vae_that_is_trained_reaches_the_greatest_likelihood_of_probabilistic_pca():
    """Tipping and Bishop 1999, equation 8: the noise is the mean of the eigenvalues left out."""
    torch.manual_seed(0)
    model = ProbabilisticPCA(seed=1)
    x = model.draw(400)
    values = x.flatten(1).double().numpy()
    eigenvalues, axes = np.linalg.eigh(np.cov(values, rowvar=False, bias=True))
    noise = eigenvalues[:-CODE].mean()
    weights = axes[:, -CODE:] * np.sqrt(eigenvalues[-CODE:] - noise)
    best = stats.multivariate_normal(values.mean(axis=0), weights @ weights.T + noise * np.eye(DIMENSIONS))
    network = build_model("vae", size=SIZE, widths=(), code_size=CODE, likelihood="gaussian")
    assert isinstance(network, VariationalAutoencoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    for step in range(1500):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - step / 1500)
        optimizer.zero_grad()
        variational_loss(network, network(x), x).total.backward()
        optimizer.step()
    with torch.no_grad():
        reached = elbo(network, x.repeat(50, 1, 1, 1), torch.Generator().manual_seed(0)).mean().item()
    assert reached == pytest.approx(best.logpdf(values).mean(), abs=0.03)
    assert network.pixel_log_variance.exp().item() == pytest.approx(noise, rel=0.05)


@torch.no_grad()
def test_more_samples_tighten_the_bound_up_to_the_exact_likelihood():
    """With a posterior that is wrong on purpose: ELBO ≤ IWAE(5) ≤ IWAE(50) ≤ log p(x), and the last comes near it."""
    model = ProbabilisticPCA()
    network, x = model.network(), model.draw(50)
    bias = network.get_parameter("stages.code.dense.bias")
    bias += torch.tensor([0.3, -0.3, 0.8, 0.8])  # means shifted, variances too large
    exact = model.exact(x).mean()
    bounds = []
    for samples, repeats in ((1, 400), (5, 400), (50, 100), (2000, 4)):
        many = x.repeat(repeats, 1, 1, 1)
        weights = log_importance_weights(network, many, samples, torch.Generator().manual_seed(0))
        bounds.append(importance_weighted_bound(weights).mean().item())
    one = elbo(network, x.repeat(400, 1, 1, 1), torch.Generator().manual_seed(1)).mean().item()
    assert bounds[0] == pytest.approx(one, abs=0.03)  # one weight is the ELBO by sampling
    assert one < bounds[1] < bounds[2] < bounds[3]
    assert bounds[3] == pytest.approx(exact, abs=0.01)
    assert one < exact - 0.3


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_loss_is_the_negative_elbo_of_its_parts(likelihood: str):
    torch.manual_seed(0)
    network = build_model("vae", size=3, widths=(5,), code_size=2, likelihood=likelihood)
    assert isinstance(network, VariationalAutoencoder)
    images = torch.rand(8, 1, 3, 3)
    output = network(images)
    loss = variational_loss(network, output, images)
    assert loss.total.item() == pytest.approx(-loss.elbo.mean().item(), rel=1e-5)
    torch.testing.assert_close(loss.elbo, loss.log_likelihood - loss.kl)
    torch.testing.assert_close(loss.log_likelihood, log_likelihood(network, output.outputs, images))
    torch.testing.assert_close(loss.kl, kl_to_standard_normal(output.code).sum(dim=1))
    half = variational_loss(network, output, images, beta=0.5)
    expected = (0.5 * loss.kl - loss.log_likelihood).mean().item()
    assert half.total.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(half.elbo, loss.elbo)  # which is told as it is, whatever is trained on


def test_free_bits_cost_nothing_below_the_floor_and_have_no_gradient_there():
    network = build_model("vae", size=2, widths=(), code_size=2, likelihood="gaussian")
    assert isinstance(network, VariationalAutoencoder)
    mean = torch.tensor([[0.1, 3.0], [-0.1, 3.0]], requires_grad=True)  # KL of 0.005 and 4.5 nats
    output = VariationalOutput(torch.zeros(2, 1, 2, 2), GaussianCode(mean, torch.zeros(2, 2)))
    images = torch.zeros(2, 1, 2, 2)
    loss = variational_loss(network, output, images, free_bits=0.5)
    likelihood = gaussian_log_likelihood(output.outputs, images, network.pixel_log_variance).mean().item()
    assert loss.total.item() == pytest.approx(0.5 + 4.5 - likelihood, rel=1e-5)
    loss.total.backward()
    assert not mean.grad[:, 0].any()
    assert torch.equal(mean.grad[:, 1], torch.tensor([1.5, 1.5]))  # 3 / 2 pictures
    torch.testing.assert_close(loss.kl.detach(), torch.tensor([4.505, 4.505]))


def test_warm_up():
    assert [warmed_up(2.0, step, 4) for step in range(6)] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert warmed_up(0.3, 0, 0) == 0.3


def test_the_bound_of_large_weights_does_not_overflow():
    weights = torch.tensor([[1000.0, -1000.0], [1000.0, -1000.0 - math.log(2)]])
    torch.testing.assert_close(importance_weighted_bound(weights), torch.tensor([1000.0, -1000 + math.log(0.75)]))
