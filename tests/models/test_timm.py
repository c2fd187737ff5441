"""timm's networks as stages and a head: the same computation, the same parameters."""

from __future__ import annotations

import pytest
import torch

from hubel.errors import ConfigError
from hubel.models import build_model, list_models, model_entry
from hubel.models.classification.timm_backbone import TimmNetwork
from hubel.weights.names.timm_networks import timm_names

timm = pytest.importorskip("timm")

# A network per way that timm writes them: blocks in a container, blocks as attributes, a flat list of layers, a
# convolution as classifier, layers in the head, none that is a chain, tokens.
NETWORKS = {
    "tf_efficientnet_lite0": ((2, 2, 4, 8, 16, 16, 32, 32), (32, 16, 24, 40, 80, 112, 192, 1280)),
    "resnet10t": ((4, 4, 8, 16, 32), (64, 64, 128, 256, 512)),
    "densenet121": ((4, 8, 16, 32, 32), (64, 128, 256, 512, 1024)),
    "vgg11_bn": ((1, 2, 4, 8, 16, 32), (64, 128, 256, 512, 512, 512)),
    "convnext_atto": ((4, 4, 8, 16, 32), (40, 40, 80, 160, 320)),
    "dla34": ((2, 4, 8, 16, 32), (32, 64, 128, 256, 512)),
    "mobilenetv3_small_050": ((2, 4, 8, 16, 16, 32), (16, 8, 16, 24, 24, 288)),
    "hrnet_w18_small": ((32,), (2048,)),
    "vit_tiny_patch16_224": ((16,), (192,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_network_as_timms(name: str):
    torch.manual_seed(0)
    ours = build_model(f"timm/{name}", num_classes=7)
    assert isinstance(ours, TimmNetwork)
    theirs = timm.create_model(name, num_classes=7)
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    file_name = timm_names(ours)
    renamed = {file_name(key): value for key, value in ours.state_dict().items()}
    theirs.load_state_dict({key: value.reshape(shapes[key]) for key, value in renamed.items()}, strict=True)
    ours.eval()
    theirs.eval()
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))
        maps = list(ours.forward_stages(x).values())
        assert torch.equal(maps[-1], theirs.forward_features(x))
    assert (ours.strides, ours.out_channels) == NETWORKS[name]
    if maps[-1].ndim == 4:
        assert tuple(map_.shape[1] for map_ in maps) == ours.out_channels
        assert tuple(x.shape[2] // map_.shape[2] for map_ in maps) == ours.strides


def test_the_contract_holds():
    network = build_model("timm/mobilenetv3_small_050", num_classes=7, in_channels=1)
    assert (network.num_classes, network.in_channels) == (7, 1)
    assert network.out is network.head.out
    network.replace_out(3)
    logits = network(torch.randn(2, 1, 64, 96))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(ValueError, match=r"shape \(2, 3, 64, 64\): this network takes \(N, 1, H, W\)"):
        network(torch.randn(2, 3, 64, 64))


def test_a_fixed_size_is_checked():
    with torch.device("meta"):
        network = build_model("timm/vit_tiny_patch16_224")
        with pytest.raises(ValueError, match=r"takes \(N, 3, 224, 224\)"):
            network(torch.empty(1, 3, 96, 96))
        assert build_model("timm/vit_tiny_patch16_224", img_size=96)(torch.empty(1, 3, 96, 96)).shape == (1, 1000)


def test_entry_knows_timms_input():
    entry = model_entry("timm/inception_v3")
    assert entry.input_size == (3, 299, 299)
    assert not entry.fixed_size
    assert model_entry("timm/vit_tiny_patch16_224").fixed_size
    assert not any(name.startswith("timm/") for name in list_models())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "timm/tf_efficientnet_light0",
            {},
            "unknown model 'timm/tf_efficientnet_light0': did you mean timm/tf_efficientnet",
        ),
        ("timm/deit_tiny_distilled_patch16_224", {}, "no single linear classifier but tuple"),
        ("timm/resnet18", {"pretrained": True}, "give the weights with `weights=`"),
        ("timm/resnet18", {"no_such": 1}, "unexpected keyword argument 'no_such'"),
    ],
)
def test_what_does_not_exist_is_said(name: str, arguments: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        build_model(name, **arguments)
