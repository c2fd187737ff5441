"""Inception-v3 against torchvision, and its auxiliary head."""

from __future__ import annotations

import pytest
import torch
import torchvision
from tests.models.parity import assert_equal_networks
from torch import Tensor, nn

from hubel.models import build_model
from hubel.models.classification.inception_v3 import AuxiliaryHead
from hubel.weights.names.inception import torchvision_inception_v3


def logits_of_torchvision(network: nn.Module, x: Tensor) -> list[Tensor]:
    outputs = network(x)
    return [outputs.logits, outputs.aux_logits] if network.training else [outputs]


def test_equal_to_torchvision():
    torch.manual_seed(0)
    theirs = torchvision.models.inception_v3(num_classes=10, aux_logits=True, init_weights=False)
    ours = build_model("inception_v3", num_classes=10)
    assert_equal_networks(
        ours,
        theirs,
        torchvision_inception_v3,
        torch.randn(2, 3, 299, 299),  # torchvision's auxiliary head takes nothing smaller
        logits_of_theirs=logits_of_torchvision,
    )


def test_equal_to_torchvision_without_the_auxiliary_head():
    torch.manual_seed(0)
    theirs = torchvision.models.inception_v3(num_classes=10, aux_logits=False, init_weights=False)
    ours = build_model("inception_v3", num_classes=10, aux_heads=False)
    assert_equal_networks(ours, theirs, torchvision_inception_v3, torch.randn(2, 3, 107, 107))


def test_maps_are_those_of_the_table():
    with torch.device("meta"):
        network = build_model("inception_v3")
    maps = network.forward_stages(torch.empty(1, 3, 299, 299, device="meta"))
    sizes = [map_.shape[2] for map_ in maps.values()]
    assert sizes == [149, 147, 147, 73, 71, *[35] * 3, *[17] * 5, *[8] * 3]


@pytest.mark.parametrize(("aux_heads", "parameters"), [(True, 27_161_264), (False, 23_834_568)])
def test_the_auxiliary_head_is_optional(aux_heads: bool, parameters: int):
    with torch.device("meta"):
        network = build_model("inception_v3", aux_heads=aux_heads)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network.aux_weight == 0.4


def test_the_auxiliary_head_takes_small_and_large_maps():
    torch.manual_seed(0)
    head = AuxiliaryHead(3).eval()
    x = torch.randn(2, 768, 3, 20)
    wide = nn.functional.adaptive_avg_pool2d(x, (17, 20))
    with torch.no_grad():
        assert torch.equal(head(x), head(wide))
        assert head(torch.randn(2, 768, 30, 23)).shape == (2, 3)


def test_weights_start_as_torchvisions():
    torch.manual_seed(0)
    network = build_model("inception_v3")
    assert abs(network.stages.mixed7c.branch3x3_double[1].conv.weight.std().item() / 0.1 - 1) < 0.01
    assert abs(network.head.out.weight.std().item() / 0.1 - 1) < 0.01
    assert abs(network.aux_heads["mixed6e"].out.weight.std().item() / 0.001 - 1) < 0.01
