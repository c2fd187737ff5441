"""Segmentation networks whose encoder has a backbone's published weights."""

from __future__ import annotations

import pytest
import torch

from hubel.errors import WeightsError
from hubel.weights import build_with_weights, create_model

NAME = "timm/tf_efficientnet_lite0"  # its weights come with a package


@pytest.mark.parametrize("channels", [None, 1])
def test_the_encoder_has_the_published_weights(channels: int | None):
    pytest.importorskip("timm")
    built = build_with_weights(f"unet/{NAME}", weights="imagenet", in_channels=channels, num_classes=3)
    backbone = create_model(NAME, weights="imagenet", in_channels=channels)
    for stage, module in backbone.stages.named_children():
        ours = built.model.stages[stage].state_dict()
        assert all(torch.equal(tensor, ours[name]) for name, tensor in module.state_dict().items())
    assert (built.model.num_classes, built.model.in_channels) == (3, channels or 3)
    assert built.preprocess.mean == (0.5,) * (channels or 3)
    assert built.notes[-1] == "the encoder has the weights of efficientnet-lite0, the decoder starts fresh"
    assert built.classes is None


def test_unknown_weights_are_told():
    with pytest.raises(WeightsError, match="unknown weights 'imagenett': did you mean imagenet"):
        create_model(f"unet/{NAME}", weights="imagenett")
    with pytest.raises(WeightsError, match="no published ImageNet weights for resnet20_cifar"):
        create_model("unet/resnet20_cifar", weights="imagenet")
