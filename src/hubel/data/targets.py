"""What a batch is made of: pictures, and what a network is to say of them, in the pixels of its input."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hubel.data.labels import Labelling, ObjectsLabel
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


class Batch(NamedTuple):
    """Pictures and labels.

    Attributes:
        images: uint8 of shape (N, H, W, C); `Preprocess.normalise` makes the network's input of it.
        labels: What `hubel.data.labels.label_array` makes of the labels, as a tensor (N, ...); of boxes, each picture's
            objects in the pixels of its image; of masks, int64 (N, H, W), 255 where no class counts.
        indices: int64 of shape (N,): positions in the store.
    """

    images: Tensor
    labels: Tensor | list[Objects]
    indices: Tensor

    def pinned(self) -> Batch:
        """The same in page-locked memory."""
        labels = self.labels
        if isinstance(labels, Tensor):
            labels = labels.pin_memory()
        else:
            labels = [Objects(boxes.pin_memory(), classes.pin_memory()) for boxes, classes in labels]
        return Batch(self.images.pin_memory(), labels, self.indices.pin_memory())


def are_dense(labelling: Labelling) -> bool:
    """Whether labels lie in the picture, and move with it."""
    return labelling in ("boxes", "mask")


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
