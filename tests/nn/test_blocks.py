"""The shared blocks."""

from __future__ import annotations

import torch
from torch import nn

from hubel.nn import kaiming_normal_convolutions, pooled_linear_head


def test_pooled_head_is_a_linear_map_of_the_mean():
    head = pooled_linear_head(5, 3)
    x = torch.randn(2, 5, 4, 7)
    torch.testing.assert_close(head(x), x.mean((2, 3)) @ head.out.weight.T + head.out.bias)
    assert [name for name, _ in head.named_children()] == ["pool", "flatten", "out"]


def test_kaiming_normal_has_the_variance_of_equation_10():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 128, 3), nn.Conv2d(128, 128, 1, bias=False), nn.Linear(4, 4))
    linear = network[2].weight.clone()
    kaiming_normal_convolutions(network)
    assert abs(network[0].weight.var().item() * 64 * 9 / 2 - 1) < 0.05
    assert abs(network[1].weight.var().item() * 128 / 2 - 1) < 0.05
    assert not network[0].bias.any()
    assert torch.equal(network[2].weight, linear)
