"""The parity that `hubel models verify --parity` shows: it is there, and it would be missed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hubel.evaluation import parity
from hubel.evaluation.parity import TWINS, compare_with_twins, load
from hubel.models import list_models, model_entry


def test_every_twin_is_of_a_network():
    assert set(TWINS) <= set(list_models("classification"))


@pytest.mark.parametrize("name", TWINS)
def test_every_tensor_of_a_twin_has_its_place(name: str):
    pytest.importorskip(TWINS[name].library)
    ours = model_entry(name).build_shapes(num_classes=10)
    with torch.device("meta"):
        theirs = TWINS[name].build(10)
    load(ours, theirs.state_dict(), parity.naming_of(ours, TWINS[name]).file_name)


def test_equal_networks_are_equal_and_networks_without_a_twin_are_passed_over():
    (found,) = compare_with_twins(["lenet5", "resnet18"])
    assert found.network == "resnet18"
    assert found.difference <= 1e-12
    assert found.holds


@pytest.mark.parametrize("difference", ["weight", "operation"])
def test_a_difference_is_seen(difference: str, monkeypatch: pytest.MonkeyPatch):
    def disturbed(network: nn.Module, *arguments: object) -> None:
        load(network, *arguments)
        if difference == "weight":
            network.stages.conv5.block2.conv2.weight = nn.Parameter(network.stages.conv5.block2.conv2.weight * 1.001)
        else:
            network.stages.conv3.block1.norm1.eps = 1e-4

    monkeypatch.setattr(parity, "load", disturbed)
    (found,) = compare_with_twins(["resnet18"])
    assert found.difference > 1e-6
    assert not found.holds


def test_tensors_without_a_place_are_named():
    network = nn.Linear(2, 3)
    tensors = {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "extra": torch.zeros(1)}
    with pytest.raises(ValueError, match="the twin has tensors that the network has no place for: extra"):
        load(network, tensors, lambda name: name)


def test_a_library_that_is_not_there_is_no_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parity, "find_spec", lambda name: None)
    (found,) = compare_with_twins(["resnet18"])
    assert found.difference is None
    assert found.holds is None
