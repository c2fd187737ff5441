"""AlexNet against its paper's numbers, torchvision's against torchvision."""

from __future__ import annotations

import pytest
import torch
import torchvision
from tests.models.parity import assert_equal_networks
from torch import nn
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import ClassificationNetwork, build_model
from hubel.models.complexity import Complexity, complexity
from hubel.nn import LocalResponseNorm
from hubel.weights.names import namings
from hubel.weights.names.alexnet_vgg import torchvision_numbers


def on_meta(name: str, **arguments: float) -> ClassificationNetwork:
    with torch.device("meta"):
        network = build_model(name, **arguments)
    assert isinstance(network, ClassificationNetwork)
    return network


@pytest.fixture(scope="module")
def cost() -> Complexity:
    return complexity(on_meta("alexnet"), (3, 227, 227))


def test_owt_is_torchvisions():
    torch.manual_seed(0)
    ours = build_model("alexnet_owt", num_classes=10)
    theirs = torchvision.models.alexnet(num_classes=10)
    assert_equal_networks(ours, theirs, torchvision_numbers(ours), torch.randn(2, 3, 96, 80))


def test_only_owt_goes_by_torchvisions_names():
    assert [naming.origin for naming in namings(on_meta("alexnet_owt"))] == ["hubel", "torchvision"]
    assert [naming.origin for naming in namings(on_meta("alexnet"))] == ["hubel"]


def test_every_layer_has_the_papers_map_and_parameters(cost: Complexity):
    weighted = {layer.name: (layer.output_shape, layer.parameters) for layer in cost.layers if layer.parameters}
    assert weighted == {
        "stages.conv1.conv": ((96, 55, 55), 34_944),
        "stages.conv2.conv": ((256, 27, 27), 307_456),
        "stages.conv3.conv": ((384, 13, 13), 885_120),
        "stages.conv4.conv": ((384, 13, 13), 663_936),
        "stages.conv5.conv": ((256, 13, 13), 442_624),
        "head.fc6": ((4096,), 37_752_832),
        "head.fc7": ((4096,), 16_781_312),
        "head.out": ((1000,), 4_097_000),
    }
    pools = {layer.name: layer.output_shape for layer in cost.layers if layer.kind == "MaxPool2d"}
    assert list(pools.values()) == [(96, 27, 27), (256, 13, 13), (256, 6, 6)]


def test_receptive_fields_of_the_stages(cost: Complexity):
    """195 at the last map, as Araujo et al. 2019 (doi:10.23915/distill.00021) have for AlexNet; by hand below."""
    fields = {"conv1": 11 + 2 * 4, "conv2": 19 + 4 * 8 + 2 * 8, "conv3": 67 + 2 * 16}
    fields |= {"conv4": 99 + 2 * 16, "conv5": 131 + 2 * 16 + 2 * 16}
    assert {stage.name: stage.receptive_field[0] for stage in cost.stages[:-1]} == fields
    assert fields["conv5"] == 195


def test_without_groups():
    joined = complexity(on_meta("alexnet", groups=1), (3, 227, 227))
    assert (joined.parameters, joined.macs) == (62_378_344, 1_135_256_096)


def test_a_map_sees_its_own_group_only():
    torch.manual_seed(0)
    layer = build_model("alexnet").stages.conv2.conv
    x = torch.randn(1, 96, 5, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[:, :128].sum(), x)
    assert gradient[:, :48].any()
    assert not gradient[:, 48:].any()


def test_order_of_layers_is_the_papers():
    conv1 = build_model("alexnet").stages.conv1
    assert [type(layer) for layer in conv1] == [nn.Conv2d, nn.ReLU, LocalResponseNorm, nn.MaxPool2d]
    x = torch.randn(1, 3, 67, 67)
    rectified = F.relu(F.conv2d(x, conv1.conv.weight, conv1.conv.bias, stride=4))
    expected = F.max_pool2d(F.local_response_norm(rectified, 5, alpha=5e-4, beta=0.75, k=2.0), 3, 2)
    torch.testing.assert_close(conv1(x), expected)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_owt"])
def test_pooling_before_the_dense_layers_is_the_identity_at_the_standard_size(name: str):
    x = torch.randn(2, 256, 6, 6)
    network = build_model(name, num_classes=2)
    assert torch.equal(network.head.pool(x), x)


def test_weights_start_as_section_5_says():
    torch.manual_seed(0)
    network = build_model("alexnet")
    biases = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert abs(module.weight.std().item() / 0.01 - 1) < 0.02, name
            assert abs(module.weight.mean().item()) < 2e-4, name
            (biases[name.rpartition(".")[0] if name.startswith("stages") else name],) = module.bias.unique().tolist()
    assert {name.rpartition(".")[2]: bias for name, bias in biases.items()} == {
        **{"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1},
        **{"fc6": 1, "fc7": 1, "out": 0},
    }


@pytest.mark.parametrize("name", ["alexnet", "alexnet_owt"])
def test_dropout_is_an_argument(name: str):
    assert [m.p for m in on_meta(name).modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert [m.p for m in on_meta(name, dropout=0.2).modules() if isinstance(m, nn.Dropout)] == [0.2, 0.2]


def test_mistakes_are_said():
    with pytest.raises(ConfigError, match=r"^alexnet: groups is 3: expected 1 or 2$"):
        build_model("alexnet", groups=3)
    with pytest.raises(ConfigError, match=r"^alexnet_owt: dropout probability has to be between 0 and 1, but got 2"):
        build_model("alexnet_owt", dropout=2)
