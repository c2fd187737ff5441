"""Localisation: what the outputs of a `LocalizationNetwork` mean, its loss and its figures, as pure functions.

One object a picture: a class, and a box as centre x, centre y, width and height, each a share of the picture's width or
height (`cxcywh`, relative).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.nn.boxes import clip, cxcywh_to_xyxy, giou, iou, to_absolute
from hubel.results import LocalizationMetrics
from hubel.tasks.classification import loss_interval, wilson_interval
from hubel.tasks.resampling import middle, resamples

BoxLoss = Literal["squared", "giou"]

# What the box counts in the loss beside 1 for the class: for squared errors of shares of the picture, which are small,
# YOLO's λ of coordinates (Redmon et al. 2016, arXiv:1506.02640, section 2.2).
BOX_WEIGHT: dict[BoxLoss, float] = {"squared": 5.0, "giou": 1.0}

RIGHT_BOX = 0.5  # the IoU from which on a box is right


class Localized(NamedTuple):
    """What a network says of pictures, or of windows.

    Attributes:
        probabilities: Of the classes, (N, num_classes).
        boxes: `cxcywh`, relative, (N, 4); None where only the class is told, and the box is all of it.
        objectness: The probability that there is an object, (N,); None where that is not told.
    """

    probabilities: Tensor
    boxes: Tensor | None = None
    objectness: Tensor | None = None


class LocalizationLosses(NamedTuple):
    """The parts of the loss, each a mean over the batch and weighted.

    Attributes:
        classes: Cross entropy, in nats.
        boxes: Of the boxes.
        objectness: Binary cross entropy; 0 where the network does not tell it.
    """

    classes: Tensor
    boxes: Tensor
    objectness: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum, which is trained on."""
        return self.classes + self.boxes + self.objectness


def decode(outputs: Tensor, num_classes: int) -> Localized:
    """What outputs mean.

    Args:
        outputs: (N, num_classes + 4), or with objectness (N, num_classes + 5).
        num_classes: How many of them are the logits of classes.
    """
    logits, boxes, objectness = _split(outputs, num_classes)
    return Localized(logits.softmax(dim=1), boxes.sigmoid(), None if objectness is None else objectness.sigmoid())


def losses(
    outputs: Tensor,
    labels: Tensor,
    boxes: Tensor,
    num_classes: int,
    *,
    box_loss: BoxLoss = "squared",
    box_weight: float | None = None,
    present: Tensor | None = None,
) -> LocalizationLosses:
    """Cross entropy of the class, and squared error of the four numbers of the box, or 1 - GIoU.

    Args:
        outputs: (N, num_classes + 4), or with objectness (N, num_classes + 5).
        labels: int64 (N,).
        boxes: The true ones, `cxcywh`, relative, (N, 4).
        num_classes: How many of the outputs are the logits of classes.
        box_loss: `"squared"`: the sum of the four squared errors; `"giou"`: 1 - GIoU (Rezatofighi et al. 2019,
            arXiv:1902.09630), which also knows how far a box that does not touch is off.
        box_weight: What the box counts; None: `BOX_WEIGHT`.
        present: bool (N,): whether there is an object. Where there is none, label and box do not count. None: in all.
    """
    logits, codes, objectness = _split(outputs, num_classes)
    if labels.shape != logits.shape[:1] or boxes.shape != codes.shape:
        raise ValueError(
            f"outputs of {len(logits)} pictures came with labels of shape {tuple(labels.shape)} and boxes of shape "
            f"{tuple(boxes.shape)}: expected ({len(logits)},) and ({len(logits)}, 4)"
        )
    if present is None:
        present = torch.ones_like(labels, dtype=torch.bool)
    elif objectness is None:
        raise ValueError("`present` came, but the outputs have no objectness: build the network with objectness=True")
    counted = present.float()
    count = counted.sum().clamp(min=1)
    weight = BOX_WEIGHT[box_loss] if box_weight is None else box_weight
    of_boxes = _box_losses(codes.sigmoid().float(), boxes.float(), box_loss)
    of_classes = F.cross_entropy(logits.float(), torch.where(present, labels, 0), reduction="none")
    return LocalizationLosses(
        (of_classes * counted).sum() / count,
        weight * (of_boxes * counted).sum() / count,
        logits.new_zeros(()) if objectness is None else F.binary_cross_entropy_with_logits(objectness.float(), counted),
    )


def in_pixels(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (N, 4), `cxcywh` and relative, as `xyxy` in the pixels of a picture of this height and width."""
    return clip(to_absolute(cxcywh_to_xyxy(boxes), size), size)


def measure(
    found: Localized,
    labels: Tensor,
    boxes: Tensor,
    *,
    box_loss: BoxLoss = "squared",
    box_weight: float | None = None,
) -> LocalizationMetrics:
    """Measure what a network said of one split.

    Args:
        found: Of every picture, with boxes.
        labels: The true classes, int64 (N,).
        boxes: The true ones, `cxcywh`, relative, (N, 4).
        box_loss: As for `losses`.
        box_weight: As for `losses`.

    Raises:
        ValueError: There is no picture, the shapes do not agree, or the true boxes are not relative.
    """
    if found.boxes is None or len(labels) == 0 or found.boxes.shape != boxes.shape or len(boxes) != len(labels):
        came = None if found.boxes is None else tuple(found.boxes.shape)
        raise ValueError(
            f"boxes of shape {came} came with labels {tuple(labels.shape)} and true boxes {tuple(boxes.shape)}: "
            "expected (N, 4), (N,) and (N, 4), and at least one picture"
        )
    if float(boxes.min()) < 0 or float(boxes.max()) > 1:
        raise ValueError(
            f"the true boxes have values from {float(boxes.min()):g} to {float(boxes.max()):g}: expected centre, width "
            "and height as shares of the picture, 0 to 1"
        )
    probabilities, told, truth = (
        tensor.detach().cpu().double() for tensor in (found.probabilities, found.boxes, boxes)
    )
    labels = labels.cpu()
    weight = BOX_WEIGHT[box_loss] if box_weight is None else box_weight
    of_class = -probabilities.gather(1, labels[:, None])[:, 0].clamp(min=torch.finfo(torch.float64).tiny).log()
    pictures_losses = (of_class + weight * _box_losses(told, truth, box_loss)).numpy()
    right = probabilities.argmax(dim=1) == labels
    overlaps = iou(cxcywh_to_xyxy(told), cxcywh_to_xyxy(truth))
    both = int(right_on_both(found, labels, boxes).sum())
    count, right_classes = len(labels), int(right.sum())
    drawn = np.concatenate([weights @ overlaps.numpy() / count for weights in resamples(count)])
    return LocalizationMetrics(
        images=count,
        loss=float(pictures_losses.mean()),
        loss_ci95=loss_interval(pictures_losses),
        accuracy=right_classes / count,
        accuracy_ci95=wilson_interval(right_classes, count),
        mean_iou=float(overlaps.mean()),
        mean_iou_ci95=middle(drawn, count),
        localization_accuracy=both / count,
        localization_accuracy_ci95=wilson_interval(both, count),
    )


def right_on_both(found: Localized, labels: Tensor, boxes: Tensor) -> Tensor:
    """Of which pictures the class is right, and the box by an IoU of 0.5 or more: bool (N,); see `measure`."""
    assert found.boxes is not None
    overlaps = iou(cxcywh_to_xyxy(found.boxes.cpu().double()), cxcywh_to_xyxy(boxes.cpu().double()))
    return (found.probabilities.cpu().argmax(dim=1) == labels.cpu()) & (overlaps >= RIGHT_BOX)


def _split(outputs: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """The classes' logits (N, num_classes), the box's numbers before their sigmoid (N, 4), objectness (N,) or None."""
    rest = outputs.shape[1] - num_classes if outputs.ndim == 2 else 0
    if rest not in (4, 5):
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} came: expected (N, {num_classes + 4}) for {num_classes} classes, "
            f"or (N, {num_classes + 5}) with objectness"
        )
    logits, boxes = outputs[:, :num_classes], outputs[:, num_classes : num_classes + 4]
    return logits, boxes, outputs[:, -1] if rest == 5 else None


def _box_losses(boxes: Tensor, truth: Tensor, kind: BoxLoss) -> Tensor:
    """Of each picture, unweighted: (N,)."""
    if kind == "squared":
        return (boxes - truth).square().sum(dim=1)
    if kind == "giou":
        return 1 - giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(truth))
    raise ValueError(f"box_loss is '{kind}': expected squared or giou")
