"""Sizes and parameters by formula, against tables worked by hand and against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from hubel.nn import convolution_parameters, dense_parameters, output_size, transposed_output_size

small = st.integers(1, 5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [
        (32, 5, 1, 0, 28),  # LeNet-5, C1
        (28, 2, 2, 0, 14),  # and S2
        (227, 11, 4, 0, 55),  # AlexNet, conv1
        (224, 11, 4, 2, 55),  # the same from 224
        (224, 11, 4, 0, 54),  # and what 224 gives without padding
        (55, 3, 2, 0, 27),  # overlapping pooling
        (224, 3, 1, 1, 224),  # VGG
        (224, 7, 2, 3, 112),  # ResNet, conv1
        (112, 3, 2, 1, 56),  # and its pool
        (7, 3, 1, "valid", 5),
        (7, 4, 1, "same", 7),
        (7, 3, 2, "same", 4),
        (1, 1, 1, 0, 1),
    ],
)
def test_output_size(size: int, kernel: int, stride: int, padding: int | str, expected: int):
    assert output_size(size, kernel, stride, padding) == expected


@given(size=st.integers(1, 20), kernel=small, stride=small, padding=st.integers(0, 4), dilation=small)
def test_output_size_is_that_of_torchs_convolution(size: int, kernel: int, stride: int, padding: int, dilation: int):
    x, weight = torch.empty(1, 1, size, device="meta"), torch.empty(1, 1, kernel, device="meta")
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        with pytest.raises(ValueError, match=rf"^a kernel of {kernel} with dilation {dilation} spans .* size {size} "):
            output_size(size, kernel, stride, padding, dilation)
    else:
        length = F.conv1d(x, weight, stride=stride, padding=padding, dilation=dilation).shape[-1]
        assert output_size(size, kernel, stride, padding, dilation) == length


@given(
    size=st.integers(1, 20),
    kernel=small,
    stride=small,
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
)
def test_output_size_is_that_of_torchs_pooling(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
):
    assume(padding <= kernel // 2)
    layer = nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    try:
        length = layer(torch.zeros(1, 1, size)).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match=r"^a kernel of "):
            output_size(size, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    else:
        assert output_size(size, kernel, stride, padding, dilation, ceil_mode=ceil_mode) == length


@pytest.mark.filterwarnings("ignore:Using padding=.same.:UserWarning")
@given(size=st.integers(1, 20), kernel=small, dilation=small)
def test_same_is_that_of_torchs_convolution(size: int, kernel: int, dilation: int):
    x, weight = torch.empty(1, 1, size, device="meta"), torch.empty(1, 1, kernel, device="meta")
    length = F.conv1d(x, weight, padding="same", dilation=dilation).shape[-1]
    assert output_size(size, kernel, padding="same", dilation=dilation) == length == size


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "output_padding", "expected"),
    [
        (28, 2, 2, 0, 1, 0, 56),  # U-Net's up-convolution
        (4, 4, 2, 1, 1, 0, 8),  # DCGAN's generator
        (1, 4, 1, 0, 1, 0, 4),  # and its first layer
        (7, 3, 2, 1, 1, 1, 14),
        (5, 3, 1, 0, 2, 0, 9),
    ],
)
def test_transposed_output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output_padding: int, expected: int
):
    assert transposed_output_size(size, kernel, stride, padding, dilation, output_padding) == expected


@given(
    size=st.integers(1, 9),
    kernel=small,
    stride=small,
    padding=st.integers(0, 4),
    dilation=small,
    output_padding=st.integers(0, 4),
)
def test_transposed_output_size_is_torchs_and_the_convolution_leads_back(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output_padding: int
):
    assume(output_padding < max(stride, dilation))
    values = (size, kernel, stride, padding, dilation, output_padding)
    layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, output_padding, dilation=dilation, device="meta")
    try:
        length = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match=rf"^a padding of {padding} leaves -?\d+ of the output"):
            transposed_output_size(*values)
    else:
        assert transposed_output_size(*values) == length
        if output_padding < stride:
            assert output_size(length, kernel, stride, padding, dilation) == size


@given(in_channels=small, out_channels=small, kernel=small, groups=st.integers(1, 3), bias=st.booleans())
def test_parameters_are_those_of_torchs_layers(
    in_channels: int, out_channels: int, kernel: int, groups: int, bias: bool
):
    in_channels, out_channels = in_channels * groups, out_channels * groups
    convolution = nn.Conv2d(in_channels, out_channels, kernel, groups=groups, bias=bias, device="meta")
    count = sum(parameter.numel() for parameter in convolution.parameters())
    assert convolution_parameters(in_channels, out_channels, kernel, groups=groups, bias=bias) == count
    dense = nn.Linear(in_channels, out_channels, bias=bias, device="meta")
    assert dense_parameters(in_channels, out_channels, bias=bias) == sum(p.numel() for p in dense.parameters())


def test_shared_weights_are_few():
    """A 3×3 convolution from 3 to 64 channels, and a dense layer between the same maps of 32×32."""
    assert convolution_parameters(3, 64, 3) == 3 * 3 * 3 * 64 + 64 == 1_792
    assert dense_parameters(3 * 32 * 32, 64 * 32 * 32) == 32**4 * 3 * 64 + 64 * 32 * 32 == 201_392_128


@pytest.mark.parametrize(("layer", "parameters"), [((1, 64, 7), 3_200), ((96, 256, 5, 2), 307_456)])
def test_convolution_parameters_of_known_layers(layer: tuple[int, ...], parameters: int):
    in_channels, out_channels, kernel, *groups = layer
    assert convolution_parameters(in_channels, out_channels, kernel, groups=groups[0] if groups else 1) == parameters


def test_mistakes_are_said():
    with pytest.raises(ValueError, match=r"^stride is 0: expected at least 1$"):
        output_size(8, 3, 0)
    with pytest.raises(ValueError, match=r"^padding is -1: expected at least 0$"):
        output_size(8, 3, 1, -1)
    with pytest.raises(ValueError, match=r"^padding is 'full': expected a number, 'same' or 'valid'$"):
        output_size(8, 3, 1, "full")
    with pytest.raises(ValueError, match=r"^a kernel of 3 with dilation 4 spans 9: more than the size 5 .* of 1 on"):
        output_size(5, 3, 1, 1, 4)
    with pytest.raises(ValueError, match=r"^output_padding is 2: expected less than the stride 2 or the dilation 1$"):
        transposed_output_size(5, 3, 2, 1, 1, 2)
    with pytest.raises(ValueError, match=r"^3 groups came: expected a divisor of 6 and of 8 channels$"):
        convolution_parameters(6, 8, 3, groups=3)
