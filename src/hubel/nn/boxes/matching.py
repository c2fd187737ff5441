"""Which object a box is answerable for, told by how much the boxes overlap."""

from __future__ import annotations

import torch
from torch import Tensor

# Instead of an object's number, in what `match_by_threshold` returns.
BACKGROUND = -1
IGNORED = -2


def match_by_threshold(overlaps: Tensor, *, low: float, high: float, low_quality: bool = False) -> Tensor:
    """The object that each anchor, or each proposal, is to find, as in Faster R-CNN.

    An anchor is for the object that it overlaps most if that is at least `high`, background if it is below `low`, and
    left out in between (Ren et al. 2015, arXiv:1506.01497, section 3.1.2).

    Args:
        overlaps: IoU of every object with every anchor, (objects, anchors); there may be no object.
        low: The least overlap with an object of an anchor that is no background.
        high: The least overlap of an anchor with its object.
        low_quality: Whether, besides, the anchors that overlap an object most of all anchors are for an object, even
            below `high`: for the one that they themselves overlap most (as in Detectron and torchvision). An overlap of
            0 makes no match.

    Returns:
        int64 (anchors,): the object's number, `BACKGROUND` (-1) or `IGNORED` (-2).
    """
    _check(overlaps)
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low is {low} and high {high}: expected 0 <= low <= high <= 1")
    objects, anchors = overlaps.shape
    if objects == 0:
        return torch.full((anchors,), BACKGROUND, dtype=torch.int64, device=overlaps.device)
    best, nearest = overlaps.max(dim=0)
    found = torch.where(best >= high, nearest, torch.where(best < low, BACKGROUND, IGNORED))
    if low_quality and anchors:
        most = overlaps.amax(dim=1, keepdim=True)
        is_best_of_one = ((overlaps == most) & (most > 0)).any(dim=0)
        found = torch.where(is_best_of_one, nearest, found)
    return found


def match_one_to_one(overlaps: Tensor) -> Tensor:
    """For each object an anchor of its own, pair by pair from the greatest overlap down.

    As SSD begins (Liu et al. 2016, arXiv:1512.02325, section 2.2), and as a report is matched with an object where
    there is one report per object. Where overlaps are equal, the first object, then the first anchor comes first.

    Args:
        overlaps: IoU of every object with every anchor, (objects, anchors).

    Returns:
        int64 (objects,): the anchor's number, or -1 where every anchor that is left has an overlap of 0.
    """
    _check(overlaps)
    objects, anchors = overlaps.shape
    found = torch.full((objects,), BACKGROUND, dtype=torch.int64, device=overlaps.device)
    left = overlaps.clone()
    for _ in range(min(objects, anchors)):
        place = int(left.argmax())
        number, anchor = divmod(place, anchors)
        if not left[number, anchor] > 0:
            break
        found[number] = anchor
        left[number] = 0
        left[:, anchor] = 0
    return found


def _check(overlaps: Tensor) -> None:
    if overlaps.ndim != 2:
        raise ValueError(f"overlaps of shape {tuple(overlaps.shape)} came: expected (objects, anchors)")
