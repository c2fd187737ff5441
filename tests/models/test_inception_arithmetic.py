"""What lectures print about inception modules, against the shapes and against real modules."""

from __future__ import annotations

import pytest
import torch

from hubel.models.classification.googlenet import MODULES, InceptionModule, NaiveInceptionModule, Widths
from hubel.models.complexity import complexity
from hubel.models.inception_arithmetic import ModuleCost, inception_arithmetic

NAIVE, REDUCED, PUBLISHED, ALONE, BEHIND = inception_arithmetic()


def test_naive_module():
    assert [row.macs for row in NAIVE.rows] == [25_690_112, 346_816_512, 481_689_600]
    assert NAIVE.macs == 854_196_224
    assert NAIVE.output_shape == (672, 28, 28)


def test_module_with_reductions():
    assert REDUCED.macs == 271_351_808
    assert REDUCED.output_shape == (480, 28, 28)
    assert round(NAIVE.macs / REDUCED.macs, 2) == 3.15
    three = next(row for row in REDUCED.rows if row.name == "3×3")
    assert f"{three.macs:,}" == "86,704,128"
    assert f"{REDUCED.macs + three.macs:,}" == "358,055,936"
    assert all(number in REDUCED.note for number in ("358,055,936", "86,704,128"))


def test_inception_3b_as_published():
    assert PUBLISHED.macs == 304_267_264
    assert PUBLISHED.weights == 388_096
    assert PUBLISHED.output_shape == (480, 28, 28)


def test_the_branch_that_explains_the_idea():
    assert ALONE.macs == 120_422_400
    assert [row.macs for row in BEHIND.rows] == [2_408_448, 10_035_200]
    assert BEHIND.macs == 12_443_648
    assert round(ALONE.macs / BEHIND.macs, 2) == 9.68
    assert ALONE.output_shape == BEHIND.output_shape == (32, 28, 28)


@pytest.mark.parametrize(
    ("cost", "module"),
    [
        (NAIVE, NaiveInceptionModule(256, 128, 192, 96)),
        (REDUCED, InceptionModule(256, Widths(128, 64, 192, 64, 96, 64))),
        (PUBLISHED, InceptionModule(256, MODULES["inception3b"])),
    ],
)
def test_rows_are_the_convolutions_of_the_module(cost: ModuleCost, module: torch.nn.Module):
    layers = [layer for layer in complexity(module, cost.input_shape).layers if layer.kind == "Conv2d"]
    assert [row.macs for row in cost.rows] == [layer.macs for layer in layers]
    assert [row.output_shape for row in cost.rows] == [layer.output_shape for layer in layers]
    assert [row.weights + row.output_shape[0] for row in cost.rows] == [layer.parameters for layer in layers]
    assert module(torch.zeros(1, *cost.input_shape)).shape[1:] == cost.output_shape
