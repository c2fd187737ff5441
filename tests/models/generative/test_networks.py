"""What every network must do that learns without labels, checked on every one."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch
from tests.models.counting import macs_by_formula, macs_by_torch
from torch import nn

from hubel.models import build_model, list_models, model_entry
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.models.description import describe_stages
from hubel.models.generative import DCGAN, Autoencoder, AutoencodingNetwork, VariationalAutoencoder
from hubel.models.network import Staged
from hubel.models.training_memory import training_memory


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What must hold of one network at its standard input; `small` are arguments that make it quick."""

    parameters: int
    macs: int
    source: str
    weight_layers: int | None = None
    small: dict[str, Any] = field(default_factory=dict)


def dense(*units: int) -> int:
    """Weights and biases of dense layers one behind the other."""
    return sum((before + 1) * after for before, after in pairwise(units))


def products(*units: int) -> int:
    return sum(before * after for before, after in pairwise(units))


def convolutional(code_values: int, code_size: int) -> tuple[int, int]:
    """Parameters and multiplications of three halvings of 3×32×32 to 128×4×4, the code, and the way back."""
    steps = ((3, 32, 16), (32, 64, 8), (64, 128, 4))  # channels of the finer and the coarser map, the coarser side
    weights = sum(16 * finer * coarser for finer, coarser, _ in steps)
    norms = 2 * (32 + 64 + 128) + 2 * (128 + 64 + 32)
    code = dense(2048, code_values) + dense(code_size, 2048)
    macs = 2 * sum(16 * finer * coarser * side**2 for finer, coarser, side in steps)
    return 2 * weights + norms + 3 + code, macs + 2048 * (code_values + code_size)


def dcgan() -> tuple[int, int]:
    """Figure 1 of arXiv:1511.06434 and its mirror image: 5×5, channels 1024, 512, 256, 128, 3 from 4×4 to 64×64."""
    channels = (3, 128, 256, 512, 1024)
    pairs = list(pairwise(channels))
    weights = sum(25 * finer * coarser for finer, coarser in pairs)
    norms = 2 * (128 + 256 + 512 + 1024) + 2 * (256 + 512 + 1024)
    places = [32**2, 16**2, 8**2, 4**2]
    macs = 2 * sum(25 * finer * coarser * count for (finer, coarser), count in zip(pairs, places, strict=True))
    return 2 * weights + norms + 100 * 16_384 + 16_384, macs + 100 * 16_384 + 16_384


FACTS = {
    "autoencoder": Facts(
        parameters=dense(784, 1000, 500, 250, 30, 250, 500, 1000, 784),
        macs=products(784, 1000, 500, 250, 30, 250, 500, 1000, 784),
        source="doi:10.1126/science.1127647",
        weight_layers=8,
        small={"size": 8, "widths": (12, 6), "code_size": 3},
    ),
    "conv_autoencoder": Facts(
        parameters=convolutional(64, 64)[0],
        macs=convolutional(64, 64)[1],
        source="doi:10.1007/978-3-642-21735-7_7",
        weight_layers=8,
        small={"size": (13, 10), "widths": (4, 6), "code_size": 3},
    ),
    "vae": Facts(
        parameters=dense(784, 500, 40) + dense(20, 500, 784),
        macs=products(784, 500, 40) + products(20, 500, 784),
        source="arXiv:1312.6114",
        weight_layers=4,
        small={"size": 8, "widths": (12,), "code_size": 3, "likelihood": "gaussian"},
    ),
    "conv_vae": Facts(
        parameters=convolutional(64, 32)[0],
        macs=convolutional(64, 32)[1],
        source="arXiv:1312.6114",
        weight_layers=8,
        small={"size": (13, 10), "widths": (4, 6), "code_size": 3},
    ),
    "dcgan": Facts(
        parameters=dcgan()[0],
        macs=dcgan()[1],
        source="arXiv:1511.06434, figure 1",
        small={"size": 32, "width": 4, "code_size": 5},
    ),
}

each_network = pytest.mark.parametrize("name", FACTS)
each_autoencoding = pytest.mark.parametrize("name", [name for name in FACTS if name != "dcgan"])


def small(name: str, seed: int = 0, **arguments: Any) -> AutoencodingNetwork | DCGAN:
    torch.manual_seed(seed)
    network = build_model(name, **{**FACTS[name].small, **arguments})
    assert isinstance(network, AutoencodingNetwork | DCGAN)
    return network


def images(network: AutoencodingNetwork | DCGAN, count: int = 3) -> torch.Tensor:
    low, high = network.value_range
    assert network.size is not None
    shape = (count, network.in_channels, *network.size)
    return low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(1))


def test_every_network_has_its_facts():
    assert list_models("reconstruction") == ["autoencoder", "conv_autoencoder"]
    assert list_models("generation") == ["dcgan", "vae", "conv_vae"]
    assert {*list_models("reconstruction"), *list_models("generation")} == set(FACTS)


@each_network
def test_facts(name: str):
    facts, entry = FACTS[name], model_entry(name)
    network = entry.build_shapes()
    cost = complexity(network, entry.input_size)
    assert sum(parameter.numel() for parameter in network.parameters()) == cost.parameters == facts.parameters
    assert f"{facts.parameters:,}" in (entry.builder.__doc__ or "") or name == "dcgan"
    assert cost.macs == facts.macs
    assert facts.source in entry.source
    if facts.weight_layers:
        assert weight_layers(network.eval(), entry.input_size) == facts.weight_layers


@each_network
def test_three_counts_of_multiplications_agree_in_every_layer(name: str):
    """Hubel's, torch's and that of the closed formula, to the unit."""
    entry = model_entry(name)
    network, size = entry.build_shapes().eval(), entry.input_size
    cost, by_torch = complexity(network, size), macs_by_torch(network, size)
    ours = {layer.name: layer.macs for layer in cost.layers if layer.macs}
    assert {layer: by_torch.get(layer, 0) for layer in ours} == ours
    assert macs_by_formula(network, size) == ours


@each_autoencoding
def test_stages_are_what_strides_and_channels_say(name: str):
    entry = model_entry(name)
    network = entry.build_shapes()
    assert isinstance(network, AutoencodingNetwork)
    assert isinstance(network, Staged)
    names = [stage for stage, _ in network.stages.named_children()]
    rows = {row.name: row.output_shape for row in complexity(network, entry.input_size).stages}
    assert list(rows) == [*names, "head"] == list(describe_stages(network.eval(), entry.input_size))
    for stage, stride, channels in zip(names, network.strides, network.out_channels, strict=True):
        assert rows[stage][0] == channels
        side = rows[stage][1] if len(rows[stage]) == 3 else 1
        assert side * stride == entry.input_size[1]
    assert rows["head"] == entry.input_size
    assert network.encoder_stages[-1] == "code"
    assert training_memory(network, entry.input_size).saved > 0


@each_autoencoding
def test_decoding_of_the_encoding_is_the_reconstruction(name: str):
    network = small(name).eval()
    assert isinstance(network, AutoencodingNetwork)
    x = images(network)
    with torch.no_grad():
        codes = network.encode(x)
        output = network(x)
        raw = output if isinstance(network, Autoencoder) else output.outputs
        assert codes.shape == (3, *network.code_shape) == (3, 3)
        assert network.decode(codes).shape == x.shape
        assert torch.equal(network.pictures(raw), network.reconstruct(x))
        assert torch.equal(network.forward_with_aux(x).logits, raw)
        through = x
        for stage in network.encoder:
            through = stage(through)
        assert torch.equal(through[:, :3], codes)


@each_network
def test_backward_reaches_every_parameter(name: str):
    network = small(name).train()
    x = images(network, 8)
    if isinstance(network, DCGAN):
        logits, generated = network(x)
        loss = logits.square().mean() + network.judge(generated).square().mean()
    elif isinstance(network, VariationalAutoencoder):
        outputs, code = network(x)
        loss = (outputs - x).square().mean() + sum(each.square().mean() for each in code)
        if network.likelihood == "gaussian":
            loss = loss + network.pixel_log_variance.exp()
    else:
        loss = (network(x) - x).square().mean()
    loss.backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.isfinite().all(), parameter
        assert tensor.grad.abs().max() > 0, parameter


@each_network
def test_the_same_seed_gives_the_same_samples(name: str):
    network = small(name).train()
    first, again, other = (network.sample(5, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert first.shape == (5, network.in_channels, *network.size)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not first.requires_grad
    assert network.training
    low, high = network.value_range
    if name != "vae":  # whose mean is linear here
        assert first.min() >= low
        assert first.max() <= high
    more = network.sample(300, torch.Generator().manual_seed(3))
    assert more.shape[0] == 300


@each_network
def test_a_state_dict_makes_the_same_network(name: str):
    network, other = small(name).eval(), small(name, seed=1).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(*(each.sample(2, torch.Generator().manual_seed(0)) for each in (network, other)))
    if isinstance(network, AutoencodingNetwork):
        assert torch.equal(network.reconstruct(images(network)), other.reconstruct(images(network)))
    copied = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(*(each.sample(2, torch.Generator().manual_seed(0)) for each in (copied, other)))


@each_network
def test_in_evaluation_a_picture_does_not_depend_on_its_company(name: str):
    network = small(name).double().eval()
    x = images(network).double()
    alone = network.judge if isinstance(network, DCGAN) else network.reconstruct
    with torch.no_grad():
        torch.testing.assert_close(alone(x)[1:2], alone(x[1:2]))


@each_network
def test_pictures_that_do_not_fit_are_named(name: str):
    network = small(name)
    height, width = network.size
    with pytest.raises(ValueError, match=rf"shape \(1, 7, 32, 32\): this network takes \(N, {network.in_channels}, "):
        network(torch.zeros(1, 7, 32, 32))
    with pytest.raises(ValueError, match=rf"shape .*: this network takes .*, {height}, {width}\)"):
        network(torch.zeros(1, network.in_channels, height + 1, width))


def test_only_the_decoders_last_layer_has_no_norm():
    norms = [module for module in small("conv_vae").modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 2 + 2
