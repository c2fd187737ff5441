"""The parts of a loss by name; what they are is tested with `hubel.tasks.segmentation_losses`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hubel.config import TrainConfig
from hubel.errors import ConfigError
from hubel.tasks.mask_loss import MaskLoss, pixels_of_classes
from hubel.tasks.segmentation_losses import (
    border_weights,
    pixel_cross_entropy,
    pixel_focal_loss,
    soft_dice_loss,
)

LOGITS = torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))
MASKS = torch.zeros(2, 12, 10, dtype=torch.int64)
MASKS[:, 2:5, 2:5], MASKS[:, 2:5, 7:9], MASKS[1, 8:, 3] = 1, 2, 255
WEIGHTS = (0.5, 2.0, 3.0)
BORDERS = torch.from_numpy(np.stack([border_weights(mask) for mask in MASKS.numpy()]))

PARTS = {
    "cross_entropy": pixel_cross_entropy(LOGITS, MASKS),
    "weighted": pixel_cross_entropy(LOGITS, MASKS, class_weights=WEIGHTS),
    "dice": soft_dice_loss(LOGITS, MASKS),
    "focal": pixel_focal_loss(LOGITS, MASKS),
    "border": pixel_cross_entropy(LOGITS, MASKS, pixel_weights=BORDERS),
}


@pytest.mark.parametrize(
    "parts", [*((part,) for part in PARTS), ("cross_entropy", "dice"), ("focal", "border"), tuple(PARTS)]
)
def test_parts_are_added(parts: tuple[str, ...]):
    loss = MaskLoss(parts, WEIGHTS)(LOGITS, MASKS)
    assert loss.item() == pytest.approx(sum(PARTS[part].item() for part in parts))


def test_unet_s_own_loss_is_weighted_and_border():
    """Equation 2 of the paper: a pixel's weight is that of its class and that of the border, added."""
    logits, masks = LOGITS, MASKS
    of_class = torch.tensor([*WEIGHTS])[masks.masked_fill(masks == 255, 0)]
    expected = pixel_cross_entropy(logits, masks, pixel_weights=of_class + BORDERS)
    assert BORDERS.max() > 5
    assert MaskLoss(("weighted", "border"), WEIGHTS)(logits, masks).item() == pytest.approx(expected.item())


def test_settings_of_the_loss():
    def parts(loss: str) -> tuple[str, ...]:
        return TrainConfig.from_values({"segmentation": {"loss": loss}}).segmentation.parts

    assert parts("weighted + border") == ("weighted", "border")
    assert TrainConfig().segmentation.parts == ("cross_entropy", "dice")
    with pytest.raises(
        ConfigError,
        match=r"segmentation.loss is 'dise': there is no part 'dise', expected cross_entropy, .*, joined by \+",
    ):
        parts("dise")
    with pytest.raises(ConfigError, match=r"is 'dice\+dice': expected each part once"):
        parts("dice+dice")
    with pytest.raises(ConfigError, match="it is 0 inside of objects, expected another part beside it"):
        parts("border")


class _Label:
    def __init__(self, number: int) -> None:
        self.number = number

    def read(self) -> np.ndarray:
        return np.array([[self.number % 3, 255, 1]], np.uint8)


def test_pixels_of_classes_are_counted_and_of_very_many_masks_some():
    assert pixels_of_classes([_Label(0), _Label(2)], 3) == (1, 2, 1)
    assert sum(pixels_of_classes([_Label(number) for number in range(1001)], 4)) == 2 * 334
