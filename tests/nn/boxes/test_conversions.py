"""The ways to write a box, there and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.boxes.by_loops import Box, as_tensor, boxes
from torchvision.ops import box_convert

from hubel.nn.boxes import cxcywh_to_xyxy, to_absolute, to_relative, xywh_to_xyxy, xyxy_to_cxcywh, xyxy_to_xywh


@settings(max_examples=50)
@given(rows=st.lists(boxes, max_size=4))
def test_conversions_are_torchvisions_and_lead_back(rows: list[Box]) -> None:
    corners = as_tensor(rows)
    assert torch.equal(xyxy_to_cxcywh(corners), box_convert(corners, "xyxy", "cxcywh"))
    assert torch.equal(xyxy_to_xywh(corners), box_convert(corners, "xyxy", "xywh"))
    assert torch.equal(cxcywh_to_xyxy(xyxy_to_cxcywh(corners)), corners)
    assert torch.equal(xywh_to_xyxy(xyxy_to_xywh(corners)), corners)


def test_relative_boxes_by_hand() -> None:
    box = torch.tensor([[[10, 20, 50, 40]]])  # in a picture 80 high and 100 wide
    relative = to_relative(box, (80, 100))
    torch.testing.assert_close(relative, torch.tensor([[[0.1, 0.25, 0.5, 0.5]]]))
    torch.testing.assert_close(to_absolute(relative, (80, 100)), box.float())
    torch.testing.assert_close(xyxy_to_cxcywh(relative), to_relative(xyxy_to_cxcywh(box), (80, 100)))


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the picture's height and width are 0 and 9: expected at least 1$"):
        to_relative(torch.zeros(1, 4), (0, 9))
