"""Every coding against its formula, and decoding what was encoded."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.boxes.by_loops import Box, as_tensor, full_boxes
from torchvision.models.detection._utils import BoxCoder

from hubel.nn.boxes import (
    decode_deltas,
    decode_distances,
    decode_in_grid,
    decode_logistic,
    encode_deltas,
    encode_distances,
    encode_in_grid,
    encode_logistic,
)

FAST_RCNN = (10.0, 10.0, 5.0, 5.0)
some_boxes = st.lists(full_boxes, min_size=1, max_size=5)


def test_deltas_by_hand() -> None:
    anchor = torch.tensor([[10.0, 20, 30, 60]])  # centre (20, 40), 20 wide and 40 high
    box = torch.tensor([[20.0, 30, 60, 50]])  # centre (40, 40), 40 wide and 20 high
    expected = torch.tensor([[1.0, 0.0, math.log(2), -math.log(2)]])
    torch.testing.assert_close(encode_deltas(box, anchor), expected)
    torch.testing.assert_close(encode_deltas(box, anchor, FAST_RCNN), expected * torch.tensor(FAST_RCNN))


@settings(max_examples=50)
@given(rows=some_boxes, anchor=full_boxes, weights=st.sampled_from([(1.0, 1.0, 1.0, 1.0), FAST_RCNN]))
def test_deltas_are_torchvisions_and_lead_back(rows: list[Box], anchor: Box, weights: tuple[float, ...]) -> None:
    boxes, anchors = as_tensor(rows), as_tensor([anchor]).expand(len(rows), 4)
    codes = encode_deltas(boxes, anchors, weights)
    coder = BoxCoder(weights)
    torch.testing.assert_close(codes, coder.encode_single(boxes, anchors))
    torch.testing.assert_close(decode_deltas(codes, anchors, weights, max_log_scale=9), boxes)
    torch.testing.assert_close(decode_deltas(codes, anchors, weights), coder.decode_single(codes, anchors))


def test_deltas_that_would_overflow_are_clamped() -> None:
    anchor = torch.tensor([[0.0, 0, 16, 16]])
    wild = torch.tensor([[0.0, 0, 1e4, -1e4]], requires_grad=True)
    box = decode_deltas(wild, anchor)
    torch.testing.assert_close(box.detach(), torch.tensor([[8.0 - 500, 8, 8 + 500, 8]]))
    (gradient,) = torch.autograd.grad(box.sum(), wild)
    assert gradient.isfinite().all()


def test_boxes_without_a_logarithm_are_counted() -> None:
    boxes, anchors = torch.tensor([[0.0, 0, 4, 4], [1, 1, 1, 5], [5, 5, 3, 9]]), torch.tensor([[0.0, 0, 4, 4]])
    with pytest.raises(ValueError, match=r"^2 of 3 boxes have no width or no height: expected x2 > x1 and y2 > y1"):
        encode_deltas(boxes, anchors)
    with pytest.raises(ValueError, match=r"^2 of 3 anchors have no width"):
        encode_deltas(anchors, boxes)


def test_grid_cells_by_hand() -> None:
    """YOLO's 7×7 grid over 448×448: the box's centre (100, 224) lies in row 3 and column 1, 64 pixels wide."""
    boxes = torch.tensor([[50.0, 200, 150, 248]])
    cells, codes = encode_in_grid(boxes, (448, 448), (7, 7))
    assert cells.tolist() == [[3, 1]]
    torch.testing.assert_close(codes, torch.tensor([[36 / 64, 0.5, 100 / 448, 48 / 448]]))
    torch.testing.assert_close(decode_in_grid(codes, cells, (448, 448), (7, 7)), boxes)


@settings(max_examples=50)
@given(rows=some_boxes, rows_of_cells=st.integers(1, 9), columns=st.integers(1, 9))
def test_grid_cells_hold_the_centres_and_lead_back(rows: list[Box], rows_of_cells: int, columns: int) -> None:
    boxes, size, grid = as_tensor(rows).abs(), (10, 20), (rows_of_cells, columns)
    boxes = torch.cat([boxes[:, :2].minimum(boxes[:, 2:]), boxes[:, :2].maximum(boxes[:, 2:])], dim=1)
    cells, codes = encode_in_grid(boxes, size, grid)
    assert (cells >= 0).all()
    assert (cells < torch.tensor(grid)).all()
    assert (codes >= 0).all()
    assert (codes[:, :3] <= 1 + 1e-9).all()
    torch.testing.assert_close(decode_in_grid(codes, cells, size, grid), boxes)
    for (row, column), box in zip(cells.tolist(), boxes.tolist(), strict=True):
        assert column == min(int((box[0] + box[2]) / 2 / 20 * columns), columns - 1)
        assert row == min(int((box[1] + box[3]) / 2 / 10 * rows_of_cells), rows_of_cells - 1)


def test_logistic_codes_by_hand() -> None:
    codes = torch.tensor([[0.0, math.log(3), 0.0, math.log(2)]])  # σ = 1/2 and 3/4 of a cell
    box = decode_logistic(codes, torch.tensor([[2, 5]]), torch.tensor([[20.0, 30]]), 32)
    centre = (5.5 * 32, 2.75 * 32)
    torch.testing.assert_close(box, torch.tensor([[centre[0] - 10, centre[1] - 30, centre[0] + 10, centre[1] + 30]]))


@settings(max_examples=50)
@given(rows=some_boxes, stride=st.sampled_from([1, 3, 8]), prior=st.tuples(st.floats(0.5, 20), st.floats(0.5, 20)))
def test_logistic_codes_lead_back(rows: list[Box], stride: int, prior: tuple[float, float]) -> None:
    boxes, priors = as_tensor(rows), torch.tensor(prior, dtype=torch.float64)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    cells = (centres / stride).floor().flip(-1)
    codes = encode_logistic(boxes, cells, priors, stride)
    assert codes.isfinite().all()
    again = decode_logistic(codes, cells, priors, stride, max_log_scale=9)
    torch.testing.assert_close(again, boxes, rtol=1e-9, atol=1e-5 * stride)  # a millionth of a cell at its border


@settings(max_examples=50)
@given(rows=some_boxes, x=st.floats(-9, 9), y=st.floats(-9, 9))
def test_distances_are_those_to_the_sides(rows: list[Box], x: float, y: float) -> None:
    boxes, point = as_tensor(rows), torch.tensor([x, y], dtype=torch.float64)
    codes = encode_distances(boxes, point)
    assert codes.tolist() == [[x - box[0], y - box[1], box[2] - x, box[3] - y] for box in rows]
    inside = [(box[0] < x < box[2]) and (box[1] < y < box[3]) for box in rows]
    assert (codes > 0).all(dim=1).tolist() == inside
    torch.testing.assert_close(decode_distances(codes, point), boxes)
