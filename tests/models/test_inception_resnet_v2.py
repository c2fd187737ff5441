"""Inception-ResNet-v2 against timm and the paper's figures, and beside Inception-v4: who has residuals."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from tests.models.parity import assert_equal_networks
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.classification.inception_resnet_v2 import ScaledResidual, inception_resnet_b, inception_resnet_c
from hubel.nn import normalized_convolution as convolution
from hubel.weights.names import namings
from hubel.weights.names.inception_v4 import timm_inception_resnet_v2


def test_equal_to_timm():
    torch.manual_seed(0)
    theirs = timm.create_model("inception_resnet_v2", pretrained=False, num_classes=10)
    ours = build_model("inception_resnet_v2", num_classes=10)
    assert_equal_networks(ours, theirs, timm_inception_resnet_v2, torch.randn(2, 3, 107, 123))


class CountAdditions(TorchDispatchMode):
    """How often two maps are added."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        maps = [value for value in args if isinstance(value, Tensor) and value.ndim == 4]
        if func._schema.name in ("aten::add", "aten::add_", "aten::sub", "aten::sub_"):
            self.count += len(maps) == 2
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("name", "additions"), [("inception_v4", 0), ("inception_resnet_v2", 40), ("xception", 12), ("resnet50", 16)]
)
def test_inception_v4_has_no_residual_connections_and_inception_resnet_has(name: str, additions: int):
    with torch.device("meta"):
        network = build_model(name).eval()
    with CountAdditions() as counter:
        network(torch.empty(1, 3, 75, 75, device="meta"))
    assert counter.count == additions


def residual_blocks(network: nn.Module) -> list[ScaledResidual]:
    return [module for module in network.modules() if isinstance(module, ScaledResidual)]


def test_scales_and_the_last_block_are_those_of_the_released_network():
    with torch.device("meta"):
        blocks = residual_blocks(build_model("inception_resnet_v2"))
    assert [block.scale for block in blocks] == [0.17] * 10 + [0.10] * 20 + [0.20] * 9 + [1.0]
    assert [block.relu for block in blocks] == [True] * 39 + [False]


def test_a_residual_is_scaled_then_added():
    torch.manual_seed(0)
    block = inception_resnet_b(64).double().eval()
    x = torch.randn(2, 64, 5, 6, dtype=torch.float64)
    residual = block.linear(block.branches(x))
    torch.testing.assert_close(block(x), (x + 0.10 * residual).relu(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("relu", [True, False])
def test_without_a_residual_a_block_is_its_shortcut(relu: bool):
    block = inception_resnet_c(64, relu=relu)
    nn.init.zeros_(block.linear.weight)
    nn.init.zeros_(block.linear.bias)
    x = torch.randn(2, 64, 4, 4)
    before = x.clone()
    assert torch.equal(block(x), x.relu() if relu else x)
    assert torch.equal(x, before)


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_layout_of_the_paper():
    """Figure 15 with the blocks of figures 3, 16, 7, 17, 18 and 19; channels follow from the concatenations."""
    with torch.device("meta"):
        network = build_model("inception_resnet_v2", layout="paper")
        conv, linear = (lambda *args: weights(convolution(*args))), (lambda *args: weights(nn.Conv2d(*args)))
        stem_of_v4 = weights(build_model("inception_v4").stages.stem)
        maps = network.forward_stages(torch.empty(1, 3, 299, 299))
    assert {name: tuple(map_.shape[1:]) for name, map_ in maps.items()} == {
        "stem": (384, 35, 35),
        "inception_resnet_a": (384, 35, 35),
        "reduction_a": (384 + 384 + 384, 17, 17),
        "inception_resnet_b": (1152, 17, 17),
        "reduction_b": (384 + 288 + 320 + 1152, 8, 8),
        "inception_resnet_c": (2144, 8, 8),
    }
    assert network.out_channels == tuple(map_.shape[1] for map_ in maps.values())
    assert [(block.scale, block.relu) for block in residual_blocks(network)] == (
        [(0.17, True)] * 5 + [(0.10, True)] * 10 + [(0.20, True)] * 5
    )
    assert {name: weights(stage) for name, stage in network.stages.named_children()} == {
        "stem": stem_of_v4,
        "inception_resnet_a": 5
        * (3 * conv(384, 32, 1) + conv(32, 32, 3) + conv(32, 48, 3) + conv(48, 64, 3) + linear(128, 384, 1)),
        "reduction_a": conv(384, 384, 3) + conv(384, 256, 1) + conv(256, 256, 3) + conv(256, 384, 3),
        "inception_resnet_b": 10
        * (
            conv(1152, 192, 1)
            + conv(1152, 128, 1)
            + conv(128, 160, (1, 7))
            + conv(160, 192, (7, 1))
            + linear(384, 1152, 1)
        ),
        "reduction_b": 3 * conv(1152, 256, 1) + conv(256, 384, 3) + 2 * conv(256, 288, 3) + conv(288, 320, 3),
        "inception_resnet_c": 5
        * (2 * conv(2144, 192, 1) + conv(192, 224, (1, 3)) + conv(224, 256, (3, 1)) + linear(448, 2144, 1)),
    }


def test_layout_of_the_paper_trains_and_takes_the_smallest_size():
    torch.manual_seed(0)
    network = build_model("inception_resnet_v2", layout="paper", num_classes=5, in_channels=1).train()
    logits = network(torch.randn(2, 1, network.smallest, network.smallest))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_only_the_released_layout_has_timms_names():
    with torch.device("meta"):
        released, paper = (build_model("inception_resnet_v2", layout=layout) for layout in ("released", "paper"))
    assert [naming.origin for naming in namings(released)] == ["hubel", "timm"]
    assert [naming.origin for naming in namings(paper)] == ["hubel"]


def test_an_unknown_layout_is_an_error():
    with pytest.raises(ConfigError, match="layout is 'printed': expected released or paper"):
        build_model("inception_resnet_v2", layout="printed")
