"""YOLO version 1's loss and results: Redmon et al. 2016, arXiv:1506.02640, section 2 and equation 3."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hubel.nn.boxes import decode_in_grid, encode_in_grid, iou
from hubel.tasks.detectors.objects import Detections, Objects, check_objects
from hubel.tasks.detectors.suppression import Suppression, suppressed

COORD_WEIGHT = 5.0  # λ_coord
NO_OBJECT_WEIGHT = 0.5  # λ_noobj

# How it is usually read.
USUAL = Suppression(least_score=0.2, iou_threshold=0.5, most=100)


class YOLOv1Losses(NamedTuple):
    """The five sums of equation 3, each with its weight, as means over the pictures.

    Attributes:
        centres: λ_coord Σ (x - x̂)² + (y - ŷ)², in cells, of the responsible boxes.
        sizes: λ_coord Σ (√w - √ŵ)² + (√h - √ĥ)², relative to the picture, of the responsible boxes.
        objectness: Σ (C - Ĉ)² of the responsible boxes.
        no_objectness: λ_noobj Σ C² of all other boxes.
        classes: Σ (p - p̂)² of the cells with an object.
    """

    centres: Tensor
    sizes: Tensor
    objectness: Tensor
    no_objectness: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum, which is trained on."""
        return self.centres + self.sizes + self.objectness + self.no_objectness + self.classes


class Grid(NamedTuple):
    """The raw outputs (N, S, S, 5 B + C), taken apart.

    Attributes:
        places: (N, S, S, B, 2): x and y of the centre in its cell.
        roots: (N, S, S, B, 2): square roots of width and height relative to the picture.
        confidences: (N, S, S, B).
        classes: (N, S, S, C).
    """

    places: Tensor
    roots: Tensor
    confidences: Tensor
    classes: Tensor

    def boxes(self, size: tuple[int, int]) -> Tensor:
        """The boxes (N, S, S, B, 4) as `xyxy` in pixels of a picture of this height and width."""
        rows, columns = self.places.shape[1:3]
        cells = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), dim=-1).to(
            self.places.device
        )  # (S, S, 2)
        codes = torch.cat((self.places, self.roots.square()), dim=-1)
        return decode_in_grid(codes, cells[:, :, None], size, (rows, columns))


def taken_apart(output: Tensor, num_classes: int) -> Grid:
    """The parts of raw outputs (N, S, S, 5 B + C).

    Raises:
        ValueError: What remains beside the classes is not a multiple of 5.
    """
    rest = output.shape[-1] - num_classes
    if rest < 5 or rest % 5:
        raise ValueError(f"outputs of {output.shape[-1]} values came for {num_classes} classes: expected 5 B + C")
    boxes = output[..., :rest].reshape(*output.shape[:-1], -1, 5)
    return Grid(boxes[..., :2], boxes[..., 2:4], boxes[..., 4], output[..., rest:])


def losses(output: Tensor, objects: list[Objects], *, num_classes: int, size: tuple[int, int]) -> YOLOv1Losses:
    """The loss term by term.

    An object belongs to the cell that its centre is in; where several share a cell, to the first of them alone, as a
    cell has one class (the authors' code does the same). Of the cell's boxes the one that overlaps the object most is
    responsible for it; its confidence should be that overlap.

    Args:
        output: Raw outputs (N, S, S, 5 B + C).
        objects: Picture by picture, boxes in pixels of the input.
        num_classes: C.
        size: Height and width of the input.

    Raises:
        ValueError: The objects do not fit the outputs.
    """
    check_objects(objects, len(output), num_classes)
    grid = taken_apart(output, num_classes)
    predicted = grid.boxes(size).detach()
    picture, row, column, codes, labels, boxes = _cells_with_objects(output, objects, size)
    overlap = iou(predicted[picture, row, column], boxes[:, None])  # (K, B)
    best, responsible = overlap.max(dim=1)
    at = (picture, row, column, responsible)
    centres = (grid.places[at] - codes[:, :2]).square().sum()
    sizes = (grid.roots[at] - codes[:, 2:].sqrt()).square().sum()
    objectness = (grid.confidences[at] - best).square().sum()
    without = torch.ones_like(grid.confidences, dtype=torch.bool)
    without[at] = False
    no_objectness = grid.confidences[without].square().sum()
    wanted = torch.nn.functional.one_hot(labels, num_classes).to(grid.classes)
    classes = (grid.classes[picture, row, column] - wanted).square().sum()
    number = len(output)
    return YOLOv1Losses(
        COORD_WEIGHT * centres / number,
        COORD_WEIGHT * sizes / number,
        objectness / number,
        NO_OBJECT_WEIGHT * no_objectness / number,
        classes / number,
    )


def _cells_with_objects(
    output: Tensor, objects: list[Objects], size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of all K cells with an object: picture, row, column, the object's code (K, 4), label and box (K, 4)."""
    grid = (output.shape[1], output.shape[2])
    boxes = torch.cat([picture.boxes for picture in objects]).to(output)
    labels = torch.cat([picture.labels for picture in objects])
    picture = torch.repeat_interleave(
        torch.arange(len(objects)), torch.tensor([len(each.labels) for each in objects])
    ).to(output.device)
    cells, codes = encode_in_grid(boxes, size, grid)
    seen: set[tuple[int, ...]] = set()
    first = []
    for number, key in enumerate(zip(picture.tolist(), *cells.T.tolist(), strict=True)):
        if key not in seen:
            seen.add(key)
            first.append(number)
    kept = torch.tensor(first, dtype=torch.int64, device=output.device)
    return picture[kept], cells[kept, 0], cells[kept, 1], codes[kept], labels[kept], boxes[kept]


def decode(output: Tensor, *, num_classes: int, size: tuple[int, int], how: Suppression = USUAL) -> list[Detections]:
    """Each picture's detections.

    A box's score for a class is the cell's value of the class times the box's confidence (equation 1), kept in 0 to 1.

    Args:
        output: Raw outputs (N, S, S, 5 B + C).
        num_classes: C.
        size: Height and width of the input.
        how: Which candidates are reported; a least score of 0.001 where precision and recall are to be measured.
    """
    grid = taken_apart(output, num_classes)
    boxes = grid.boxes(size).flatten(1, 3)  # (N, S S B, 4)
    both = grid.confidences[..., None].clamp(0, 1) * grid.classes[:, :, :, None].clamp(0, 1)  # (N, S, S, B, C)
    results = []
    for of_picture, scores in zip(boxes, both.flatten(1, 3), strict=True):
        place, label = (scores > how.least_score).nonzero(as_tuple=True)
        candidates, score = of_picture[place], scores[place, label]
        results.append(suppressed(candidates, label, score, how, candidates=len(score)))
    return results
