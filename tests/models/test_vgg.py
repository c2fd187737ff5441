"""VGG against torchvision and against table 1 of its paper."""

from __future__ import annotations

import pytest
import torch
import torchvision
from tests.models.parity import assert_equal_networks
from torch import nn

from hubel.models import ClassificationNetwork, build_model
from hubel.models.complexity import complexity
from hubel.nn import LocalResponseNorm
from hubel.weights.names import namings, recognise
from hubel.weights.names.alexnet_vgg import torchvision_numbers

TORCHVISION = ["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]

# Table 1, layer by layer: kernel size and channels, M for a pool.
TABLE_1 = {
    "vgg11": "3-64 M 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    "vgg11_lrn": "3-64 LRN M 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    "vgg13": "3-64 3-64 M 3-128 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    "vgg16_c": "3-64 3-64 M 3-128 3-128 M 3-256 3-256 1-256 M 3-512 3-512 1-512 M 3-512 3-512 1-512 M",
    "vgg16": "3-64 3-64 M 3-128 3-128 M 3-256 3-256 3-256 M 3-512 3-512 3-512 M 3-512 3-512 3-512 M",
    "vgg19": "3-64 3-64 M 3-128 3-128 M 3-256 3-256 3-256 3-256 M 3-512 3-512 3-512 3-512 M 3-512 3-512 3-512 3-512 M",
}


def on_meta(name: str, **arguments: float) -> ClassificationNetwork:
    with torch.device("meta"):
        network = build_model(name, **arguments)
    assert isinstance(network, ClassificationNetwork)
    return network


def narrowed(network: nn.Module, dense_layers: list[str]) -> nn.Module:
    """With 64 values instead of 4096 between the dense layers, so that eight comparisons stay quick; fresh weights."""
    sizes = (7 * 7 * 512, 64, 64, 10)
    for name, before, after in zip(dense_layers, sizes, sizes[1:], strict=False):
        network.set_submodule(name, nn.Linear(before, after))
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()
    return network


@pytest.mark.parametrize("name", TORCHVISION)
def test_equal_to_torchvision(name: str):
    torch.manual_seed(0)
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)()
    theirs = narrowed(theirs, ["classifier.0", "classifier.3", "classifier.6"])
    ours = narrowed(on_meta(name), ["head.fc6", "head.fc7", "head.out"])
    assert_equal_networks(ours, theirs, torchvision_numbers(ours), torch.randn(2, 3, 32, 32))


def test_equal_to_torchvision_at_full_width():
    torch.manual_seed(0)
    theirs = torchvision.models.vgg11()
    ours = on_meta("vgg11").to_empty(device="cpu")  # every tensor is about to come from theirs
    assert_equal_networks(ours, theirs, torchvision_numbers(ours), torch.randn(2, 3, 32, 48))


@pytest.mark.parametrize("name", [*TORCHVISION, "vgg11_lrn", "vgg16_c"])
def test_torchvisions_names_are_for_its_own_configurations(name: str):
    origins = [naming.origin for naming in namings(on_meta(name))]
    assert origins == (["hubel", "torchvision"] if name in TORCHVISION else ["hubel"])


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_files_are_recognised(name: str):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)()
    assert recognise(on_meta(name), theirs.state_dict()).origin == "torchvision"


@pytest.mark.parametrize("name", TABLE_1)
def test_layers_are_those_of_table_1(name: str):
    def entry(layer: nn.Module) -> list[str]:
        if isinstance(layer, nn.Conv2d):
            assert layer.padding == (layer.kernel_size[0] // 2,) * 2
            assert layer.stride == (1, 1)
            return [f"{layer.kernel_size[0]}-{layer.out_channels}"]
        if isinstance(layer, nn.MaxPool2d):
            assert (layer.kernel_size, layer.stride) == (2, 2)
            return ["M"]
        return ["LRN"] if isinstance(layer, LocalResponseNorm) else []

    layers = [word for stage in on_meta(name).stages for layer in stage for word in entry(layer)]
    assert " ".join(layers) == TABLE_1[name]


@pytest.mark.parametrize(
    ("name", "weight_layers", "giga_macs"),
    [
        ("vgg11", 11, 7.609),
        ("vgg11_lrn", 11, 7.609),
        ("vgg13", 13, 11.308),
        ("vgg16_c", 16, 11.771),
        ("vgg16", 16, 15.470),
        ("vgg19", 19, 19.632),
    ],
)
def test_weight_layers_and_multiplications(name: str, weight_layers: int, giga_macs: float):
    cost = complexity(on_meta(name), (3, 224, 224))
    assert sum(layer.parameters > 0 for layer in cost.layers) == weight_layers
    assert round(cost.macs / 1e9, 3) == giga_macs


def test_dense_layers_have_most_of_the_parameters():
    cost = complexity(on_meta("vgg16"), (3, 224, 224))
    dense = sum(layer.parameters for layer in cost.layers if layer.kind == "Linear")
    assert round(100 * dense / cost.parameters, 1) == 89.4


def test_only_pooling_shrinks_the_map():
    for layer in complexity(on_meta("vgg19"), (3, 224, 224)).layers:
        if layer.kind == "Conv2d":
            stage = int(layer.name.removeprefix("stages.conv")[0])
            assert layer.output_shape[1:] == (224 >> (stage - 1),) * 2


def test_response_normalisation_is_alexnets_behind_the_first_relu():
    conv1 = on_meta("vgg11_lrn").stages.conv1
    assert [type(layer) for layer in conv1] == [nn.Conv2d, nn.ReLU, LocalResponseNorm, nn.MaxPool2d]
    assert (conv1.lrn.size, conv1.lrn.alpha, conv1.lrn.beta, conv1.lrn.k) == (5, 1e-4, 0.75, 2.0)


def test_pooling_before_the_dense_layers_is_the_identity_at_the_standard_size():
    x = torch.randn(2, 512, 7, 7)
    assert torch.equal(on_meta("vgg11").head.pool(x), x)


def test_weights_start_as_torchvisions():
    torch.manual_seed(0)
    network = build_model("vgg11_bn", num_classes=10)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_out = 9 * module.weight.shape[0]
            expected = 0.01 if isinstance(module, nn.Linear) else (2 / fan_out) ** 0.5
            assert abs(module.weight.std().item() / expected - 1) < 0.06, name
            assert not module.bias.any()


def test_dropout_is_an_argument():
    assert [m.p for m in on_meta("vgg16").modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert [m.p for m in on_meta("vgg16", dropout=0.1).modules() if isinstance(m, nn.Dropout)] == [0.1, 0.1]
