"""The arithmetic of boxes in plain Python, one box at a time, as the definitions say it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st
from torch import Tensor, tensor

Box = Sequence[float]

# Multiples of 1/4, so that areas, and which of two values is greater, are exact; some boxes are lines or points.
places = st.integers(-40, 40).map(lambda quarter: quarter / 4)
boxes = st.tuples(places, places, places, places).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
full_boxes = boxes.filter(lambda box: box[2] > box[0] and box[3] > box[1])


def as_tensor(rows: Sequence[Box]) -> Tensor:
    return tensor([list(row) for row in rows]).double().view(-1, 4)


def area(a: Box) -> float:
    return max(0.0, a[2] - a[0]) * max(0.0, a[3] - a[1])


def shared(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    union = area(a) + area(b) - shared(a, b)
    return shared(a, b) / union if union else 0.0


def around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def giou(a: Box, b: Box) -> float:
    whole = area(around(a, b))
    union = area(a) + area(b) - shared(a, b)
    return iou(a, b) - ((whole - union) / whole if whole else 0.0)


def diou(a: Box, b: Box) -> float:
    whole = around(a, b)
    diagonal = math.dist(whole[:2], whole[2:]) ** 2
    apart = math.dist([(a[0] + a[2]) / 2, (a[1] + a[3]) / 2], [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2]) ** 2
    return iou(a, b) - (apart / diagonal if diagonal else 0.0)


def ciou(a: Box, b: Box) -> float:
    def angle(box: Box) -> float:
        width, height = box[2] - box[0], box[3] - box[1]
        return math.atan2(width, height) if width or height else math.pi / 4

    v = 4 / math.pi**2 * (angle(a) - angle(b)) ** 2
    weight = v / (1 - iou(a, b) + v) if v else 0.0
    return diou(a, b) - weight * v


def nms(rows: Sequence[Box], scores: Sequence[float], threshold: float, labels: Sequence[int] | None) -> list[int]:
    kept: list[int] = []
    for candidate in sorted(range(len(rows)), key=lambda i: -scores[i]):
        rivals = [k for k in kept if labels is None or labels[k] == labels[candidate]]
        if all(iou(rows[candidate], rows[k]) <= threshold for k in rivals):
            kept.append(candidate)
    return kept


def soft_nms(
    rows: Sequence[Box],
    scores: Sequence[float],
    labels: Sequence[int] | None,
    *,
    method: str,
    iou_threshold: float,
    sigma: float,
    least_score: float,
) -> list[tuple[int, float]]:
    left = dict(enumerate(scores))
    kept = []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        score = left.pop(best)
        if score < least_score:
            break
        kept.append((best, score))
        for i in left:
            overlap = iou(rows[best], rows[i]) if labels is None or labels[i] == labels[best] else 0.0
            if method == "gaussian":
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap > iou_threshold:
                left[i] *= 1 - overlap
    return kept
