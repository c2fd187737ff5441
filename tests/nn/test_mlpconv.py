"""Mlpconv layers and 1×1 convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hubel.models.complexity import complexity
from hubel.nn import convolution_parameters, mlpconv


@pytest.mark.parametrize("out_channels", [3, 6, 11])  # shrinks, keeps, widens
def test_a_1x1_convolution_is_a_dense_layer_per_pixel(out_channels: int):
    convolution, x = nn.Conv2d(6, out_channels, 1).double(), torch.randn(2, 6, 5, 7, dtype=torch.float64)
    dense = nn.Linear(6, out_channels).double()
    with torch.no_grad():
        dense.weight.copy_(convolution.weight.flatten(1))
        dense.bias.copy_(convolution.bias)
    per_pixel = dense(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(convolution(x), per_pixel)
    assert convolution_parameters(6, out_channels, 1) == sum(p.numel() for p in dense.parameters())


def test_mlpconv_is_the_same_multilayer_perceptron_on_every_window():
    layer = mlpconv(3, (8, 6, 4), 5, stride=2, padding=2).double()
    x = torch.randn(2, 3, 9, 11, dtype=torch.float64)
    windows = F.unfold(x, 5, padding=2, stride=2).transpose(1, 2)  # (N, places, 3 · 5 · 5)
    for name in ("conv", "cccp1", "cccp2"):
        convolution = layer.get_submodule(name)
        windows = F.relu(F.linear(windows, convolution.weight.flatten(1), convolution.bias))
    result = layer(x)
    assert result.shape == (2, 4, 5, 6)
    torch.testing.assert_close(result, windows.transpose(1, 2).reshape(2, 4, 5, 6))
    assert [name for name, _ in layer.named_children()] == ["conv", "relu", "cccp1", "relu1", "cccp2", "relu2"]


def test_two_equal_1x1_layers_are_non_linear_only_by_their_relus():
    torch.manual_seed(0)
    layer, x = mlpconv(4, (4, 4), 1), torch.randn(1, 4, 3, 3)
    linear = nn.Sequential(layer.conv, layer.cccp1)
    y = torch.randn_like(x)
    zero = torch.zeros_like(x)
    torch.testing.assert_close(linear(x + y) + linear(zero), linear(x) + linear(y))
    assert not torch.allclose(layer(x + y) + layer(zero), layer(x) + layer(y))


def test_1x1_convolutions_add_weights_and_multiplications():
    plain, deeper = (complexity(mlpconv(3, widths, 3, padding=1), (3, 8, 8)) for widths in [(16,), (16, 16)])
    assert deeper.parameters - plain.parameters == 16 * 16 + 16
    assert deeper.macs - plain.macs == 8 * 8 * 16 * 16
