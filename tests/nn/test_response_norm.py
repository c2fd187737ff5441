"""Local response normalisation against its formula, PyTorch's layer and numerical gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hubel.nn import LocalResponseNorm


def by_loops(a: Tensor, n: int, alpha: float, beta: float, k: float) -> Tensor:
    """The paper's formula, channel by channel; its N is the number of channels."""
    b, channels = torch.empty_like(a), a.shape[1]
    for i in range(channels):
        neighbours = range(max(0, i - n // 2), min(channels - 1, i + n // 2) + 1)
        total = sum(a[:, j] ** 2 for j in neighbours)
        b[:, i] = a[:, i] / (k + alpha * total) ** beta
    return b


@given(
    channels=st.integers(1, 12),
    size=st.sampled_from([1, 3, 5, 7, 9]),
    alpha=st.floats(1e-5, 1),
    beta=st.sampled_from([0.5, 0.75, 1.0]),
    k=st.floats(0.5, 3),
    channels_last=st.booleans(),
    training=st.booleans(),
)
@settings(max_examples=60)
def test_is_the_papers_formula(
    channels: int, size: int, alpha: float, beta: float, k: float, channels_last: bool, training: bool
):
    x = 10 * torch.randn(2, channels, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(channels))
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    result = LocalResponseNorm(size, alpha, beta, k)(x.requires_grad_(training))
    torch.testing.assert_close(result.detach(), by_loops(x.detach(), size, alpha, beta, k))
    assert result.requires_grad == training


def test_pytorch_divides_alpha_by_the_size():
    x = 30 * torch.randn(2, 96, 5, 5, dtype=torch.float64, requires_grad=True)
    ours = LocalResponseNorm()
    assert (ours.size, ours.alpha, ours.beta, ours.k) == (5, 1e-4, 0.75, 2.0)
    same = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(ours(x), same(x))
    direction = torch.randn_like(x)
    gradients = [torch.autograd.grad((norm(x) * direction).sum(), x)[0] for norm in (ours, same)]
    torch.testing.assert_close(*gradients)
    assert not torch.allclose(ours(x), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)(x), rtol=1e-3)


@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_first_and_second_gradients_are_the_numerical_ones(beta: float):
    layer = LocalResponseNorm(3, alpha=0.3, beta=beta, k=1.5)
    x = torch.randn(2, 5, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_has_sums_that_float16_has_not(dtype: torch.dtype):
    x = torch.tensor([300.0, -200.0, 1.0, 0.0], dtype=dtype).view(1, 4, 1, 1).requires_grad_()
    wide = x.detach().double().requires_grad_()
    layer = LocalResponseNorm()
    results = [layer(x), layer(wide)]
    gradients = [torch.autograd.grad(result.sum(), each)[0] for result, each in zip(results, (x, wide), strict=True)]
    for half, exact in (results, gradients):
        assert half.dtype == dtype
        torch.testing.assert_close(half.double(), exact, rtol=1e-2, atol=1e-4)


def test_keeps_its_input_and_the_memory_format():
    x = torch.rand(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    for training in (False, True):
        result = LocalResponseNorm()(x.requires_grad_(training))
        assert result.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(x, before)


def test_a_strong_neighbour_damps():
    x = torch.zeros(1, 7, 1, 1)
    x[0, 2] = 1.0
    alone = LocalResponseNorm()(x)[0, 2]
    x[0, 4] = 100.0  # two channels on
    assert LocalResponseNorm()(x)[0, 2] < alone
    x[0, 4], x[0, 5] = 0.0, 100.0  # three channels on is no neighbour
    assert LocalResponseNorm()(x)[0, 2] == alone


def test_mistakes_are_said():
    with pytest.raises(ValueError, match=r"^size is 4: expected an odd number of channels$"):
        LocalResponseNorm(4)
    with pytest.raises(ValueError, match=r"^k is 0: expected more than 0"):
        LocalResponseNorm(k=0)
