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
from hubel.nn.boxes import ciou, clip, decode_distances, encode_distances, pairwise_iou
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
    """Which point of a picture is to find which object.

    Attributes:
        points: int64 (K,): the positions of the points that are to find one.
        objects: int64 (K,): the number of the object of each.
        scores: (K,): which score of the object's class each is to have, 0 to 1.
    """

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
def assign(scores: Tensor, boxes: Tensor, points: Tensor, objects: Objects) -> Assignment:
    """Task-aligned assignment for one picture (TOOD, section 3.2.1).

    A point suits an object by t = s^α u^β, with s its score for the object's class and u the IoU of its box with the
    object. Each object takes the 10 points that suit it best of those that lie in it (of an object that no point lies
    in, the nearest point); a point that two objects take goes to the one that its box overlaps most. The score that a
    point should have is t, scaled so that the object's best point has the best u of the object's points.

    Args:
        scores: (P, C), 0 to 1.
        boxes: (P, 4), predicted.
        points: (P, 2).
        objects: The picture's.
    """
    if not len(objects.labels):
        nothing = points.new_zeros(0, dtype=torch.int64)
        return Assignment(nothing, nothing, scores.new_zeros(0))
    targets = objects.boxes.to(boxes)
    inside = _inside(points.to(boxes), targets)  # (G, P)
    overlap = pairwise_iou(targets, boxes)  # (G, P)
    suits = scores[:, objects.labels].T.to(overlap).pow(SCORE_EXPONENT) * overlap.pow(OVERLAP_EXPONENT)
    suits = torch.where(inside, suits, -1)
    best = suits.topk(min(POINTS_PER_OBJECT, suits.shape[1]), dim=1).indices
    taken = torch.zeros_like(inside).scatter_(1, best, True) & inside
    taken &= overlap == torch.where(taken, overlap, -1).amax(dim=0)  # of several objects the one that fits best
    taken &= taken.long().cumsum(dim=0) == 1  # and of equal ones the first
    suits, overlap = torch.where(taken, suits, 0), torch.where(taken, overlap, 0)
    least = torch.finfo(suits.dtype).tiny
    wanted = suits / suits.amax(dim=1, keepdim=True).clamp(min=least) * overlap.amax(dim=1, keepdim=True)
    number, point = taken.nonzero(as_tuple=True)
    return Assignment(point, number, wanted[number, point])


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (P, 2) lie in which boxes (G, 4), or nearest to the middle of one without any: bool (G, P)."""
    inside = (encode_distances(boxes[:, None], points) > 0).all(dim=-1)
    empty = ~inside.any(dim=1)
    middles = (boxes[empty, :2] + boxes[empty, 2:]) / 2
    nearest = (middles[:, None] - points).square().sum(dim=-1).argmin(dim=1)
    inside[empty.nonzero()[:, 0], nearest] = True
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
    predicted = boxes_of(output)
    scores = logits.detach().sigmoid()
    target_scores = torch.zeros_like(logits)
    chosen, wanted, distances, strides = [], [], [], []
    for number, picture in enumerate(objects):
        points, numbers, target = assign(scores[number], predicted[number].detach(), output.points, picture)
        target_scores[number, points, picture.labels[numbers]] = target.to(logits.dtype)
        chosen.append((predicted[number, points], picture.boxes.to(predicted)[numbers], target))
        wanted.append(encode_distances(picture.boxes.to(predicted)[numbers], output.points[points]))
        distances.append(output.distances[number, points])
        strides.append(output.strides[points])
    boxes, theirs, weights = (torch.cat(parts) for parts in zip(*chosen, strict=True))
    normaliser = target_scores.sum().clamp(min=1)
    classes = F.binary_cross_entropy_with_logits(logits, target_scores, reduction="sum") / normaliser
    overlap = ((1 - ciou(boxes, theirs)) * weights).sum() / normaliser
    spread = _distribution_loss(torch.cat(distances), torch.cat(wanted) / torch.cat(strides)[:, None])
    distributions = (spread * weights).sum() / normaliser
    return YOLOLosses(CLASS_WEIGHT * classes, BOX_WEIGHT * overlap, DISTRIBUTION_WEIGHT * distributions)


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


def decode(
    output: YOLOOutput,
    size: tuple[int, int],
    *,
    least_score: float = 0.25,
    iou_threshold: float = 0.6,
    most: int = 300,
    class_aware: bool = True,
    soft: bool = False,
) -> list[Detections]:
    """Each picture's detections.

    Args:
        output: Of the network.
        size: Height and width of the images; boxes are cut off there.
        least_score: Detections with no greater score are dropped. To measure precision and recall, take 0.001.
        iou_threshold: Of non-maximum suppression.
        most: The most detections of a picture.
        class_aware: See `Suppression`.
        soft: See `Suppression`.
    """
    how = Suppression(
        least_score=least_score, iou_threshold=iou_threshold, most=most, class_aware=class_aware, soft=soft
    )
    results = []
    for number, logits in enumerate(output.class_logits):
        scores = logits.sigmoid()
        point, label = (scores > least_score).nonzero(as_tuple=True)
        score = scores[point, label]
        if len(score) > CANDIDATES:  # the best ones alone are worth their boxes
            score, order = score.topk(CANDIDATES)
            point, label = point[order], label[order]
        raw = output.distances[number, point]
        distances = _distances(raw) * output.strides[point, None]
        boxes = clip(decode_distances(distances, output.points[point]), size)
        results.append(suppressed(boxes, label, score, how, candidates=CANDIDATES))
    return results
