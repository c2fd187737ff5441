"""U-Net on any classification network, found by its strides alone."""

from __future__ import annotations

import pytest
import torch

from hubel.errors import ConfigError
from hubel.models import build_model, list_families, model_entry

# One of each family, as they all look alike from here.
BACKBONES = [
    "alexnet",
    "vgg11",
    "nin",
    "googlenet",
    "inception_v3",
    "xception",
    "resnet18",
    "resnetv2_50",
    "densenet121",
]
BACKBONES += ["resnet20_cifar", "timm/tf_efficientnet_lite0", "timm/resnet18", "timm/convnext_atto"]


@pytest.mark.parametrize("name", BACKBONES)
def test_every_network_that_takes_any_size_is_a_backbone(name: str):
    network = model_entry(f"unet/{name}").build_shapes(num_classes=4)
    encoder = model_entry(name).build_shapes(in_channels=3)
    assert list(network.stages)[: len(encoder.strides)] == [stage for stage, _ in encoder.stages.named_children()]
    finest = {stride: stage for stage, stride in zip(network.stages, encoder.strides, strict=False)}
    assert network.skips == {f"up{stride}": finest.get(stride) for stride in sorted({1, *finest}, reverse=True)[1:]}
    versions: dict[torch.Tensor, int] = {}
    for stage in network.stages.values():
        stage.register_forward_hook(lambda module, given, output: versions.update({output: output._version}))
    side = max(128, network.smallest)
    assert network(torch.empty(2, 3, side, side + 1, device="meta")).shape == (2, 4, side, side + 1)
    # No stage changes in place what another one returned: it may still be needed beside an enlarged map.
    assert all(map_._version == version for map_, version in versions.items())


def test_the_encoder_computes_what_the_backbone_does():
    torch.manual_seed(0)
    network, backbone = build_model("unet/resnet18").eval(), build_model("resnet18").eval()
    encoder = {name: tensor for name, tensor in backbone.state_dict().items() if name.startswith("stages.")}
    missing, unexpected = network.load_state_dict(encoder, strict=False)
    assert not unexpected
    assert all(name.split(".")[1].startswith("up") or name.startswith("head.") for name in missing)
    x, seen = torch.randn(1, 3, 64, 64), []
    network.stages["conv5"].register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad():
        network(x)
        assert torch.equal(seen[0], backbone.features(x))


def test_registry_knows_the_family():
    assert "unet" in list_families("segmentation")
    entry = model_entry("unet/resnet18")
    assert (entry.task, entry.arguments) == ("segmentation", ["num_classes", "in_channels", "upsampling"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet/resnet19", "unknown model 'resnet19': did you mean resnet18"),
        ("unet/timm/resnet19", "unknown model 'timm/resnet19': did you mean timm/resnet18"),
        ("unnet/resnet18", "unknown model 'unnet/resnet18': did you mean unet/resnet18"),
        ("unet/fcn8s", "unet/fcn8s: fcn8s is a network for segmentation, expected a classification network"),
        (
            "unet/lenet5",
            r"unet/lenet5: the backbone takes pictures of \(32, 32\) only: expected one that",
        ),
        ("unet/timm/vit_tiny_patch16_224", r"takes pictures of \(224, 224\) only"),
        ("unet/timm/swin_tiny_patch4_window7_224", "expected one"),
    ],
)
def test_what_is_no_backbone_is_said(name: str, message: str):
    with pytest.raises(ConfigError, match=message):
        build_model(name)
