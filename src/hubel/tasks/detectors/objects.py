"""What a detector reports of a picture, and checks of the objects that it is compared with."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hubel.data.targets import Objects

__all__ = ["Detections", "Objects", "check_objects"]


class Detections(NamedTuple):
    """What a detector reports of one picture, the highest score first.

    Attributes:
        boxes: float (D, 4), `xyxy` in pixels.
        labels: int64 (D,), from 0.
        scores: float (D,), 0 to 1.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor


def check_objects(objects: list[Objects], pictures: int, num_classes: int) -> None:
    """Raise a ValueError that says which picture's objects do not fit the outputs.

    Args:
        objects: Picture by picture.
        pictures: How many pictures there are outputs of.
        num_classes: How many classes the network tells apart.
    """
    if len(objects) != pictures:
        raise ValueError(f"the objects of {len(objects)} pictures came with outputs of {pictures}")
    for number, (boxes, labels) in enumerate(objects):
        if boxes.shape != (len(labels), 4):
            raise ValueError(
                f"picture {number} of the batch has boxes of shape {tuple(boxes.shape)} and {len(labels)} labels: "
                f"expected ({len(labels)}, 4)"
            )
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ValueError(
                f"picture {number} of the batch has labels {int(labels.min())} to {int(labels.max())}: "
                f"expected 0 to {num_classes - 1}"
            )
        if not bool((boxes[:, 2:] > boxes[:, :2]).all()):
            raise ValueError(f"picture {number} of the batch has a box without width or height: leave such boxes out")
