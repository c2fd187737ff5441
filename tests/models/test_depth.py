"""How many weight layers networks have: the numbers in their names, and small networks counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hubel.models import build_model, model_entry
from hubel.models.depth import weight_layers


def layers(network: nn.Module, *size: int) -> int:
    return weight_layers(network.to("meta").eval(), (3, *(size or (8, 8))))


@pytest.mark.parametrize(
    ("name", "depth"),
    [("lenet5", 7), ("lenet5_modern", 5), ("resnet18", 18), ("resnet34", 34), ("resnet50", 50), ("resnet20_cifar", 20)],
)
def test_names_of_networks_tell_their_weight_layers(name: str, depth: int):
    with torch.device("meta"):
        network = build_model(name).eval()
    assert weight_layers(network, model_entry(name).input_size) == depth


class Branches(nn.Module):
    """One layer beside two, joined by a concatenation and an in-place sum."""

    def __init__(self) -> None:
        super().__init__()
        self.short = nn.Conv2d(3, 4, 1)
        self.long = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.short(x), self.long(x)], dim=1)
        joined += 1
        return joined


def test_the_longest_way_counts():
    assert layers(Branches()) == 2
    assert layers(nn.Sequential(Branches(), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 3, 1))) == 3


def test_a_depthwise_separable_convolution_is_one_layer():
    separable = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 5, 1))
    assert layers(separable) == 1
    assert layers(nn.Sequential(separable, nn.Flatten(), nn.Linear(5 * 36, 2))) == 2


def test_counting_leaves_no_hooks():
    network = Branches().to("meta")
    weight_layers(network, (3, 8, 8))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
