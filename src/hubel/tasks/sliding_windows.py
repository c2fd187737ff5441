"""Detection by sliding windows, the textbook's way: cut out, classify, tell the object from its neighbours.

Windows of several sizes go over the picture in steps; a network says of each which class it shows, where in the window
the object is, and whether there is one; of the boxes that overlap, non-maximum suppression keeps the best. Any callable
serves as network. On a picture's map the same is done for all windows at once by
`hubel.models.fully_convolutional.to_fully_convolutional`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.nn.boxes import clip, cxcywh_to_xyxy, nms, xyxy_to_xywh
from hubel.tasks.detectors.objects import Detections
from hubel.tasks.localization import Localized

Size = tuple[int, int]


def windows(size: Size, sides: Sequence[Size], steps: Sequence[int]) -> Tensor:
    """Windows over a picture, size by size, row by row.

    Where a step does not end at the border, one more window does, so that every pixel is seen in every size. A window
    higher or wider than the picture becomes as high or as wide as it.

    Args:
        size: Height and width of the picture.
        sides: Heights and widths of the windows.
        steps: For each of the sides, how many pixels lie between neighbours, down and across.

    Returns:
        int64 (K, 4), `xyxy`; no window twice.
    """
    if len(sides) != len(steps) or not sides:
        raise ValueError(f"{len(sides)} sizes of windows and {len(steps)} steps came: expected a step for each size")
    if min(*size, *steps, *(side for pair in sides for side in pair)) < 1:
        raise ValueError(
            f"a picture of {size}, windows of {list(sides)} and steps {list(steps)} came: expected 1 or more"
        )
    found: dict[tuple[int, int, int, int], None] = {}  # in order
    for (height, width), step in zip(sides, steps, strict=True):
        height, width = min(height, size[0]), min(width, size[1])
        for top in _starts(size[0], height, step):
            for left in _starts(size[1], width, step):
                found[left, top, left + width, top + height] = None
    return torch.tensor(list(found))


def classify_windows(
    image: Tensor, boxes: Tensor, classify: Callable[[Tensor], Tensor], *, size: Size, batch: int = 64
) -> Tensor:
    """What a network says of each window.

    Args:
        image: Prepared as the network wants it, (C, H, W).
        boxes: Windows in the picture, int64 (K, 4), `xyxy`.
        classify: From windows (N, C, *size) to outputs (N, outputs).
        size: Height and width that the network takes; windows of another size are resampled (bilinear, antialiased).
        batch: How many windows are given at once.

    Returns:
        (K, outputs).
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
        raise ValueError(f"windows of shape {tuple(boxes.shape)} came: expected (K, 4), one or more")
    low, high = boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)
    if min(low.tolist()) < 0 or high[0] > image.shape[2] or high[1] > image.shape[1]:
        raise ValueError(
            f"windows from {tuple(low.tolist())} to {tuple(high.tolist())} came: the picture has x up to "
            f"{image.shape[2]} and y up to {image.shape[1]}"
        )
    outputs = []
    for start in range(0, len(boxes), batch):
        cut = (image[:, top:bottom, left:right] for left, top, right, bottom in boxes[start : start + batch].tolist())
        alike = (torch.stack(list(group)) for _, group in groupby(cut, key=lambda window: window.shape))
        outputs.append(classify(torch.cat([_resampled(group, size) for group in alike])))
    return torch.cat(outputs)


def detect(
    found: Localized,
    boxes: Tensor,
    size: Size,
    *,
    least_score: float = 0.5,
    iou_threshold: float = 0.5,
    class_aware: bool = True,
    limit: int = 100,
) -> Detections:
    """The objects of a picture, from what was said of its windows.

    The score of a box is the probability of its class times that of an object being there. A classifier that has a
    class for windows without an object serves without objectness: leave that class out of the probabilities.

    Args:
        found: Of every window; boxes are relative to the window, and where there are none the window is the box.
        boxes: The windows, (K, 4), `xyxy` in pixels.
        size: Height and width of the picture.
        least_score: Boxes of a lower score are left out.
        iou_threshold: A box that overlaps a better one by a greater IoU is left out.
        class_aware: Whether only boxes of one class compete.
        limit: How many are reported at most, the best ones.
    """
    if len(found.probabilities) != len(boxes):
        raise ValueError(f"{len(found.probabilities)} answers came for {len(boxes)} windows")
    scores, labels = found.probabilities.max(dim=1)
    if found.objectness is not None:
        scores = scores * found.objectness
    objects = clip(boxes if found.boxes is None else in_windows(found.boxes, boxes), size)
    likely = scores >= least_score
    objects, scores, labels = objects[likely], scores[likely], labels[likely]
    kept = nms(objects, scores, iou_threshold=iou_threshold, labels=labels if class_aware else None)[:limit]
    return Detections(objects[kept], labels[kept], scores[kept])


def in_windows(boxes: Tensor, windows: Tensor) -> Tensor:
    """Boxes (K, 4), `cxcywh` and relative to windows (K, 4), as `xyxy` in the pixels of the picture."""
    corner, sides = xyxy_to_xywh(windows).chunk(2, dim=-1)
    return cxcywh_to_xyxy(boxes) * sides.repeat(1, 2) + corner.repeat(1, 2)


def _starts(length: int, side: int, step: int) -> list[int]:
    """Where windows of one side begin on one axis."""
    last = length - side
    return sorted({*range(0, last + 1, step), last})


def _resampled(windows: Tensor, size: Size) -> Tensor:
    if tuple(windows.shape[2:]) == size:
        return windows
    return F.interpolate(windows, size, mode="bilinear", antialias=True)
