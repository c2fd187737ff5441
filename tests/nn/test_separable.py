"""Depthwise separable convolutions against ordinary ones."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hubel.models.complexity import complexity
from hubel.nn import DepthwiseSeparableConv2d


@pytest.mark.parametrize("bias", [False, True])
def test_is_the_ordinary_convolution_of_the_product_of_its_kernels(bias: bool):
    layer = DepthwiseSeparableConv2d(4, 6, 3, stride=2, padding=2, dilation=2, bias=bias).double()
    kernel = layer.pointwise.weight * layer.depthwise.weight.transpose(0, 1)  # (6, 4, 1, 1) · (1, 4, 3, 3)
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    expected = F.conv2d(x, kernel, stride=2, padding=2, dilation=2)
    if bias:
        constant = layer.pointwise.weight[:, :, 0, 0] @ layer.depthwise.bias + layer.pointwise.bias
        expected = expected + constant[:, None, None]
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("in_channels", "out_channels", "kernel"), [(128, 256, 3), (3, 32, 3), (64, 4, 5)])
def test_costs_1_over_the_output_channels_and_1_over_the_kernels_area(in_channels: int, out_channels: int, kernel: int):
    separable = DepthwiseSeparableConv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    ordinary = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    costs = [complexity(layer, (in_channels, 16, 16)) for layer in (separable, ordinary)]
    ratio = Fraction(1, out_channels) + Fraction(1, kernel**2)
    assert Fraction(costs[0].macs, costs[1].macs) == ratio
    assert Fraction(costs[0].parameters, costs[1].parameters) == ratio


def test_saves_nothing_with_a_single_output_channel():
    separable = DepthwiseSeparableConv2d(8, 1, 3)
    assert sum(p.numel() for p in separable.parameters()) > nn.Conv2d(8, 1, 3, bias=False).weight.numel()
