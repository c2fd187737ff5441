"""The dilated FCN against torchvision's, and its weights from torchvision's names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.models.parity import assert_equal_networks
from torch import Tensor, nn
from torchvision.models.segmentation import fcn_resnet50

from hubel.errors import WeightsError
from hubel.models import build_model
from hubel.weights import create_model
from hubel.weights.names.fcn import torchvision_fcn


def theirs(num_classes: int = 5, *, aux: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return fcn_resnet50(weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=aux)


def logits_of_theirs(network: nn.Module, x: Tensor) -> list[Tensor]:
    outputs = network(x)
    return [outputs["out"], outputs["aux"]] if network.training else [outputs["out"]]


def test_equal_to_torchvision():
    """Logits of both heads and gradients, in float64, in both modes."""
    assert_equal_networks(
        build_model("fcn_resnet50", num_classes=5),
        theirs(),
        torchvision_fcn,
        torch.randn(2, 3, 65, 81),
        logits_of_theirs=logits_of_theirs,
    )


def test_the_auxiliary_head_is_equal_in_evaluation_too():
    network, other = build_model("fcn_resnet50", num_classes=5).double().eval(), theirs().double().eval()
    names = dict(other.state_dict())
    network.load_state_dict({name: names[torchvision_fcn(name)] for name in network.state_dict()}, strict=True)
    x = torch.randn(1, 3, 65, 65, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network.forward_with_aux(x).aux["conv4"], other(x)["aux"], rtol=0, atol=1e-9)


def test_torchvisions_file_loads(tmp_path: Path):
    other = theirs().eval()
    torch.save(other.state_dict(), tmp_path / "fcn.pth")
    network = create_model("fcn_resnet50", weights=tmp_path / "fcn.pth").eval()
    assert network.num_classes == 5
    x = torch.randn(1, 3, 65, 65)
    with torch.no_grad():
        torch.testing.assert_close(network(x), other(x)["out"], rtol=1e-4, atol=1e-5)
    new = create_model("fcn_resnet50", weights=tmp_path / "fcn.pth", num_classes=2)
    assert torch.equal(new.head.conv.weight, network.head.conv.weight)
    assert new(x.repeat(2, 1, 1, 1)).shape == (2, 2, 65, 65)


def test_a_file_without_the_auxiliary_head_and_one_that_is_another_networks(tmp_path: Path):
    torch.save(theirs(aux=False).state_dict(), tmp_path / "fcn.pth")
    network = create_model("fcn_resnet50", weights=tmp_path / "fcn.pth", aux_heads=False)
    assert not network.aux_heads
    with pytest.raises(WeightsError, match="do not fit unet"):
        create_model("unet", weights=tmp_path / "fcn.pth")
