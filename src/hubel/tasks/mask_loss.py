"""The loss that a segmentation network trains on: parts by their names, added up, such as `cross_entropy+dice`.

U-Net's own (Ronneberger et al. 2015, equations 1 and 2) is `weighted+border`: the weight of a pixel is that of its
class, and more along the thin borders between objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hubel.tasks.segmentation_losses import (
    border_weights,
    pixel_cross_entropy,
    pixel_focal_loss,
    soft_dice_loss,
)

if TYPE_CHECKING:
    from hubel.data.labels import MaskLabel

_MOST_MASKS_COUNTED = 500


@dataclass(frozen=True)
class MaskLoss:
    """A loss of logits against masks.

    Attributes:
        parts: The names of what is added up, of `cross_entropy`, `weighted`, `dice`, `focal` and `border`.
        class_weights: What a pixel of each class counts in `weighted`; None where that is no part.
    """

    parts: tuple[str, ...] = ("cross_entropy",)
    class_weights: tuple[float, ...] | None = None

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        """The loss of logits (N, K, H, W) against masks int64 (N, H, W), 255 ignored: a float32 scalar."""
        of: dict[str, Callable[[], Tensor]] = {
            "cross_entropy": lambda: pixel_cross_entropy(logits, masks),
            "weighted": lambda: pixel_cross_entropy(logits, masks, class_weights=self.class_weights),
            "dice": lambda: soft_dice_loss(logits, masks),
            "focal": lambda: pixel_focal_loss(logits, masks),
            "border": lambda: pixel_cross_entropy(logits, masks, pixel_weights=_borders(masks)),
        }
        return torch.stack([of[part]() for part in self.parts]).sum()


def _borders(masks: Tensor) -> Tensor:
    """U-Net's weights of thin borders, float32 (N, H, W) on the masks' device; objects are cut where the masks end."""
    weights = np.stack([border_weights(mask) for mask in masks.cpu().numpy()])
    return torch.from_numpy(weights).to(masks.device)


def pixels_of_classes(labels: Sequence[MaskLabel], num_classes: int) -> tuple[int, ...]:
    """How many pixels of masks are of each class; of very many masks 500 are counted, evenly spaced.

    Args:
        labels: The masks.
        num_classes: Of the classes.

    Raises:
        DataError: A mask cannot be read.
    """
    counts = np.zeros(num_classes, np.int64)
    for label in labels[:: -(-len(labels) // _MOST_MASKS_COUNTED)]:
        counts += np.bincount(label.read().ravel(), minlength=num_classes)[:num_classes]
    return tuple(counts.tolist())
