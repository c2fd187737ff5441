"""Autoencoders: any size, every way down and up, tied weights, noise, and what a linear one learns."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.models.generative import Autoencoder


def built(name: str, **arguments: Any) -> Autoencoder:
    torch.manual_seed(0)
    network = build_model(name, **arguments)
    assert isinstance(network, Autoencoder)
    return network


@pytest.mark.parametrize("downsampling", ["strided", "pooled"])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "bilinear"])
@pytest.mark.parametrize("size", [(8, 8), (9, 14), (15, 31)])
def test_any_size_comes_back_as_it_was(downsampling: str, upsampling: str, size: tuple[int, int]):
    network = built(
        "conv_autoencoder",
        size=size,
        widths=(3, 4, 5),
        code_size=2,
        downsampling=downsampling,
        upsampling=upsampling,
    )
    assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_a_code_that_is_a_map_takes_any_size_that_halves():
    network = built("conv_autoencoder", widths=(4, 8), code_size=None, in_channels=1)
    assert [name for name, _ in network.stages.named_children()] == ["down1", "down2", "up2"]
    for height, width in ((8, 8), (20, 36)):
        x = torch.rand(2, 1, height, width)
        assert network.encode(x).shape == (2, 8, height // 4, width // 4)
        assert network(x).shape == x.shape
    with pytest.raises(ValueError, match=r"takes H and W that are multiples of 4; the next ones are 12 and 16$"):
        network(torch.rand(1, 1, 9, 16))
    with pytest.raises(
        ValueError, match="there is no distribution of codes to sample from: give the network a code_size"
    ):
        network.sample(2)


def test_the_encoder_and_the_decoder_mirror_each_other():
    network = built("autoencoder", size=6, widths=(20, 10), code_size=4)
    shapes = [tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert shapes == [(20, 36), (10, 20), (4, 10), (10, 4), (20, 10), (36, 20)]
    assert [name for name, _ in network.stages.named_children()] == ["down1", "down2", "code", "up2", "up1"]


@pytest.mark.parametrize("name", ["autoencoder", "conv_autoencoder"])
def test_tied_weights_are_one_tensor_used_both_ways(name: str):
    options = {"size": 9, "in_channels": 1, "widths": (6, 5), "code_size": 3}
    free, tied = built(name, **options), built(name, **options, tied=True)
    weights = {key for key in free.state_dict() if key.endswith("weight") and "norm" not in key}
    kept = {key for key in tied.state_dict() if key.endswith("weight") and "norm" not in key}
    assert kept == {key for key in weights if ".down" in key or ".code" in key}
    assert len(weights) == 2 * len(kept)
    x = torch.rand(2, 1, 9, 9)
    assert tied(x).shape == x.shape
    tied(x).sum().backward()
    assert all(parameter.grad is not None for parameter in tied.parameters())
    costs = [complexity(network, (1, 9, 9)) for network in (free, tied)]
    assert costs[0].macs == costs[1].macs
    with torch.device("meta"):
        shapes = build_model(name, **options, tied=True).eval()
    assert weight_layers(shapes, (1, 9, 9)) == 6


def test_a_tied_decoder_is_the_transposed_encoder():
    network = built(
        "autoencoder", size=3, widths=(5,), code_size=2, activation="linear", output="linear", tied=True
    ).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    first, second = (network.get_parameter(f"stages.{name}.dense.weight") for name in ("down1", "code"))
    x = torch.rand(4, 1, 3, 3, dtype=torch.float64)
    expected = x.flatten(1) @ first.T @ second.T @ second @ first
    torch.testing.assert_close(network(x).flatten(1), expected)


def test_a_tied_convolution_is_the_adjoint_of_the_encoders():
    """<Ax, y> = <x, A'y> for what the decoder does with the encoder's kernel."""
    network = built(
        "conv_autoencoder",
        **{"in_channels": 2, "size": 11, "widths": (3,), "batch_norm": False, "tied": True, "code_size": 4},
    ).double()
    convolution, back = network.stages.get_submodule("down1.conv"), network.head.get_submodule("out")
    with torch.no_grad():
        convolution.bias.zero_()
        back.bias.zero_()
        x, y = torch.randn(1, 2, 11, 11).double(), torch.randn(1, 3, 5, 5).double()
        torch.testing.assert_close((convolution(x) * y).sum(), (x * back(y)).sum())


@pytest.mark.parametrize("name", ["autoencoder", "conv_autoencoder"])
def test_noise_acts_in_training_alone(name: str):
    options = {"size": 8, "widths": (6,), "code_size": 3, "in_channels": 1}
    if name == "conv_autoencoder":
        options["batch_norm"] = False
    x = torch.rand(4, 1, 8, 8)
    for corruption in ({"noise": 0.5}, {"input_dropout": 0.5}):
        network = built(name, **options, **corruption)
        with torch.no_grad():
            clean = network.eval()(x)
            assert torch.equal(network(x), clean)
            noisy = network.train()(x)
            assert not torch.equal(noisy, clean)
            assert not torch.equal(network(x), noisy)  # drawn anew
            assert torch.equal(network.pictures(clean), network.reconstruct(x))  # uses are never noisy


def test_the_noise_has_the_standard_deviation_asked_for():
    network = built("autoencoder", noise=0.5, input_dropout=0.0).train()
    x = torch.rand(200, 1, 28, 28)
    difference = network.corruption(x) - x
    assert difference.std().item() == pytest.approx(0.5, rel=0.01)
    assert difference.mean().item() == pytest.approx(0, abs=0.01)
    dropped = built("autoencoder", input_dropout=0.3).train().corruption(x + 1)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_autoencoder_spans_the_principal_components(tied: bool):
    """Baldi and Hornik 1989: its least squared error is that of PCA, and its range the plane of the components."""
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(12, 12)))[0]
    spread = np.array([3, 2, 1.5, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1])
    values = generator.normal(size=(300, 12)) * spread @ axes.T + generator.normal(size=12)
    network = built("autoencoder", size=(3, 4), widths=(), code_size=3, output="linear", tied=tied).double()
    x = torch.from_numpy(values).reshape(-1, 1, 3, 4)
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=500, line_search_fn="strong_wolfe", tolerance_change=1e-14
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (network(x) - x).square().sum(dim=(1, 2, 3)).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    centred = values - values.mean(axis=0)
    singular, components = np.linalg.svd(centred, full_matrices=False)[1:]
    assert closure().item() == pytest.approx((singular[3:] ** 2).sum() / len(values), rel=1e-5)
    codes = torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    with torch.no_grad():
        decoded = network.decode(codes).flatten(1)
    plane = np.linalg.qr((decoded[1:] - decoded[0]).numpy().T)[0]
    cosines = np.linalg.svd(plane.T @ components[:3].T)[1]  # of the angles between the two planes
    np.testing.assert_allclose(cosines, 1, atol=1e-6)


def test_samples_have_the_distribution_of_the_codes():
    network = built("autoencoder", size=4, widths=(8,), code_size=2)
    codes = (
        torch.randn(5000, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + 3
    )
    network.fit_codes(codes)
    drawn = network.sample_codes(20_000, torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(codes.T), atol=0.1, rtol=0)
    flat = torch.zeros(10, 2)  # all codes the same: a covariance without a root by Cholesky
    network.fit_codes(flat)
    assert torch.equal(network.sample_codes(3), torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"codes of shape \(1, 2\) came: expected \(N, 2\) of at least 2 pictures"):
        network.fit_codes(codes[:1])


def test_a_mixture_follows_codes_in_several_places():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[5.0, 0.0], [-5.0, 1.0], [0.0, -6.0]])
    codes = centres[torch.randint(3, (900,), generator=generator)] + 0.3 * torch.randn(900, 2, generator=generator)
    network = built("autoencoder", size=4, widths=(8,), code_size=2, code_components=3)
    before = network.sample_codes(5000, torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        torch.cov(before.T), torch.eye(2), atol=0.1, rtol=0
    )  # standard normal until it is fitted
    network.fit_codes(codes)
    drawn = network.sample_codes(3000, torch.Generator().manual_seed(1))
    nearest = torch.cdist(drawn, centres).min(dim=1)
    assert nearest.values.max() < 0.3 * 6  # none between the places, where one normal distribution would have most
    shares = torch.bincount(nearest.indices, minlength=3) / 3000
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.06, rtol=0)
    other = built("autoencoder", size=4, widths=(8,), code_size=2, code_components=3)
    other.load_state_dict(network.state_dict())
    assert torch.equal(
        other.sample_codes(7, torch.Generator().manual_seed(2)),
        network.sample_codes(7, torch.Generator().manual_seed(2)),
    )
    network.fit_codes(codes)
    assert torch.equal(network.sample_codes(3000, torch.Generator().manual_seed(1)), drawn)


def test_a_vae_samples_its_prior_or_a_mixture():
    vae = build_model("vae", size=4, widths=(8,), code_size=2)
    with pytest.raises(ValueError, match="the network has no distribution to fit to codes: build it with code_comp"):
        vae.fit_codes(torch.randn(10, 2))
    mixed = build_model("vae", size=4, widths=(8,), code_size=2, code_components=2)
    mixed.fit_codes(torch.full((10, 2), 3.0) + 0.01 * torch.randn(10, 2))
    assert (mixed.sample_codes(50, torch.Generator().manual_seed(0)) - 3).abs().max() < 0.2
    assert mixed.sample(4).shape == (4, 1, 4, 4)


def test_the_codes_activation():
    codes = built("autoencoder", size=4, widths=(8,), code_activation="sigmoid").encode(torch.rand(5, 1, 4, 4))
    assert codes.min() > 0
    assert codes.max() < 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("autoencoder", {"code_size": 0}, "^autoencoder: code_size is 0: expected at least 1$"),
        ("vae", {"code_size": -1}, "^vae: code_size is -1: expected at least 1$"),
        ("conv_vae", {"code_size": 0}, "^conv_vae: code_size is 0: expected at least 1$"),
        ("autoencoder", {"widths": (10, 0)}, "widths are 10, 0: expected each at least 1"),
        ("autoencoder", {"size": 0}, "size is 0: expected a side of at least 1 pixel, or a height and a width"),
        ("autoencoder", {"size": (3, 4, 5)}, r"size is \(3, 4, 5\): expected a side"),
        ("conv_autoencoder", {"widths": ()}, "widths are empty: expected the channels of at least one convolution"),
        (
            "conv_autoencoder",
            {"size": 7},
            "size is 7×7 and widths are 3: each width halves the picture, so expected a size of at least 8×8, or fewer",
        ),
        ("conv_vae", {"size": (4, 32)}, "size is 4×32 and widths are 3"),
        ("conv_autoencoder", {"downsampling": "mean"}, "downsampling is 'mean': expected strided or pooled"),
        ("conv_autoencoder", {"upsampling": "cubic"}, "upsampling is 'cubic': expected transposed, nearest, bilinear"),
        (
            "conv_autoencoder",
            {"tied": True, "upsampling": "nearest"},
            "tied weights came with a strided encoder and a nearest decoder: expected strided and transposed",
        ),
        ("autoencoder", {"activation": "swish"}, "activation is 'swish': expected one of relu, selu, tanh"),
        ("autoencoder", {"output": "tanh"}, "output is 'tanh': expected sigmoid or linear"),
        ("autoencoder", {"noise": -1}, "the noise has a standard deviation of -1: expected at least 0"),
        ("autoencoder", {"input_dropout": 1}, "input_dropout is 1: expected a probability of at least 0 and below 1"),
        ("conv_vae", {"code_components": -1}, "code_components is -1: expected at least 1"),
        ("vae", {"likelihood": "poisson"}, "likelihood is 'poisson': expected bernoulli or gaussian"),
        ("conv_vae", {"codesize": 3}, "unknown argument of conv_vae 'codesize': did you mean code_size"),
        ("dcgan", {"size": 48}, "^dcgan: size is 48: expected 32, 64 or 128$"),
        ("dcgan", {"code_size": 0}, "code_size is 0: expected at least 1"),
        ("dcgan", {"kernel": 3}, "kernel is 3: expected 5, as published, or 4"),
        ("dcgan", {"discriminator_norm": "layer"}, "discriminator_norm is 'layer': expected batch, spectral, none"),
    ],
)
def test_mistakes_are_one_line(name: str, arguments: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message) as raised:
        build_model(name, **arguments)
    assert "\n" not in str(raised.value)


def test_sizes_and_widths_may_come_as_lists():
    """As a settings file has them."""
    network = built("conv_autoencoder", size=[16, 24], widths=[4, 4])
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 3, 16, 24)


def test_all_options_build_together():
    options = itertools.product(["strided", "pooled"], ["transposed", "nearest"], [True, False], ["relu", "linear"])
    for downsampling, upsampling, batch_norm, activation in options:
        network = built(
            "conv_autoencoder",
            size=8,
            widths=(2,),
            code_size=1,
            downsampling=downsampling,
            upsampling=upsampling,
            batch_norm=batch_norm,
            activation=activation,
        )
        assert network(torch.rand(2, 3, 8, 8)).shape == (2, 3, 8, 8)
