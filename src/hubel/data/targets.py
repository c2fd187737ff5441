"""What a batch has beside its pictures, where a label is more than a number: objects, in the pixels of the input."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hubel.data.labels import ObjectsLabel
from hubel.preprocessing import Placement


class Objects(NamedTuple):
    """The objects of one picture; there may be none.

    Attributes:
        boxes: float (G, 4), `xyxy` in pixels, with a width and a height.
        labels: int64 (G,): their classes, from 0.
    """

    boxes: Tensor
    labels: Tensor

    @classmethod
    def none(cls, device: torch.device | str | None = None) -> Objects:
        """A picture without objects."""
        return cls(torch.zeros(0, 4, device=device), torch.zeros(0, dtype=torch.int64, device=device))


def objects_in(label: ObjectsLabel, placement: Placement, size: tuple[int, int]) -> Objects:
    """The objects of a label as a network is to find them.

    Boxes are cut off at the input's edges; what lies outside is left out, and so is what does not count.

    Args:
        label: Of the picture.
        placement: Where the picture lies in the input.
        size: Height and width of the input.

    Returns:
        Boxes float32, in pixels of the input.
    """
    height, width = size
    counts = ~torch.tensor(label.ignored, dtype=torch.bool)
    boxes = torch.tensor(label.boxes, dtype=torch.float64).reshape(-1, 4)[counts]
    labels = torch.tensor(label.classes, dtype=torch.int64)[counts]
    limits = boxes.new_tensor([width, height, width, height])
    boxes = placement.to_input(boxes).clamp(min=0).minimum(limits).float()
    inside = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return Objects(boxes[inside], labels[inside])
