"""The loss and the results of `yolo`: task-aligned assignment, cross entropy, complete IoU, distribution focal loss.

C. Feng, Y. Zhong, Y. Gao, M. Scott, W. Huang, TOOD: Task-aligned One-stage Object Detection, 2021, arXiv:2108.07755,
section 3.2; X. Li et al., Generalized Focal Loss, 2020, arXiv:2006.04388, equation 6; Z. Zheng et al., Distance-IoU
Loss, 2020, arXiv:1911.08287 (complete IoU).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.models.detection.yolo import YOLOOutput
from hubel.nn.boxes import ciou, clip, decode_distances, encode_distances, iou
from hubel.tasks.detectors.objects import Detections, Objects, check_objects
from hubel.tasks.detectors.suppression import Suppression, suppressed

# How many points an object gets, and the exponents of score and overlap in how well a point suits it. TOOD has 13, 1
# and 6; a score to the power of 0.5, and 10 points, are what YOLO's later versions found to train faster.
POINTS_PER_OBJECT = 10
SCORE_EXPONENT = 0.5
OVERLAP_EXPONENT = 6.0

# What the parts of the loss count.
CLASS_WEIGHT = 0.5
BOX_WEIGHT = 7.5
DISTRIBUTION_WEIGHT = 1.5

# How it is usually read.
USUAL = Suppression(least_score=0.25, iou_threshold=0.6, most=300)

# Candidates of a picture that come to non-maximum suppression at most, the best ones.
CANDIDATES = 1000


class YOLOLosses(NamedTuple):
    """The parts, each with its weight, over the sum of the batch's target scores.

    Attributes:
        classes: Cross entropy of every point and class with the target score.
        boxes: 1 - complete IoU of the points with an object, weighted by their target scores.
        distributions: Distribution focal loss of the distances, likewise; 0 where a distance is one number.
    """

    classes: Tensor
    boxes: Tensor
    distributions: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum, which is trained on."""
        return self.classes + self.boxes + self.distributions


class Assignment(NamedTuple):
    """Which points of which pictures are to find which objects: K of them, object by object.

    Attributes:
        pictures: int64 (K,): the positions of the pictures in the batch.
        points: int64 (K,): the positions of the points.
        objects: int64 (K,): the numbers of the objects, counted through the batch.
        scores: (K,): which score of the object's class each is to have, 0 to 1.
    """

    pictures: Tensor
    points: Tensor
    objects: Tensor
    scores: Tensor


def boxes_of(output: YOLOOutput) -> Tensor:
    """The predicted boxes (N, P, 4), `xyxy` in pixels."""
    return decode_distances(_distances(output.distances) * output.strides[:, None], output.points)


def _distances(raw: Tensor) -> Tensor:
    """(..., 4, bins) to (..., 4) strides: the mean of the distribution, or one number above 0."""
    bins = raw.shape[-1]
    if bins == 1:
        return F.softplus(raw[..., 0])
    return raw.softmax(dim=-1) @ torch.arange(bins, dtype=raw.dtype, device=raw.device)


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, points: Tensor, objects: list[Objects]) -> Assignment:
    """Task-aligned assignment for a batch (TOOD, section 3.2.1).

    A point suits an object by t = s^α u^β, with s its score for the object's class and u the IoU of its box with the
    object. Each object takes the 10 points that suit it best of those that lie in it (of an object that no point lies
    in, the nearest point); a point that two objects take goes to the one that its box overlaps most. The score that a
    point should have is t, scaled so that the object's best point has the best u of the object's points.

    The objects of all pictures are looked at together, and only at points that lie in them.

    Args:
        scores: (N, P, C), 0 to 1.
        boxes: (N, P, 4), predicted.
        points: (P, 2).
        objects: Picture by picture.
    """
    targets, labels, picture = _together(objects, boxes)  # of G objects
    inside = _inside(points.to(boxes), targets)  # (G, P)
    number, point = inside.nonzero(as_tuple=True)  # pairs, object by object
    overlap = iou(targets[number], boxes[picture[number], point])
    score = scores[picture[number], point, labels[number]].to(overlap)
    suits = score.pow(SCORE_EXPONENT) * overlap.pow(OVERLAP_EXPONENT)

    ranked = suits.new_full(inside.shape, -1).index_put_((number, point), suits)
    best = ranked.topk(min(POINTS_PER_OBJECT, len(points)), dim=1).indices
    taken = torch.zeros_like(inside).scatter_(1, best, True)[number, point]
    number, point, overlap, suits = number[taken], point[taken], overlap[taken], suits[taken]

    place = picture[number] * len(points) + point
    places = len(boxes) * len(points)
    fits = overlap == _greatest(overlap, place, places)[place]  # of several objects the one that fits best
    order = torch.arange(len(place), 0, -1, device=place.device)
    fits &= order == _greatest(torch.where(fits, order, 0), place, places)[place]  # and of equal ones the first
    number, point, overlap, suits = number[fits], point[fits], overlap[fits], suits[fits]

    count, least = len(targets), torch.finfo(suits.dtype).tiny
    of_best = _greatest(suits, number, count)[number].clamp(min=least)
    wanted = suits / of_best * _greatest(overlap, number, count)[number]
    return Assignment(picture[number], point, number, wanted)


def _together(objects: list[Objects], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The boxes (G, 4), labels (G,) and pictures (G,) of all objects of a batch, on the device of a tensor."""
    counts = torch.tensor([len(each.labels) for each in objects])
    boxes = torch.cat([each.boxes.to(like) for each in objects])
    labels = torch.cat([each.labels.to(like.device) for each in objects])
    return boxes, labels, torch.repeat_interleave(counts).to(like.device)


def _greatest(values: Tensor, groups: Tensor, count: int) -> Tensor:
    """The greatest of the values 0 or more (K,) in each of so many groups (K,): (count,), 0 in empty ones."""
    return values.new_zeros(count).scatter_reduce_(0, groups, values, "amax")


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (P, 2) lie in which boxes (G, 4), or nearest to the middle of one without any: bool (G, P)."""
    inside = ((points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])).all(dim=-1)
    empty = (~inside.any(dim=1)).nonzero()[:, 0]
    middles = (boxes[empty, :2] + boxes[empty, 2:]) / 2
    nearest = (middles[:, None] - points).square().sum(dim=-1).argmin(dim=1)
    inside[empty, nearest] = True
    return inside


def losses(output: YOLOOutput, objects: list[Objects]) -> YOLOLosses:
    """The loss of a batch; pictures without objects teach the classes' scores alone.

    Args:
        output: Of the network.
        objects: Picture by picture, boxes in pixels of the input.

    Raises:
        ValueError: The objects do not fit the outputs.
    """
    logits = output.class_logits
    check_objects(objects, len(logits), logits.shape[-1])
    with torch.no_grad():
        found = assign(logits.sigmoid(), boxes_of(output), output.points, objects)
    targets, labels, _ = _together(objects, logits)
    wanted_scores = torch.zeros_like(logits)
    wanted_scores[found.pictures, found.points, labels[found.objects]] = found.scores.to(logits)
    normaliser = wanted_scores.sum().clamp(min=1)
    classes = F.binary_cross_entropy_with_logits(logits, wanted_scores, reduction="sum") / normaliser

    raw = output.distances[found.pictures, found.points]  # (K, 4, bins)
    points, strides = output.points[found.points], output.strides[found.points, None]
    theirs = targets[found.objects]
    overlap = ciou(decode_distances(_distances(raw) * strides, points), theirs)
    boxes = ((1 - overlap) * found.scores).sum() / normaliser
    spread = _distribution_loss(raw, encode_distances(theirs, points) / strides)
    distributions = (spread * found.scores).sum() / normaliser
    return YOLOLosses(CLASS_WEIGHT * classes, BOX_WEIGHT * boxes, DISTRIBUTION_WEIGHT * distributions)


def _distribution_loss(raw: Tensor, wanted: Tensor) -> Tensor:
    """Distribution focal loss (K,) of distances (K, 4, bins) that should be (K, 4) strides: a mean of the four sides.

    Cross entropy with the two whole numbers on both sides of a distance, the nearer one weighing more (Li et al. 2020,
    equation 6). A distance that no bin reaches counts as the greatest one.
    """
    bins = raw.shape[-1]
    if bins == 1:
        return raw.new_zeros(len(raw)) + 0 * raw.sum()
    wanted = wanted.clamp(0, bins - 1 - 1e-3)
    below = wanted.floor()
    share = wanted - below  # of the bin above
    log = raw.log_softmax(dim=-1)
    low = log.gather(-1, below.long()[..., None])[..., 0]
    high = log.gather(-1, below.long()[..., None] + 1)[..., 0]
    return -((1 - share) * low + share * high).mean(dim=-1)


def decode(output: YOLOOutput, size: tuple[int, int], how: Suppression = USUAL) -> list[Detections]:
    """Each picture's detections.

    Args:
        output: Of the network.
        size: Height and width of the images; boxes are cut off there.
        how: Which candidates are reported; a least score of 0.001 where precision and recall are to be measured.
    """
    results = []
    for number, logits in enumerate(output.class_logits):
        scores = logits.sigmoid()
        point, label = (scores > how.least_score).nonzero(as_tuple=True)
        score = scores[point, label]
        if len(score) > CANDIDATES:  # the best ones alone are worth their boxes
            score, order = score.topk(CANDIDATES)
            point, label = point[order], label[order]
        raw = output.distances[number, point]
        distances = _distances(raw) * output.strides[point, None]
        boxes = clip(decode_distances(distances, output.points[point]), size)
        results.append(suppressed(boxes, label, score, how, candidates=CANDIDATES))
    return results
