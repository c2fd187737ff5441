"""Anchors by hand and against torchvision's generator."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from hubel.nn.boxes import anchor_shapes, area, map_anchors, map_points


def test_shapes_by_hand() -> None:
    """Of one area each, the first ratio first; a ratio of 4 is four times as high as wide."""
    shapes = anchor_shapes([16, 32], [1, 4])
    expected = [[-8, -8, 8, 8], [-16, -16, 16, 16], [-4, -16, 4, 16], [-8, -32, 8, 32]]
    assert shapes.tolist() == expected
    assert area(shapes).tolist() == [256, 1024, 256, 1024]


def test_points_by_hand() -> None:
    assert map_points((2, 3), 8).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    assert map_points((1, 2), (4, 8), offset=0).tolist() == [[0, 0], [8, 0]]
    assert map_anchors((1, 2), 10, torch.tensor([[-1.0, -2, 1, 2]])).tolist() == [[4, 3, 6, 7], [14, 3, 16, 7]]


@pytest.mark.parametrize("size", [(2, 3), (5, 1)])
def test_anchors_are_those_of_torchvision(size: tuple[int, int]) -> None:
    sizes, ratios = (32.0, 64.0, 100.0), (0.5, 1.0, 2.0)
    picture = (size[0] * 16, size[1] * 16)
    theirs = AnchorGenerator((sizes,), (ratios,))(
        ImageList(torch.zeros(1, 3, *picture), [picture]), [torch.zeros(1, 8, *size)]
    )[0]
    ours = map_anchors(size, 16, anchor_shapes(sizes, ratios, rounded=True), offset=0)
    assert torch.equal(ours, theirs)


def test_no_sizes_and_no_stride_are_refused() -> None:
    for sizes, ratios in (([], [1.0]), ([8.0], [0.0])):
        with pytest.raises(ValueError, match=r"expected one or more of each, above 0$"):
            anchor_shapes(sizes, ratios)
    with pytest.raises(ValueError, match=r"^a map of 0×3 with stride 8 came: expected at least 1 of each$"):
        map_points((0, 3), 8)
