"""A classifier on an encoder: the stages are the same, their weights go over, the head is new."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hubel.errors import ConfigError, WeightsError
from hubel.models import ClassificationNetwork, build_model, list_families, model_entry
from hubel.models.generative import DCGAN, AutoencodingNetwork, start_from_encoder
from hubel.transfer.freezing import layer_groups

BACKBONES: dict[str, dict[str, Any]] = {
    "autoencoder": {"size": 8, "widths": (12, 6), "code_size": 3, "in_channels": 1},
    "conv_autoencoder": {"size": (16, 12), "widths": (4, 6), "code_size": 3, "in_channels": 1},
    "vae": {"size": 8, "widths": (12,), "code_size": 3, "in_channels": 1},
    "conv_vae": {"size": (16, 12), "widths": (4, 6), "code_size": 3, "in_channels": 1},
    "dcgan": {"size": 32, "width": 4, "in_channels": 1},
}


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_go_over_and_the_maps_are_the_same(name: str):
    torch.manual_seed(0)
    pretrained = build_model(name, **BACKBONES[name]).eval()
    classifier = build_model(f"encoder/{name}", num_classes=7, **BACKBONES[name]).eval()
    assert isinstance(classifier, ClassificationNetwork)
    assert isinstance(pretrained, AutoencodingNetwork | DCGAN)
    x = torch.rand(3, 1, *pretrained.size)
    source = pretrained.discriminator if isinstance(pretrained, DCGAN) else pretrained
    before = classifier.features(x)
    names = start_from_encoder(classifier, pretrained.state_dict())
    assert names == [stage for stage, _ in classifier.stages.named_children()]
    assert not torch.equal(classifier.features(x), before)
    expected = x
    for stage in names:
        expected = source.stages.get_submodule(stage)(expected)
    assert torch.equal(classifier.features(x), expected)
    assert classifier(x).shape == (3, 7)
    assert len(classifier.strides) == len(classifier.out_channels) == len(names)
    assert layer_groups(classifier, names)[-1] == [classifier.head]


def test_entries_are_as_their_backbones():
    assert "encoder" in list_families("classification")
    entry = model_entry("encoder/conv_vae")
    assert (entry.task, entry.input_size, entry.fixed_size) == ("classification", (3, 32, 32), True)
    assert entry.backbone == "conv_vae"
    # three convolutions without their biases, BatchNorm, ten units on 128×4×4
    expected = 16 * (3 * 32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 2049 * 10
    assert sum(parameter.numel() for parameter in entry.build_shapes().parameters()) == expected


def test_a_code_that_is_a_map_gives_a_classifier_for_any_size():
    classifier = build_model("encoder/conv_autoencoder", num_classes=4, widths=(4, 8), code_size=None)
    assert classifier(torch.rand(2, 3, 20, 33)).shape == (2, 4)


def test_weights_that_do_not_fit_are_told():
    tensors = build_model("conv_vae", widths=(4, 6)).state_dict()
    with pytest.raises(WeightsError, match=r"'stages.down1.conv.weight' has shape \(4, 3, 4, 4\) in the weights and"):
        start_from_encoder(build_model("encoder/conv_vae"), tensors)
    with pytest.raises(WeightsError, match=r"no tensor 'stages.down1.conv.weight': expected those of the network on"):
        start_from_encoder(build_model("encoder/conv_vae"), build_model("lenet5").state_dict())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "encoder/resnet18",
            {},
            "resnet18 is a network for classification, expected a reconstruction or generation network as backbone",
        ),
        ("encoder/conv_vea", {}, "unknown model 'conv_vea': did you mean conv_vae"),
        ("encoder/conv_vae", {"wdths": (3,)}, "unknown argument of conv_vae 'wdths': did you mean widths"),
        ("encoder/vae", {"widths": ()}, "the encoder has no layer before its code: expected at least one width"),
    ],
)
def test_mistakes(name: str, arguments: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        build_model(name, **arguments)
