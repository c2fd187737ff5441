"""Other views of pictures whose boxes are looked for: turned, mirrored, smaller, larger; and the boxes' way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.errors import ConfigError

if TYPE_CHECKING:
    from hubel.tasks.views import Views

Size = tuple[int, int]

# Of `multi-scale`: objects that are rather small or rather large for the network are so no more in one of these.
SCALES = (1.0, 0.75, 1.25)

# Sides of a scaled view are multiples of it, the coarsest stride of the detectors.
_MULTIPLE = 32


@dataclass(frozen=True)
class BoxView:
    """A view of all of the input: scaled, then turned, then mirrored.

    Attributes:
        scale: Of its sides, about: they are rounded to what networks like.
        turns: Quarter turns anticlockwise, 0 to 3.
        mirrored: Whether left and right are exchanged.
    """

    scale: float = 1.0
    turns: int = 0
    mirrored: bool = False

    def of(self, images: Tensor) -> Tensor:
        """The view of images (N, C, H, W): (N, C, h, w), or (N, C, w, h) where it lies on its side."""
        if self.scale != 1:
            size = [max(1, round(side * self.scale / _MULTIPLE)) * _MULTIPLE for side in images.shape[2:]]
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        images = images.rot90(self.turns, (2, 3))
        return images.flip(3) if self.mirrored else images

    def back(self, boxes: Tensor, seen: Size, plain: Size) -> Tensor:
        """Boxes (D, 4), `xyxy` in pixels of a view of one height and width, in those of the input of another."""
        if self.mirrored:
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([seen[1] - x2, y1, seen[1] - x1, y2], dim=-1)
        for _ in range(self.turns):  # a quarter turn clockwise each
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([seen[0] - y2, x1, seen[0] - y1, x2], dim=-1)
            seen = seen[1], seen[0]
        down, across = plain[0] / seen[0], plain[1] / seen[1]
        return boxes * boxes.new_tensor([across, down, across, down])


def box_views(views: Views | None, *, any_size: bool = True) -> list[BoxView]:
    """The views that a name stands for; the plain one first.

    Args:
        views: Of `flip`, `turns`, `turns+flip`, `multi-scale` or `multi-scale+flip`; None: the plain one alone.
        any_size: Whether the network takes inputs of any size.

    Raises:
        ConfigError: Views of parts of the picture, or other sizes for a network of one size.
    """
    if views is None:
        return [BoxView()]
    if not views.whole:
        raise ConfigError(
            f"test-time augmentation '{views.name}' shows parts of a picture, but boxes are looked for in all of it: "
            "expected flip, turns or multi-scale"
        )
    if views.layout == "scales" and not any_size:
        raise ConfigError(
            f"test-time augmentation '{views.name}' came for a network that takes one size alone: expected flip or "
            "turns"
        )
    return [BoxView(*each) for each in views.of_whole(SCALES)]
