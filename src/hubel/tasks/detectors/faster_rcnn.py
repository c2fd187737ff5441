"""Faster R-CNN's loss and results.

Ren et al. 2015, arXiv:1506.01497, section 3.1.2 (the proposals' loss, equation 1), and R. Girshick, Fast R-CNN, 2015,
arXiv:1504.08083, section 2.3 (the second stage's). Numbers are torchvision's, which are those of the pyramid's paper.

A step of training: `outputs = network(images, select=region_sampler(objects))`, then `losses(outputs, objects).total`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hubel.models.detection.faster_rcnn import FasterRCNNOutput, Regions
from hubel.nn.boxes import BACKGROUND, clip, decode_deltas, encode_deltas, match_by_threshold, pairwise_iou
from hubel.tasks.detectors.objects import Detections, Objects, check_objects
from hubel.tasks.detectors.suppression import Suppression, suppressed

# Standard deviations of the second stage's deltas, as factors (Girshick 2015, section 2.3).
REGION_WEIGHTS = (10.0, 10.0, 5.0, 5.0)

# Where the smooth L1 loss turns from square to absolute.
BETA = 1 / 9

LEAST_SIDE = 1e-2  # of a detection, in pixels

# How it is usually read.
USUAL = Suppression(least_score=0.05, iou_threshold=0.5, most=100)

# Candidates of a picture that come to non-maximum suppression at most, the best ones.
CANDIDATES = 10_000


class FasterRCNNLosses(NamedTuple):
    """The four parts, each a mean over the sampled anchors or regions of the batch.

    Attributes:
        objectness: Of the proposals: object or background.
        proposal_boxes: Of the proposals' boxes.
        classes: Of the second stage's classes, the background among them.
        boxes: Of the second stage's boxes.
    """

    objectness: Tensor
    proposal_boxes: Tensor
    classes: Tensor
    boxes: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum, which is trained on."""
        return self.objectness + self.proposal_boxes + self.classes + self.boxes


def region_sampler(
    objects: list[Objects],
    *,
    count: int = 512,
    positive_share: float = 0.25,
    generator: torch.Generator | None = None,
) -> Callable[[Regions], Regions]:
    """A choice of regions to train the second stage on, for `FasterRCNN.forward`.

    The objects' own boxes join the proposals. Of each picture's regions `count` are drawn, at most the given share of
    them regions that overlap an object by at least 0.5; in a picture without objects, all are background.

    Args:
        objects: Picture by picture.
        count: Regions per picture.
        positive_share: The greatest share of regions with an object.
        generator: Of the draw; None: torch's global one.
    """

    def select(proposals: Regions) -> Regions:
        regions = []
        for boxes, picture in zip(proposals, objects, strict=True):
            together = torch.cat((boxes, picture.boxes.to(boxes)))
            chosen = _draw(_object_of_region(together, picture), count, positive_share, generator)
            regions.append(together[chosen])
        return regions

    return select


def losses(
    output: FasterRCNNOutput,
    objects: list[Objects],
    *,
    count: int = 256,
    positive_share: float = 0.5,
    generator: torch.Generator | None = None,
) -> FasterRCNNLosses:
    """The loss of both stages.

    Args:
        output: Of the network, with regions that `region_sampler` chose.
        objects: Picture by picture.
        count: How many anchors of each picture the proposals' loss is of.
        positive_share: The greatest share of anchors with an object among them.
        generator: Of the draw of anchors; None: torch's global one.

    Raises:
        ValueError: The objects do not fit the outputs.
    """
    check_objects(objects, len(output.regions), output.class_logits.shape[1] - 1)
    objectness, proposal_boxes = _proposal_losses(output, objects, count, positive_share, generator)
    classes, boxes = _region_losses(output, objects)
    return FasterRCNNLosses(objectness, proposal_boxes, classes, boxes)


def _proposal_losses(
    output: FasterRCNNOutput,
    objects: list[Objects],
    count: int,
    positive_share: float,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    logits, targets, distances = [], [], []
    for picture_logits, deltas, picture in zip(output.objectness, output.anchor_deltas, objects, strict=True):
        boxes = picture.boxes.to(output.anchors)
        overlaps = pairwise_iou(boxes, output.anchors)  # (G, A)
        found = match_by_threshold(overlaps, low=0.3, high=0.7, low_quality=True)
        sampled = _draw(found, count, positive_share, generator)
        logits.append(picture_logits[sampled])
        targets.append((found[sampled] >= 0).to(picture_logits.dtype))
        positive = sampled[found[sampled] >= 0]
        wanted = encode_deltas(boxes[found[positive]], output.anchors[positive])
        distances.append(F.smooth_l1_loss(deltas[positive], wanted.to(deltas), beta=BETA, reduction="sum"))
    all_logits = torch.cat(logits)
    number = max(len(all_logits), 1)
    objectness = F.binary_cross_entropy_with_logits(all_logits, torch.cat(targets), reduction="sum") / number
    return objectness, torch.stack(distances).sum() / number


def _region_losses(output: FasterRCNNOutput, objects: list[Objects]) -> tuple[Tensor, Tensor]:
    columns, rows, wanted = [], [], []
    before = 0
    for regions, picture in zip(output.regions, objects, strict=True):
        found = _object_of_region(regions, picture)
        positive = (found >= 0).nonzero()[:, 0]
        column = torch.zeros_like(found)  # the background's
        column[positive] = picture.labels[found[positive]] + 1
        columns.append(column)
        rows.append(positive + before)
        boxes = picture.boxes.to(regions)[found[positive]]
        wanted.append(encode_deltas(boxes, regions[positive], REGION_WEIGHTS))
        before += len(regions)
    column, row = torch.cat(columns), torch.cat(rows)
    number = max(len(column), 1)
    classes = F.cross_entropy(output.class_logits, column, reduction="sum") / number
    deltas = output.region_deltas[row, column[row]]
    boxes = F.smooth_l1_loss(deltas, torch.cat(wanted).to(deltas), beta=BETA, reduction="sum") / number
    return classes, boxes


def _object_of_region(regions: Tensor, picture: Objects) -> Tensor:
    """The number of the object that each region (R, 4) overlaps most, if by 0.5, else -1: int64 (R,)."""
    return match_by_threshold(pairwise_iou(picture.boxes.to(regions), regions), low=0.5, high=0.5)


def _draw(found: Tensor, count: int, positive_share: float, generator: torch.Generator | None) -> Tensor:
    """Positions of at most so many, objects' ones up to a share, the rest background; in ascending order."""
    positive = (found >= 0).nonzero()[:, 0]
    negative = (found == BACKGROUND).nonzero()[:, 0]
    positive = _some(positive, int(count * positive_share), generator)
    negative = _some(negative, count - len(positive), generator)
    return torch.cat((positive, negative)).sort().values


def _some(positions: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator else positions.device
    drawn = torch.randperm(len(positions), generator=generator, device=device)[:count]
    return positions[drawn.to(positions.device)]


def decode(output: FasterRCNNOutput, how: Suppression = USUAL) -> list[Detections]:
    """Each picture's detections.

    Every region is scored for every class by itself, and boxes of one class that overlap more than `how` allows
    count once.

    Args:
        output: Of the network in evaluation mode, for the images.
        how: Which candidates are reported; a least score of 0.001 where precision and recall are to be measured.
    """
    counts = [len(regions) for regions in output.regions]
    scores = output.class_logits.softmax(dim=1)[:, 1:]  # (R, C)
    parts = zip(
        output.regions, torch.split(scores, counts), torch.split(output.region_deltas[:, 1:], counts), strict=True
    )
    results = []
    for regions, of_class, deltas in parts:
        region, label = (of_class > how.least_score).nonzero(as_tuple=True)
        boxes = decode_deltas(deltas[region, label], regions[region], REGION_WEIGHTS)
        boxes = clip(boxes, output.size)
        large = ((boxes[:, 2:] - boxes[:, :2]) >= LEAST_SIDE).all(dim=1)
        boxes, label, score = boxes[large], label[large], of_class[region, label][large]
        results.append(suppressed(boxes, label, score, how, candidates=CANDIDATES))
    return results
