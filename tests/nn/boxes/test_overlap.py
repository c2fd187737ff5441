"""Area, clipping and the IoU measures against plain loops and torchvision; gradients where boxes degenerate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.boxes import by_loops
from tests.nn.boxes.by_loops import Box, as_tensor, boxes, full_boxes
from torch import Tensor
from torchvision import ops

from hubel.nn.boxes import area, ciou, clip, diou, giou, iou, pairwise, pairwise_iou

Measure = Callable[[Tensor, Tensor], Tensor]
MEASURES = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}
each_measure = pytest.mark.parametrize("name", MEASURES)
lists = st.lists(boxes, min_size=1, max_size=5)


@each_measure
@settings(max_examples=60)
@given(first=lists, second=lists)
def test_measures_are_their_definitions(name: str, first: list[Box], second: list[Box]) -> None:
    measure, loop = MEASURES[name], getattr(by_loops, name)
    every = pairwise(measure, as_tensor(first), as_tensor(second))
    expected = torch.tensor([[loop(a, b) for b in second] for a in first], dtype=torch.float64)
    torch.testing.assert_close(every, expected, rtol=1e-12, atol=1e-12)
    count = min(len(first), len(second))
    by_element = measure(as_tensor(first[:count]), as_tensor(second[:count]))
    torch.testing.assert_close(by_element, expected.diagonal()[:count], rtol=1e-12, atol=1e-12)


@settings(max_examples=60)
@given(first=st.lists(full_boxes, min_size=1, max_size=5), second=st.lists(full_boxes, min_size=1, max_size=5))
def test_measures_are_those_of_torchvision(first: list[Box], second: list[Box]) -> None:
    one, other = as_tensor(first), as_tensor(second)
    torch.testing.assert_close(pairwise_iou(one, other), ops.box_iou(one, other))
    torch.testing.assert_close(pairwise(giou, one, other), ops.generalized_box_iou(one, other))
    torch.testing.assert_close(pairwise(diou, one, other), ops.distance_box_iou(one, other), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(pairwise(ciou, one, other), ops.complete_box_iou(one, other), rtol=1e-6, atol=1e-6)


@settings(max_examples=60)
@given(a=boxes, b=boxes)
def test_measures_are_symmetric_and_bounded(a: Box, b: Box) -> None:
    one, other = as_tensor([a]), as_tensor([b])
    for measure in MEASURES.values():
        assert torch.equal(measure(one, other), measure(other, one))
    assert 0 <= iou(one, other) <= 1
    for measure in (giou, diou):
        assert -1 <= measure(one, other) <= iou(one, other)
    if area(one) > 0:
        assert all(measure(one, one) == 1 for measure in MEASURES.values())


DEGENERATE = {
    "a point and itself": ((3, 3, 3, 3), (3, 3, 3, 3)),
    "two points": ((3, 3, 3, 3), (5, 5, 5, 5)),
    "a line and itself": ((0, 2, 4, 2), (0, 2, 4, 2)),
    "two lines": ((2, 0, 2, 4), (3, 0, 3, 4)),
    "a point in a box": ((3, 3, 3, 3), (0, 0, 8, 8)),
    "corners the wrong way round": ((8, 8, 0, 0), (0, 0, 8, 8)),
    "both the wrong way round": ((8, 8, 0, 0), (9, 9, 1, 1)),
    "boxes that touch": ((0, 0, 2, 2), (2, 0, 4, 2)),
    "the same box": ((0, 0, 2, 2), (0, 0, 2, 2)),
    "sides of 1e-25": ((0, 0, 1e-25, 1e-25), (0, 0, 2e-25, 1e-25)),
    "sides of 1e15": ((0, 0, 1e15, 1e15), (1e14, 0, 2e15, 1e15)),
}


@each_measure
@pytest.mark.parametrize("case", DEGENERATE)
def test_gradients_of_degenerate_boxes_are_finite(name: str, case: str) -> None:
    for order in (1, -1):
        first, second = (
            torch.tensor([box], dtype=torch.float32, requires_grad=True) for box in DEGENERATE[case][::order]
        )
        value = MEASURES[name](first, second)
        value.sum().backward()
        assert value.isfinite().all()
        assert first.grad is not None
        assert second.grad is not None
        assert first.grad.isfinite().all()
        assert second.grad.isfinite().all()


@each_measure
def test_gradients_are_the_numerical_ones(name: str) -> None:
    generator = torch.Generator().manual_seed(3)
    low = torch.rand(8, 2, 2, dtype=torch.float64, generator=generator)
    first, second = torch.cat([low, low + 0.2 + torch.rand_like(low)], dim=-1).unbind(1)
    first.requires_grad_()
    if name != "ciou":  # whose weight counts as a constant
        assert torch.autograd.gradcheck(MEASURES[name], (first, second))
        return
    (gradient,) = torch.autograd.grad(ciou(first, second).sum(), first)
    theirs = first.detach().clone().requires_grad_()
    loss = ops.complete_box_iou_loss(theirs, second, reduction="sum")
    (expected,) = torch.autograd.grad(-loss, theirs)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


def test_boxes_that_do_not_touch_are_pulled_together() -> None:
    first, second = torch.tensor([0.0, 0, 2, 2], requires_grad=True), torch.tensor([5.0, 0, 7, 2])
    assert iou(first, second) == 0
    (by_iou,) = torch.autograd.grad(iou(first, second), first)
    assert not by_iou.any()
    for measure in (giou, diou, ciou):
        (pull,) = torch.autograd.grad(measure(first, second), first)
        assert pull[0] + pull[2] > 0  # to the right


def test_halves_and_integers_are_measured_in_float32() -> None:
    box = torch.tensor([[0, 0, 1000, 1000]])
    assert area(box.half()).item() == 1_000_000  # beyond what a half can hold
    assert pairwise_iou(box, box // 2).item() == pytest.approx(0.25)
    assert iou(box.bfloat16(), box.bfloat16()).dtype == torch.float32


def test_no_boxes_are_good_input() -> None:
    nothing, one = torch.zeros(0, 4), torch.ones(3, 4)
    assert pairwise_iou(nothing, one).shape == (0, 3)
    assert pairwise_iou(one, nothing).shape == (3, 0)
    assert area(nothing).shape == (0,)


@settings(max_examples=60)
@given(rows=lists, height=st.integers(1, 9), width=st.integers(1, 9))
def test_clipped_boxes_are_the_part_in_the_picture(rows: list[Box], height: int, width: int) -> None:
    clipped = clip(as_tensor(rows), (height, width))
    picture = (0.0, 0.0, float(width), float(height))
    assert area(clipped).tolist() == [by_loops.shared(row, picture) for row in rows]
    assert (clipped >= 0).all()
    assert (clipped <= torch.tensor([width, height, width, height])).all()


def test_another_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"^boxes of shape \(3, 5\) came: expected \(\.\.\., 4\)$"):
        area(torch.zeros(3, 5))
