"""Networks that differ from others in their depth alone: the quick suite leaves the deepest to `make test-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

_DEEPEST = (
    "resnet1202_cifar",  # as resnet110_cifar, with 1,092 layers more
    "resnet101",  # as resnet50
    "resnet152",
    "resnetv2_101",  # as resnetv2_50
    "resnetv2_152",
    "densenet201",  # as densenet169
    "densenet264",
    "vgg19",  # as vgg16
    "vgg19_bn",  # as vgg16_bn
)


def slow(*names: str) -> list[ParameterSet]:
    """Parameters of a test that are left to `make test-all`."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


def networks(names: Iterable[str]) -> list[str | ParameterSet]:
    """Parameters of a test of every network, the deepest of which are slow."""
    return [parameter for name in names for parameter in (slow(name) if name in _DEEPEST else [name])]
