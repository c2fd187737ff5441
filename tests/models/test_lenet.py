"""LeNet-5 against the numbers and formulas of its paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hubel.models import ClassificationNetwork, build_model
from hubel.models.classification.lenet import (
    C3_TABLE,
    EuclideanRBF,
    PartialConvolution,
    ScaledTanh,
    Subsampling,
    connections,
    target_codes,
)


@pytest.fixture
def network() -> ClassificationNetwork:
    torch.manual_seed(0)
    network = build_model("lenet5")
    assert isinstance(network, ClassificationNetwork)
    return network


def test_connections_are_the_papers(network: ClassificationNetwork):
    expected = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164, "out": 840}
    assert connections(network) == expected
    assert sum(connections(network).values()) == 340_908


def test_parameters_of_each_layer_are_the_papers(network: ClassificationNetwork):
    stages = {name: sum(p.numel() for p in stage.parameters()) for name, stage in network.stages.named_children()}
    assert stages == {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120}
    assert sum(p.numel() for p in network.head.parameters()) == 10_164
    assert network.head.out.codes.numel() == 840
    assert not list(network.head.out.parameters())


def test_table_1():
    sizes = [len(row) for row in C3_TABLE]
    assert sizes == [3] * 6 + [4] * 9 + [6]
    assert sum(sizes) == 60
    assert len(set(C3_TABLE)) == 16
    contiguous = [{(start + i) % 6 for i in range(3)} for start in range(6)]
    contiguous += [{(start + i) % 6 for i in range(4)} for start in range(6)]
    assert [set(row) for row in C3_TABLE[:12]] == contiguous
    # Every map of S2 feeds ten maps of C3.
    assert [sum(channel in row for row in C3_TABLE) for channel in range(6)] == [10] * 6


def test_partial_convolution_is_a_sum_over_the_table():
    torch.manual_seed(0)
    layer, x = PartialConvolution(6, C3_TABLE), torch.randn(2, 6, 14, 14)
    kernels = iter(layer.weight)
    for out, row in enumerate(C3_TABLE):
        expected = sum(F.conv2d(x[:, [channel]], next(kernels)[None, None]) for channel in row) + layer.bias[out]
        torch.testing.assert_close(layer(x)[:, [out]], expected)


def test_partial_convolution_does_not_see_what_the_table_leaves_out():
    layer, x = PartialConvolution(6, C3_TABLE), torch.randn(1, 6, 14, 14, requires_grad=True)
    for out, row in enumerate(C3_TABLE):
        (gradient,) = torch.autograd.grad(layer(x)[:, out].sum(), x)
        assert tuple(gradient.abs().sum((0, 2, 3)).nonzero().flatten().tolist()) == row


def test_subsampling_is_the_formula():
    layer, x = Subsampling(3), torch.randn(2, 3, 6, 8)
    result = layer(x)
    assert result.shape == (2, 3, 3, 4)
    window = x[1, 2, 2:4, 4:6].sum()
    torch.testing.assert_close(result[1, 2, 1, 2], window * layer.coefficient[2] + layer.bias[2])


def test_squashing_function_of_appendix_a():
    values = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 100.0]))
    torch.testing.assert_close(values, torch.tensor([-1.0, 0.0, 1.0, 1.7159]), rtol=0, atol=1e-4)


def test_logits_are_minus_squared_distances():
    layer = EuclideanRBF(10)
    x = torch.randn(4, 84)
    torch.testing.assert_close(layer(x), -torch.cdist(x, layer.codes).square())
    assert layer(layer.codes).argmax(1).tolist() == list(range(10))
    assert layer(layer.codes).diagonal().tolist() == [0] * 10


@pytest.mark.parametrize("num_classes", [2, 10, 37])
def test_codes_are_distinct_and_always_the_same(num_classes: int):
    codes = target_codes(num_classes)
    assert codes.shape == (num_classes, 84)
    assert set(codes.flatten().tolist()) == {-1.0, 1.0}
    assert len({tuple(code) for code in codes.tolist()}) == num_classes
    assert torch.equal(codes, target_codes(num_classes))


def test_weights_start_uniform_by_fan_in(network: ClassificationNetwork):
    c3 = network.stages.c3[0]
    first = 0
    for row in C3_TABLE:
        bound = 2.4 / (25 * len(row))
        kernels = c3.weight[first : first + len(row)]
        first += len(row)
        assert 0.9 * bound < kernels.abs().max() <= bound
    c5 = network.stages.c5[0].weight
    assert 0.99 * 2.4 / 400 < c5.abs().max() <= 2.4 / 400
    assert math.isclose(c5.std().item(), 2.4 / 400 / math.sqrt(3), rel_tol=0.02)  # of a uniform distribution


@pytest.mark.parametrize(("activation", "layer"), [("relu", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid)])
def test_modern_options(activation: str, layer: type[nn.Module]):
    network = build_model("lenet5_modern", activation=activation, pooling="average")
    assert sum(isinstance(module, layer) for module in network.modules()) == 4
    assert sum(isinstance(module, nn.AvgPool2d) for module in network.modules()) == 2
    assert sum(parameter.numel() for parameter in network.parameters()) == 61_706


@pytest.mark.slow
def test_trained_lenet5_tolerates_small_rotations_and_scalings():
    """The paper reports tolerance to about 40 degrees and a factor of 2 (section III.E); much less is asked here."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    x = F.pad(F.interpolate(x, size=20, mode="bilinear"), (6, 6, 6, 6)) * 1.275 - 0.1
    y = torch.tensor(digits.target)
    train, test = slice(0, 1300), slice(1300, None)
    torch.manual_seed(0)
    network = build_model("lenet5")
    epochs, batch = 10, 50
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * 26)
    for _ in range(epochs):
        for indices in torch.randperm(1300).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(network(x[train][indices]), y[train][indices]).backward()
            optimizer.step()
            schedule.step()

    def accuracy(degrees: float, scale: float) -> float:
        angle = math.radians(degrees)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]]) / scale
        grid = F.affine_grid(turn.expand(len(x[test]), 2, 3), list(x[test].shape), align_corners=False)
        moved = F.grid_sample(x[test] + 0.1, grid, align_corners=False) - 0.1
        with torch.no_grad():
            return (network(moved).argmax(1) == y[test]).float().mean().item()

    assert accuracy(0, 1) > 0.88
    for degrees, scale in [(10, 1), (-10, 1), (0, 0.9), (0, 1.1)]:
        assert accuracy(degrees, scale) > accuracy(0, 1) - 0.1, (degrees, scale)
    assert accuracy(90, 1) < 0.4  # it has learnt digits, not blobs
