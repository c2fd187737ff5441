"""Pre-activation ResNets against timm, and against what the paper says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.depths import slow
from tests.models.parity import assert_equal_networks
from torch import nn
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.classification.resnetv2 import PreActivationBottleneck
from hubel.models.complexity import complexity
from hubel.weights import build_with_weights
from hubel.weights.names.resnetv2 import timm_resnetv2

timm = pytest.importorskip("timm")


@pytest.mark.parametrize("name", ["resnetv2_50", *slow("resnetv2_101", "resnetv2_152")])
def test_equal_to_timm(name: str):
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=10)
    last, linear = theirs.head.fc, nn.Linear(2048, 10)  # theirs is a 1×1 convolution of the pooled map
    linear.load_state_dict({"weight": last.weight.flatten(1), "bias": last.bias})
    theirs.head.fc = nn.Sequential(nn.Flatten(1), linear)
    ours = build_model(name, num_classes=10)
    assert_equal_networks(
        ours, theirs, lambda own: timm_resnetv2(own).replace("head.fc.", "head.fc.1."), torch.randn(2, 3, 64, 64)
    )


def test_timms_file_is_recognised(tmp_path: Path):
    theirs = timm.create_model("resnetv2_50", num_classes=5).eval()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = build_with_weights("resnetv2_50", weights=tmp_path / "timm.safetensors")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours.model.eval()(x), theirs(x), rtol=0, atol=1e-5)
    assert ours.notes == ()


def test_a_block_is_equation_1_with_identity_shortcut_and_full_pre_activation():
    torch.manual_seed(0)
    block = PreActivationBottleneck(16, 4, 1, projects=False)
    x = torch.randn(2, 16, 6, 6)
    y = block.conv1(F.relu(block.norm1(x)))
    y = block.conv2(F.relu(block.norm2(y)))
    y = block.conv3(F.relu(block.norm3(y)))
    before = x.clone()
    torch.testing.assert_close(block(x), before + y)
    assert torch.equal(x, before)


def test_a_projection_takes_the_activated_input():
    torch.manual_seed(0)
    block = PreActivationBottleneck(16, 8, 2, projects=True)
    nn.init.zeros_(block.conv3.weight)
    x = torch.randn(2, 16, 6, 6)
    torch.testing.assert_close(block(x), block.projection(F.relu(block.norm1(x))))
    assert block(x).shape == (2, 32, 3, 3)


def test_the_shortcuts_of_a_stage_are_one_way_without_obstacle():
    """Equation 4: what the first block of a stage made is in the last map, plus what the others add."""
    stage = build_model("resnetv2_50").stages.conv3
    for block in list(stage)[1:]:
        nn.init.zeros_(block.conv3.weight)
    x = torch.randn(2, 256, 8, 8)
    assert torch.equal(stage(x), stage.block1(x))


def test_first_activation_is_behind_the_first_convolution_or_in_the_first_block():
    torch.manual_seed(0)
    with torch.device("meta"):
        default, paper = (build_model("resnetv2_50", first_activation=place) for place in ("block1", "conv1"))
    moved = {name.replace("stages.conv1.norm.", "stages.conv2.block1.norm1.") for name in paper.state_dict()}
    assert moved == set(default.state_dict()) != set(paper.state_dict())
    network = build_model("resnetv2_50", first_activation="conv1").eval()
    x = torch.randn(1, 3, 64, 64)
    first, second = list(network.forward_stages(x).values())[:2]
    torch.testing.assert_close(first, F.relu(network.stages.conv1.norm(network.stages.conv1.conv(x))))
    block = network.stages.conv2.block1
    nn.init.zeros_(block.conv3.weight)
    pooled = F.max_pool2d(first, 3, 2, 1)
    torch.testing.assert_close(block(pooled), block.projection(pooled))
    assert second.shape == (1, 256, 16, 16)


def test_the_last_map_is_activated():
    features = build_model("resnetv2_50").eval().features(torch.randn(1, 3, 64, 64))
    assert features.min() == 0


@pytest.mark.parametrize(
    ("name", "giga_macs"), [("resnetv2_50", 3.86), ("resnetv2_101", 7.57), ("resnetv2_152", 11.28)]
)
def test_stride_on_the_first_convolution_costs_what_it_does_in_resnet(name: str, giga_macs: float):
    with torch.device("meta"):
        network = build_model(name, stride_on="1x1")
    assert round(complexity(network, (3, 224, 224)).macs / 1e9, 2) == giga_macs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride_on": "7x7"}, "resnetv2_50: stride_on is '7x7': expected 3x3 or 1x1"),
        ({"first_activation": "pool"}, "resnetv2_50: first_activation is 'pool': expected block1 or conv1"),
        ({"shortcut": "A"}, "unknown argument of resnetv2_50 'shortcut'"),
    ],
)
def test_bad_arguments_say_what_is_expected(arguments: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        build_model("resnetv2_50", **arguments)
