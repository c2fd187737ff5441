"""Networks that end at one of their stages."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import hubel
from hubel.errors import ConfigError
from hubel.models import ClassificationNetwork, build_model
from hubel.models.truncation import truncate
from hubel.weights import build_with_weights


def test_the_stages_that_are_kept_give_what_they_gave():
    torch.manual_seed(0)
    whole = build_model("resnet20_cifar", num_classes=10).eval()
    image = torch.randn(2, 3, 32, 32)
    before = whole.forward_stages(image)
    short = truncate(whole, "conv2", 4).eval()
    maps = short.forward_stages(image)
    assert list(maps) == list(before)[: len(maps)]
    assert all(torch.equal(maps[name], before[name]) for name in maps)
    assert (short.strides, short.out_channels) == (whole.strides[: len(maps)], whole.out_channels[: len(maps)])
    assert short(image).shape == (2, 4)
    assert short.num_classes == 4
    assert sum(parameter.numel() for parameter in short.parameters()) < sum(p.numel() for p in whole.parameters())


def test_auxiliary_heads_stay_where_their_stage_does_and_is_not_the_last():
    whole = build_model("googlenet_bn", aux_heads=True)
    assert list(whole.aux_heads) == ["inception4a", "inception4d"]
    assert list(truncate(whole, "inception4d").aux_heads) == ["inception4a"]


def test_by_name_and_with_weights(tmp_path: Path):
    torch.manual_seed(0)
    whole = build_model("resnet20_cifar", num_classes=10)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    built = build_with_weights("resnet20_cifar", num_classes=3, weights=tmp_path / "whole.safetensors", through="conv3")
    assert built.notes == ("the network ends after conv3, with a new head",)
    short = built.model
    assert isinstance(short, ClassificationNetwork)
    assert short.num_classes == 3
    assert all(
        torch.equal(tensor, whole.state_dict()[f"stages.{name}"]) for name, tensor in short.stages.state_dict().items()
    )
    again = build_model("resnet20_cifar", num_classes=3, through="conv3")
    again.load_state_dict(short.state_dict(), strict=True)


@pytest.mark.parametrize("weights", [None, "file"])
def test_a_stage_that_is_not_there(weights: str | None, tmp_path: Path):
    if weights:
        save_file(build_model("resnet20_cifar").state_dict(), tmp_path / "whole.safetensors")
    with pytest.raises(
        ConfigError, match="resnet20_cifar: there is no stage 'conv9' to end at: expected one of conv1, "
    ):
        build_with_weights("resnet20_cifar", weights=weights and tmp_path / "whole.safetensors", through="conv9")


def test_a_run_its_bundle_and_its_predictions_end_at_the_stage(coloured_squares: Path, tmp_path: Path):
    settings = {"data.size": 32, "model.arguments": {"through": "conv2"}}
    run = hubel.train(
        coloured_squares, model="resnet20_cifar", recipe="scratch", epochs=2, out=tmp_path / "run", settings=settings
    )
    network = hubel.load(run.bundle).network
    assert isinstance(network.head.norm, nn.BatchNorm1d)
    assert [name for name, _ in network.stages.named_children()][-1] == "conv2"
