"""Networks that differ from others in their depth alone: the quick suite leaves them to `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

_AS_ANOTHER = (
    "resnet1202_cifar",  # as resnet110_cifar, with 1,092 layers more
    "resnet101",  # as resnet50
    "resnet152",
    "resnetv2_101",  # as resnetv2_50
    "resnetv2_152",
    "densenet169",  # as densenet121
    "densenet201",
    "densenet264",
    "vgg13",  # as vgg11 and vgg16
    "vgg19",
    "vgg13_bn",  # as vgg11_bn
    "vgg16_bn",
    "vgg19_bn",
)


def slow(*names: str) -> list[ParameterSet]:
    """Parameters of a test that are left to `make test-all`."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


def networks(names: Iterable[str]) -> list[str | ParameterSet]:
    """Parameters of a test of every network; those that are as another are slow."""
    return [parameter for name in names for parameter in (slow(name) if name in _AS_ANOTHER else [name])]
