"""Transposed convolutions: the adjoint of a convolution, and interpolation as a special case."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from hubel.nn import bilinear_upsampling, output_size, transposed_output_size


@given(
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
)
@settings(max_examples=40)
def test_a_transposed_convolution_is_the_adjoint(
    size: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int, groups: int
):
    """⟨Ax, y⟩ = ⟨x, A'y⟩ for every x and y, with the same kernel in both layers."""
    assume(min(size) + 2 * padding >= dilation * (kernel - 1) + 1)
    layout = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": False}
    convolution = nn.Conv2d(4, 6, kernel, **layout).double()
    small = tuple(output_size(n, kernel, stride, padding, dilation) for n in size)
    least = tuple(transposed_output_size(n, kernel, stride, padding, dilation) for n in small)
    rest = tuple(n - m for n, m in zip(size, least, strict=True))
    transposed = nn.ConvTranspose2d(6, 4, kernel, output_padding=rest, **layout).double()
    with torch.no_grad():
        transposed.weight.copy_(convolution.weight)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    y = torch.randn(2, 6, *small, dtype=torch.float64)
    assert transposed(y).shape == x.shape
    torch.testing.assert_close((convolution(x) * y).sum(), (x * transposed(y)).sum())


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
def test_starts_as_bilinear_interpolation_away_from_the_border(factor: int):
    x = torch.randn(2, 3, 6, 7)
    ours = bilinear_upsampling(3, factor)(x)
    theirs = F.interpolate(x, scale_factor=factor, mode="bilinear")
    assert ours.shape == theirs.shape == (2, 3, 6 * factor, 7 * factor)
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(ours[inside], theirs[inside])
    if factor > 1:
        assert not torch.allclose(ours, theirs)  # at the border zeros count, there the last pixel


def test_learnable_kernels_move_and_fixed_ones_do_not():
    x, target = torch.randn(1, 2, 5, 5), torch.randn(1, 2, 10, 10)
    learnable, fixed = bilinear_upsampling(2, 2), bilinear_upsampling(2, 2, learnable=False)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    start = learnable.weight.detach().clone()
    assert torch.equal(start, fixed.weight)
    optimizer = torch.optim.SGD(learnable.parameters(), lr=1e-3)
    before = F.mse_loss(learnable(x), target)
    before.backward()
    optimizer.step()
    assert F.mse_loss(learnable(x), target) < before
    assert not torch.equal(learnable.weight, start)


def test_mistakes_are_said():
    with pytest.raises(ValueError, match=r"^channels is 3 and factor 0: expected at least 1$"):
        bilinear_upsampling(3, 0)
