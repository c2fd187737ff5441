"""Xception against timm, and what a separable convolution costs."""

from __future__ import annotations

from fractions import Fraction

import pytest
import timm
import torch
from tests.models.parity import assert_equal_networks
from torch import nn

from hubel.models import build_model
from hubel.models.classification.xception import Block, separable_convolution
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.nn import DepthwiseSeparableConv2d
from hubel.weights.names.xception import timm_xception


def test_equal_to_timm():
    torch.manual_seed(0)
    theirs = timm.create_model("legacy_xception", pretrained=False, num_classes=10)
    ours = build_model("xception", num_classes=10)
    assert_equal_networks(ours, theirs, timm_xception, torch.randn(2, 3, 75, 91))


@pytest.mark.parametrize(("before", "after"), [(64, 128), (728, 728), (3, 32), (16, 1), (1, 1), (5, 2)])
def test_a_separable_convolution_costs_one_over_channels_plus_one_over_window(before: int, after: int):
    """So it saves much where there are many channels, and nothing where there is one."""
    separable = complexity(separable_convolution(before, after), (before, 10, 12))
    plain = complexity(nn.Conv2d(before, after, 3, padding=1, bias=False), (before, 10, 12))
    ratio = Fraction(1, after) + Fraction(1, 9)
    assert Fraction(separable.macs, plain.macs) == ratio
    assert Fraction(separable.parameters, plain.parameters) == ratio
    assert (separable.macs < plain.macs) == (after > 1)


def test_nothing_lies_between_the_steps_of_a_separable_convolution():
    """A composition of linear maps is linear; with BatchNorm's shift or an activation it would not be."""
    torch.manual_seed(0)
    layer = separable_convolution(4, 6).double()
    x, y = torch.randn(2, 2, 4, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(2 * x - 3 * y), 2 * layer(x) - 3 * layer(y), rtol=0, atol=1e-12)


def test_each_channel_is_filtered_by_itself_before_channels_mix():
    layer = separable_convolution(3, 5)
    x = torch.randn(1, 3, 6, 6)
    changed = x.clone()
    changed[:, 1] += 1
    difference = (layer.depthwise(changed) - layer.depthwise(x)).abs().sum((0, 2, 3))
    assert (difference > 0).tolist() == [False, True, False]


def test_flows_have_the_blocks_of_the_figure():
    with torch.device("meta"):
        network = build_model("xception")
    blocks = {name: module for name, module in network.named_modules() if isinstance(module, Block)}
    assert len(blocks) == 3 + 8 + 1
    identities = [name for name, block in blocks.items() if isinstance(block.shortcut, nn.Identity)]
    assert identities == [f"stages.middle.block{number}" for number in range(1, 9)]
    assert sum(isinstance(module, DepthwiseSeparableConv2d) for module in network.modules()) == 2 * 4 + 3 * 8 + 2
    assert weight_layers(network.eval(), (3, 299, 299)) == 36 + 1  # section 3: 36 convolutional layers; the last linear


@pytest.mark.parametrize("relu_first", [True, False])
@pytest.mark.parametrize("halve", [True, False])
def test_a_block_leaves_its_input_alone(relu_first: bool, halve: bool):
    x = torch.randn(2, 8, 5, 5)
    before = x.clone()
    Block(8, (8, 8), halve=halve, relu_first=relu_first)(x)
    assert torch.equal(x, before)


def test_middle_blocks_add_to_what_came():
    """With the last normalisation at zero a block is the identity: there is no ReLU after the addition."""
    block = Block(8, (8, 8, 8), halve=False)
    nn.init.zeros_(block.layers.norm3.weight)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), x)
    assert (x < 0).any()


def test_convolutions_start_with_the_variance_of_timm():
    torch.manual_seed(0)
    for module in build_model("xception").modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 100_000:
            assert abs(module.weight.var().item() * module.out_channels * module.kernel_size[0] ** 2 / 2 - 1) < 0.03
