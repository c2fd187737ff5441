"""A box head beside a classifier's own: the classifier is what it was, and any network serves."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import nn

from hubel.errors import ConfigError
from hubel.models import ClassificationNetwork, build_model, list_models, model_entry
from hubel.models.fully_convolutional import SlidHead, to_fully_convolutional
from hubel.models.localization import LocalizationNetwork
from hubel.models.registry import list_families


def test_the_facts_of_a_localizer() -> None:
    entry = model_entry("localizer/resnet18")
    assert (entry.name, entry.task, entry.input_size) == ("localizer/resnet18", "localization", (3, 224, 224))
    network = entry.build_shapes()
    box = (512 * 64 + 64) + (64 * 49 * 256 + 256) + (256 * 4 + 4)
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512 + box == 12_526_444
    assert network(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1004)


def test_the_family_is_listed_by_its_task() -> None:
    assert list_families("localization") == ["localizer"]
    assert list_models("localization") == []


@pytest.mark.parametrize("backbone", ["lenet5", "nin_cifar", "resnet20_cifar", "densenet40_cifar", "simple_cnn"])
def test_both_modes_return_class_and_box_side_by_side(backbone: str) -> None:
    classifier = cast(ClassificationNetwork, build_model(backbone, num_classes=3))
    network = LocalizationNetwork(classifier, objectness=True)
    _, height, width = model_entry(backbone).input_size
    x = torch.randn(2, network.in_channels, height, width)
    assert network.num_classes == 3
    outputs = [network.train()(x), network.eval()(x)]
    assert all(each.shape == (2, 8) for each in outputs)
    with torch.no_grad():
        assert torch.equal(outputs[1][:, :3], classifier.eval()(x))
        assert torch.equal(network.head(network.features(x)), outputs[1])
    assert list(network.forward_stages(x)) == list(classifier.forward_stages(x))
    assert (network.strides, network.out_channels) == (classifier.strides, classifier.out_channels)
    outputs[0].square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_fresh_network_says_the_middle_of_the_picture() -> None:
    network = build_model("localizer/resnet20_cifar", num_classes=3)
    assert torch.equal(network.eval()(torch.randn(4, 3, 32, 32))[:, 3:].sigmoid(), torch.full((4, 4), 0.5))


def test_another_number_of_classes_leaves_the_box_alone() -> None:
    network = cast(LocalizationNetwork, build_model("localizer/googlenet", num_classes=4))
    assert len(network.aux_heads) == 0
    x = torch.randn(1, 3, 64, 64)
    box = network.eval()(x)[:, 4:]
    network.replace_out(7)
    assert network.num_classes == 7
    assert torch.equal(network(x)[:, 7:], box)


def test_a_localizer_is_slid_in_one_pass() -> None:
    torch.manual_seed(0)
    network = cast(LocalizationNetwork, build_model("localizer/lenet5_modern", num_classes=3, in_channels=1)).eval()
    nn.init.normal_(cast(nn.Linear, network.head.box.out).weight)
    one_pass, x = to_fully_convolutional(network), torch.randn(1, 1, 40, 52)
    assert not any(isinstance(module, nn.Linear | SlidHead) for module in one_pass.modules())
    with torch.no_grad():
        answers = one_pass(x)
        assert answers.shape == (1, 7, 3, 6)
        for row in range(3):
            for column in range(6):
                window = x[..., 4 * row : 4 * row + 32, 4 * column : 4 * column + 32]
                assert (answers[..., row, column] - network(window)).abs().max() < 1e-4


def test_backbones_of_timm() -> None:
    pytest.importorskip("timm")
    network = build_model("localizer/timm/resnet10t", num_classes=2)
    assert network(torch.randn(2, 3, 64, 96)).shape == (2, 6)


def test_a_backbone_that_is_no_classifier_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"is a network for localization, expected a classification network"):
        build_model("localizer/localizer/resnet18")
    with pytest.raises(ConfigError, match=r"unknown model 'resnet19'"):
        build_model("localizer/resnet19")
