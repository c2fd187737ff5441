"""Costs against closed formulas and torch's own counter, receptive fields against gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hubel.models import build_model
from hubel.models.complexity import complexity, output_field


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20_cifar", "lenet5_modern"])
def test_macs_are_half_of_torchs_flops(name: str):
    with torch.device("meta"):
        network = build_model(name, in_channels=3)
    size = (3, 32, 32) if name == "lenet5_modern" else (3, 96, 80)
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, *size, device="meta"))
    assert complexity(network, size).macs == counter.get_total_flops() // 2


@given(
    groups=st.sampled_from([1, 2, 4]),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    size=st.integers(5, 12),
    transposed=st.booleans(),
)
@settings(max_examples=40)
def test_convolutions_by_closed_formula(
    groups: int, kernel: int, stride: int, padding: int, size: int, transposed: bool
):
    padding = min(padding, kernel - 1)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(4, 8, kernel, stride=stride, padding=padding, groups=groups)
    row = complexity(layer, (4, size, size)).layers[0]
    if transposed:
        out = (size - 1) * stride - 2 * padding + kernel
        macs = size**2 * kernel**2 * 4 * 8 // groups
    else:
        out = (size + 2 * padding - kernel) // stride + 1
        macs = out**2 * kernel**2 * 4 * 8 // groups
    assert row.output_shape == (8, out, out)
    assert row.macs == macs
    assert row.activations == 8 * out**2
    assert row.parameters == 8 * 4 // groups * kernel**2 + 8


windows = st.builds(
    lambda kernel, stride, dilation, shift: (kernel, stride, dilation, min(shift, dilation * (kernel - 1))),
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(0, 3),
)


def layer_of(kind: str, window: tuple[int, int, int, int]) -> nn.Module:
    """A layer through which every weight is positive, so that no dependence cancels."""
    kernel, stride, dilation, padding = window
    if kind == "convolution":
        layer = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, dilation=dilation, bias=False)
        nn.init.uniform_(layer.weight, 0.5, 1)
        return layer
    if kind == "pooling":
        return nn.AvgPool2d(kernel, stride, min(padding, kernel // 2))
    if kind == "residual":
        return Residual(layer_of("convolution", (3, 1, dilation, dilation)))
    return nn.ZeroPad2d((padding, 0, 0, padding))


class Residual(nn.Module):
    """A sum with a shortcut."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


@given(
    layers=st.lists(
        st.tuples(st.sampled_from(["convolution", "pooling", "residual", "padding"]), windows), min_size=1, max_size=5
    )
)
@settings(max_examples=60)
def test_receptive_field_is_where_the_gradient_is(layers: list[tuple[str, tuple[int, int, int, int]]]):
    network = nn.Sequential(*(layer_of(kind, window) for kind, window in layers)).double()
    side = 401  # larger than any of these fields, so that the middle sees no border
    x = torch.ones(1, 1, side, 1, dtype=torch.float64).expand(1, 1, side, side).clone().requires_grad_()
    y = network(x)
    middle = y.shape[2] // 2
    (gradient,) = torch.autograd.grad(y[0, 0, middle, middle], x)
    rows, columns = gradient[0, 0].nonzero(as_tuple=True)
    extent = tuple(int(axis.max() - axis.min()) + 1 for axis in (rows, columns))
    last = complexity(network, (1, side, side)).layers[-1]
    assert last.receptive_field == extent


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (4, 2, 1), (3, 3, 0), (5, 2, 2)])
def test_receptive_field_behind_a_transposed_convolution_is_the_widest(kernel: int, stride: int, padding: int):
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1, bias=False),
        nn.ConvTranspose2d(1, 1, kernel, stride=stride, padding=padding, bias=False),
    ).double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1)
    x = torch.ones(1, 1, 20, 20, dtype=torch.float64, requires_grad=True)
    y = network(x)
    widest = 0
    for place in range(18, 18 + stride):
        (gradient,) = torch.autograd.grad(y[0, 0, place, 18], x, retain_graph=True)
        rows = gradient[0, 0].sum(1).nonzero().flatten()
        widest = max(widest, int(rows.max() - rows.min()) + 1)
    assert complexity(network, (1, 20, 20)).layers[-1].receptive_field[0] == widest


def test_rectangular_kernels_have_rectangular_fields():
    network = nn.Sequential(nn.Conv2d(1, 1, (1, 7), padding=(0, 3)), nn.Conv2d(1, 1, (3, 1), stride=(2, 1)))
    assert [row.receptive_field for row in complexity(network, (1, 32, 32)).layers] == [(1, 7), (3, 7)]


def test_pooling_to_the_size_that_is_there_makes_no_values():
    cost = complexity(nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.AdaptiveAvgPool2d(4)), (3, 8, 8))
    assert [row.activations for row in cost.layers] == [0, 3 * 4 * 4]


def test_global_pooling_and_flattening_see_the_whole_map():
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    flattened = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 6, 3))
    assert [row.receptive_field for row in complexity(pooled, (1, 8, 8)).layers] == [
        (3, 3),
        (10, 10),
        (10, 10),
        (10, 10),
    ]
    assert complexity(flattened, (1, 8, 8)).layers[-1].receptive_field == (8, 8)


def test_vgg16_has_the_values_and_the_field_of_the_lectures():
    """15,237,608 values with the input (CS231n's column), a field of 212 at the last map (Araujo et al. 2019)."""
    pytest.importorskip("timm")
    with torch.device("meta"):
        network = build_model("timm/vgg16")
    cost = complexity(network, (3, 224, 224))
    assert cost.activations + 3 * 224 * 224 == 15_237_608
    assert cost.parameters == 138_357_544
    assert cost.stages[-2].receptive_field == (212, 212)


@pytest.mark.parametrize("name", ["lenet5", "simple_cnn", "resnet50"])
def test_stages_sum_to_the_total(name: str):
    network = build_model(name)
    size = (network.in_channels, *(network.size or (96, 96)))
    cost = complexity(network, size)
    assert [stage.name for stage in cost.stages] == [*(stage for stage, _ in network.stages.named_children()), "head"]
    for total in ("parameters", "macs", "activations"):
        assert sum(getattr(stage, total) for stage in cost.stages) == getattr(cost, total)


def test_measuring_changes_nothing():
    network = build_model("resnet20_cifar").train()
    network.stages.conv2.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    complexity(network, (3, 32, 32))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert network.stages.conv1.conv.weight.device.type == "cpu"


def test_inference_mode_and_double_precision_count_the_same():
    network, size = build_model("resnet20_cifar"), (3, 32, 32)
    expected = complexity(network, size)
    with torch.inference_mode():
        assert complexity(network, size) == expected
        assert complexity(build_model("resnet20_cifar"), size) == expected
    assert complexity(network.double(), size) == expected


def test_what_an_output_depends_on():
    """A 3×3 convolution with stride 2 and padding 1, then a 2×2 pooling: from pixel -1 to 3, in steps of 4."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.MaxPool2d(2))
    down, across = output_field(network, (1, 16, 24))
    assert (down.low, down.high, down.step, down.length) == (-1, 3, 4, 4)
    assert (across.low, across.high, across.step, across.length) == (-1, 3, 4, 6)


def test_a_layer_used_twice_costs_twice_but_has_its_parameters_once():
    layer = nn.Conv2d(3, 3, 3, padding=1)
    cost = complexity(nn.Sequential(layer, nn.ReLU(), layer), (3, 8, 8))
    assert cost.parameters == 3 * 3 * 9 + 3
    assert cost.macs == 2 * 8 * 8 * 3 * 3 * 9


def test_an_input_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match=r"shape \(1, 3, 32, 32\): this network takes \(N, 1, 32, 32\)"):
        complexity(build_model("lenet5"), (3, 32, 32))
