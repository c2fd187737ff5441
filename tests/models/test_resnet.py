"""ResNets against torchvision, against the paper's options, and against closed formulas."""

from __future__ import annotations

import pytest
import torch
import torchvision
from tests.depths import slow
from tests.models.parity import assert_equal_networks
from torch import nn
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.classification.resnet import BasicBlock, Bottleneck, ZeroPadding
from hubel.models.complexity import complexity
from hubel.weights.names.resnet import torchvision_resnet


def parameters(name: str, **arguments: str) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(name, **arguments).parameters())


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", *slow("resnet101", "resnet152")])
def test_equal_to_torchvision(name: str):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(num_classes=10)
    ours = build_model(name, num_classes=10)
    assert_equal_networks(ours, theirs, torchvision_resnet, torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20_cifar"])
def test_zero_init_residual_starts_every_block_as_the_identity(name: str):
    network = build_model(name, zero_init_residual=True).train()
    blocks = [module for module in network.modules() if isinstance(module, BasicBlock | Bottleneck)]
    identities = [block for block in blocks if isinstance(block.shortcut, nn.Identity)]
    assert len(identities) >= len(blocks) // 2
    for block in identities:
        x = torch.rand(2, block.conv1.in_channels, 8, 8)  # what a ReLU returned is not negative
        assert torch.equal(block(x), x)


def test_without_zero_init_a_block_is_not_the_identity():
    block = build_model("resnet18").stages.conv2.block1
    x = torch.rand(2, 64, 8, 8)
    assert not torch.allclose(block(x), x, atol=0.1)


def test_a_plain_block_is_the_residual_block_without_the_addition():
    torch.manual_seed(0)
    plain, residual = BasicBlock(8, 8, 1, shortcut=None), BasicBlock(8, 8, 1, shortcut="A")
    residual.load_state_dict(plain.state_dict(), strict=True)
    x = torch.randn(2, 8, 6, 6)
    before_the_relu = plain.norm2(plain.conv2(F.relu(plain.norm1(plain.conv1(x)))))
    torch.testing.assert_close(plain(x), F.relu(before_the_relu))
    torch.testing.assert_close(residual(x), F.relu(before_the_relu + x))


@pytest.mark.parametrize(("plain", "residual"), [("plain18", "resnet18"), ("plain56_cifar", "resnet56_cifar")])
def test_a_plain_network_is_the_residual_one_without_shortcuts(plain: str, residual: str):
    with torch.device("meta"):
        network = build_model(plain)
        without, zero_padded = (build_model(residual, shortcut=option) for option in (None, "A"))
    assert list(network.state_dict()) == list(without.state_dict()) == list(zero_padded.state_dict())
    assert all(block.shortcut is None for block in network.modules() if isinstance(block, BasicBlock))
    assert repr(network) == repr(without) != repr(zero_padded)


def test_a_plain_network_has_no_shortcut_to_choose_and_no_identity_to_start_as():
    with pytest.raises(ConfigError, match="unknown argument of plain34 'shortcut'"):
        build_model("plain34", shortcut="A")
    for name in ("resnet18", "resnet20_cifar"):
        with pytest.raises(ConfigError, match=f"{name}: zero_init_residual is True, but shortcut is None"):
            build_model(name, shortcut=None, zero_init_residual=True)


@pytest.mark.parametrize(("name", "giga_macs"), [("resnet50", 3.86), ("resnet101", 7.57), ("resnet152", 11.28)])
def test_stride_on_the_first_convolution_costs_what_the_paper_says(name: str, giga_macs: float):
    """A stride on the 3×3 leaves the 1×1 before it on a map of four times the size, at equal cost in three stages."""
    costs = {}
    for stride_on in ("3x3", "1x1"):
        with torch.device("meta"):
            network = build_model(name, stride_on=stride_on)
        costs[stride_on] = complexity(network, (3, 224, 224)).macs
    assert costs["3x3"] - costs["1x1"] == 3 * (56**2 - 28**2) * 256 * 128
    assert round(costs["1x1"] / 1e9, 2) == giga_macs


def test_shortcut_options_cost_their_projections():
    costs = {}
    for option in ("A", "B", "C"):
        with torch.device("meta"):
            network = build_model("resnet34", shortcut=option)
        costs[option] = complexity(network, (3, 224, 224)).macs
    assert costs["A"] == 3_644_493_824  # those of the plain network
    assert costs["B"] - costs["A"] == 3 * 28**2 * 64 * 128
    assert costs["C"] - costs["B"] == 13 * 56**2 * 64 * 64  # 13 blocks keep the shape, all at this cost


def test_shortcut_options_differ_by_their_projections():
    def projection(channels_in: int, channels_out: int) -> int:
        return channels_in * channels_out + 2 * channels_out  # 1×1 convolution, BatchNorm

    changing = sum(projection(a, b) for a, b in [(64, 128), (128, 256), (256, 512)])
    keeping = sum(n * projection(c, c) for n, c in [(3, 64), (3, 128), (5, 256), (2, 512)])
    assert parameters("resnet34", shortcut="B") - parameters("resnet34", shortcut="A") == changing
    assert parameters("resnet34", shortcut="C") - parameters("resnet34", shortcut="B") == keeping


def test_zero_padding_keeps_every_second_pixel():
    x = torch.randn(1, 4, 5, 6)
    result = ZeroPadding(4, 8, 2)(x)
    assert result.shape == (1, 8, 3, 3)
    assert torch.equal(result[:, 2:6], x[:, :, ::2, ::2])
    assert not result[:, :2].any()
    assert not result[:, 6:].any()


def test_convolutions_start_with_the_variance_of_the_paper():
    torch.manual_seed(0)
    for module in build_model("resnet50").modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 100_000:
            fan_in = module.weight[0].numel()
            assert abs(module.weight.var().item() * fan_in / 2 - 1) < 0.03
