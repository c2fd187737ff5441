"""DCGAN against figure 1 and section 3 of Radford et al. 2016, and its variants."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hubel.models import build_model, model_entry
from hubel.models.generative import DCGAN


def built(**arguments: object) -> DCGAN:
    torch.manual_seed(0)
    network = build_model("dcgan", **arguments)
    assert isinstance(network, DCGAN)
    return network


def shapes_of(module: nn.Module) -> list[tuple[int, ...]]:
    """The shapes of all maps that transposed convolutions, convolutions and linear layers put out, in order."""
    seen: list[tuple[int, ...]] = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Unflatten | nn.Linear):
            layer.register_forward_hook(lambda layer, given, output: seen.append(tuple(output.shape[1:])))
    return seen


def test_the_generator_is_that_of_figure_1():
    network = model_entry("dcgan").build_shapes()
    seen = shapes_of(network.generator)
    assert network.decode(torch.empty(2, 100, device="meta")).shape == (2, 3, 64, 64)
    assert seen == [(16_384,), (1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]
    weights = [
        tuple(layer.weight.shape) for layer in network.generator.modules() if isinstance(layer, nn.ConvTranspose2d)
    ]
    assert weights == [(1024, 512, 5, 5), (512, 256, 5, 5), (256, 128, 5, 5), (128, 3, 5, 5)]
    assert sum(parameter.numel() for parameter in network.generator.parameters()) == 18_855_040


def test_the_discriminator_mirrors_it():
    network = model_entry("dcgan").build_shapes()
    seen = shapes_of(network.discriminator)
    assert network.judge(torch.empty(2, 3, 64, 64, device="meta")).shape == (2,)
    assert seen == [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (1,)]
    assert sum(parameter.numel() for parameter in network.discriminator.parameters()) == 17_232_768


def test_where_batch_norm_is_and_where_not():
    """Section 3: not on the generator's output layer nor the discriminator's input layer."""
    network = model_entry("dcgan").build_shapes()
    with_norm = {
        name
        for part in ("generator", "discriminator.stages")
        for name, child in network.get_submodule(part).named_children()
        if any(isinstance(module, nn.BatchNorm2d) for module in child.modules())
    }
    assert with_norm == {"project", "up1", "up2", "up3", "down2", "down3", "down4"}


def test_activations():
    """Section 3: ReLU in the generator but for tanh at its end; leaky ReLU of 0.2 in the discriminator."""
    network = model_entry("dcgan").build_shapes()
    kinds = [type(module) for module in network.generator.modules() if "activation" in type(module).__module__]
    assert kinds == [nn.ReLU] * 4 + [nn.Tanh]
    slopes = [module.negative_slope for module in network.discriminator.modules() if isinstance(module, nn.LeakyReLU)]
    assert slopes == [0.2] * 4


def test_weights_start_at_a_spread_of_002():
    network = built(size=64, width=32)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.numel() > 10_000:
            assert module.bias is None
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert module.weight.mean().item() == pytest.approx(0, abs=1e-3)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert not module.bias.any()


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("kernel", [4, 5])
def test_sizes_and_kernels(size: int, kernel: int):
    network = built(size=size, kernel=kernel, width=2, in_channels=1, code_size=3)
    logits, generated = network(torch.zeros(2, 1, size, size))
    assert logits.shape == (2,)
    assert generated.shape == (2, 1, size, size)
    assert generated.abs().max() <= 1


def test_codes_are_uniform_from_minus_1_to_1():
    codes = built(size=32, width=2).sample_codes(1000, torch.Generator().manual_seed(0))
    assert codes.min() >= -1
    assert codes.max() <= 1
    assert codes.var().item() == pytest.approx(1 / 3, rel=0.01)


def test_spectral_normalisation_bounds_every_layer():
    network = built(size=32, width=4, discriminator_norm="spectral").train()
    for _ in range(30):  # a step of the power iteration each
        network.judge(torch.randn(2, 3, 32, 32))
    network.eval()
    layers = [module for module in network.discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4
    for layer in layers:
        greatest = torch.linalg.svdvals(layer.weight.flatten(1))[0].item()
        assert greatest == pytest.approx(1, rel=0.02)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.discriminator.modules())
    other = built(size=32, width=4, discriminator_norm="spectral").eval()
    other.load_state_dict(network.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.judge(x), other.judge(x))


def test_none_leaves_normalisation_out():
    network = built(size=32, width=4, discriminator_norm="none")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.discriminator.modules())
    assert not any("parametrizations" in name for name in network.state_dict())
