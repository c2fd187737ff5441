"""BatchNorm and ReLU as a clamp: the same function for every sign of the scale; one buffer for a block's maps."""

from __future__ import annotations

import pytest
import torch
from tests.models.parity import disturb
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.classification.densenet import DenseBlock, Transition
from hubel.models.classification.densenet_prediction import ClampedConvolution, PredictingDenseBlock
from hubel.models.folding import fold_batch_norm

SCALES = [0.7, -0.4, 0.0, 1e-300, 1e-7, -1e-7, 2.0, -3.0]


def norm_with_any_scale(affine: bool = True) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(SCALES), affine=affine).double().eval()
    disturb(norm)
    if affine:
        norm.weight.data = torch.tensor(SCALES, dtype=torch.float64)
    return norm


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_clamp_and_a_convolution_do_what_batch_norm_relu_and_convolution_do(affine: bool, bias: bool):
    torch.manual_seed(0)
    norm = norm_with_any_scale(affine)
    convolution = nn.Conv2d(len(SCALES), 5, 1, bias=bias).double()
    x = torch.randn(2, len(SCALES), 4, 6, dtype=torch.float64) * 3
    clamped = ClampedConvolution(norm, convolution)
    torch.testing.assert_close(clamped(x), convolution(F.relu(norm(x))), rtol=0, atol=1e-12)


def test_where_the_scale_is_zero_the_shift_counts_and_the_input_does_not():
    norm = nn.BatchNorm2d(2).eval()
    norm.weight.data.zero_()
    norm.bias.data = torch.tensor([0.5, -0.5])
    convolution = nn.Conv2d(2, 1, 1, bias=False)
    nn.init.ones_(convolution.weight)
    for x in (torch.randn(1, 2, 3, 3), torch.full((1, 2, 3, 3), 1e30)):
        torch.testing.assert_close(ClampedConvolution(norm, convolution)(x), torch.full((1, 1, 3, 3), 0.5))


def test_a_transition_may_average_first():
    torch.manual_seed(0)
    transition = Transition(8, 4).double().eval()
    disturb(transition)
    x = torch.randn(2, 8, 7, 6, dtype=torch.float64)  # a row is left over
    torch.testing.assert_close(transition.for_prediction()(x), transition(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_block_writes_into_one_buffer_in_the_format_of_its_input(layout: torch.memory_format):
    torch.manual_seed(0)
    block = DenseBlock(6, 3, 4).double().eval()
    disturb(block)
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64).contiguous(memory_format=layout)
    predicting = fold_batch_norm(nn.Sequential(block), (6, 5, 5))[0]
    assert isinstance(predicting, PredictingDenseBlock)
    made, before = predicting(x), x.clone()
    assert made.is_contiguous(memory_format=layout)
    torch.testing.assert_close(made, block(x), rtol=0, atol=1e-12)
    assert torch.equal(x, before)


def test_a_block_whose_batch_norms_cannot_be_folded_stays():
    class TwiceRun(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = DenseBlock(4, 2, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.block(x)[:, :4] + self.block(x)[:, 4:8]

    network = TwiceRun().double()
    disturb(network)
    network.eval()
    folded = fold_batch_norm(network, (4, 5, 5))
    assert isinstance(folded.block, DenseBlock)
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(folded(x), network(x), rtol=0, atol=1e-12)


def test_a_block_without_bottlenecks_stays():
    block = DenseBlock(4, 2, 4, bottleneck=False).eval()
    assert block.for_prediction() is block
