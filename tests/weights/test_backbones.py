"""Networks on a backbone that starts from weights: published ones, or those of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hubel.errors import WeightsError
from hubel.transfer.freezing import stages_of
from hubel.weights import build_with_weights, create_model

NAME = "timm/tf_efficientnet_lite0"  # its weights come with a package


@pytest.mark.parametrize("channels", [None, 1])
@pytest.mark.parametrize("family", ["unet", "yolo_n", "faster_rcnn", "localizer"])
def test_the_backbone_has_the_published_weights(family: str, channels: int | None):
    pytest.importorskip("timm")
    built = build_with_weights(f"{family}/{NAME}", weights="imagenet", in_channels=channels, num_classes=3)
    backbone = dict(create_model(NAME, weights="imagenet", in_channels=channels).stages.named_children())
    for stage, module in stages_of(built.model).items():
        ours = module.state_dict()
        assert all(torch.equal(tensor, ours[name]) for name, tensor in backbone[stage].state_dict().items())
    assert (built.model.num_classes, built.model.in_channels) == (3, channels or 3)
    assert built.preprocess is not None
    assert built.preprocess.mean == (0.5,) * (channels or 3)
    assert built.notes[-1] == "the backbone has the weights of efficientnet-lite0, what follows it starts fresh"
    assert built.classes is None
    assert not built.whole


@pytest.mark.parametrize("family", ["unet", "localizer"])
def test_a_file_may_be_of_the_backbone_or_of_all(family: str, tmp_path: Path):
    name, classes = f"{family}/resnet20_cifar", 4
    backbone, whole = create_model("resnet20_cifar", num_classes=7), create_model(name, num_classes=classes)
    files = {kind: tmp_path / f"{kind}.safetensors" for kind in ("backbone", "whole")}
    save_file(backbone.state_dict(), files["backbone"])
    save_file(whole.state_dict(), files["whole"])
    of_backbone = build_with_weights(name, weights=files["backbone"], num_classes=classes)
    of_all = build_with_weights(name, weights=files["whole"], num_classes=classes)
    assert (of_backbone.whole, of_all.whole) == (False, True)
    stage = "stages.conv2.block1.conv1.weight"
    assert torch.equal(of_backbone.model.state_dict()[stage], backbone.state_dict()[stage])
    assert all(torch.equal(tensor, whole.state_dict()[key]) for key, tensor in of_all.model.state_dict().items())


def test_a_localizer_keeps_the_head_of_its_backbone_but_the_last_layer(tmp_path: Path):
    backbone = create_model("lenet5_modern", num_classes=7)
    save_file(backbone.state_dict(), tmp_path / "lenet.safetensors")
    built = build_with_weights("localizer/lenet5_modern", weights=tmp_path / "lenet.safetensors", num_classes=3)
    theirs = {name: tensor for name, tensor in backbone.head.state_dict().items() if not name.startswith("out.")}
    ours = built.model.head.classes.state_dict()
    assert theirs
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.items())
    assert ours["out.weight"].shape[0] == 3


def test_unknown_weights_are_told():
    with pytest.raises(WeightsError, match="unknown weights 'imagenett': did you mean imagenet"):
        create_model(f"unet/{NAME}", weights="imagenett")
    with pytest.raises(WeightsError, match="no published ImageNet weights for resnet20_cifar"):
        create_model("unet/resnet20_cifar", weights="imagenet")
