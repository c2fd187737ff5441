"""Places for the labels of a chart's points, so that no label lies on another one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Costs, by squared pixels of overlap and pixels of distance: a label on a label is worst, then one on a point; and for
# a line from a point to its label through another label.
_ON_LABEL, _ON_POINT, _OUTSIDE, _PER_PIXEL = 40.0, 3.0, 200.0, 2.0
_CROSSED_LABEL = 400.0
_DIRECTIONS = 16
_DISTANCES = (0.0, 6.0, 14.0, 26.0, 42.0, 62.0, 86.0)
_ROUNDS = 6
_STEPS_ON_LINE = 16


@dataclass(frozen=True)
class Disc:
    """A point of a chart, in pixels.

    Attributes:
        x: Of its centre.
        y: Of its centre.
        radius: Of what is drawn.
    """

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, by its centre."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """The common area."""
        wide = (self.width + other.width) / 2 - abs(self.x - other.x)
        high = (self.height + other.height) / 2 - abs(self.y - other.y)
        return max(wide, 0.0) * max(high, 0.0)

    def inside(self, other: Box) -> bool:
        """Whether it lies in another one as a whole."""
        return (
            abs(self.x - other.x) + self.width / 2 <= other.width / 2
            and abs(self.y - other.y) + self.height / 2 <= other.height / 2
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the rectangle that is nearest to another one."""
        across, up = self.width / 2, self.height / 2
        return min(max(x, self.x - across), self.x + across), min(max(y, self.y - up), self.y + up)

    def is_crossed_by_line(self, point: Disc, label: Box) -> bool:
        """Whether the straight line from a point to its label comes through."""
        x, y = label.nearest(point.x, point.y)
        middle = Box((point.x + x) / 2, (point.y + y) / 2, abs(x - point.x) + 1, abs(y - point.y) + 1)
        if not self.overlap(middle):
            return False
        along = (step / _STEPS_ON_LINE for step in range(_STEPS_ON_LINE + 1))
        return any(
            abs(point.x + share * (x - point.x) - self.x) < self.width / 2
            and abs(point.y + share * (y - point.y) - self.y) < self.height / 2
            for share in along
        )


def place_labels(points: Sequence[Disc], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """Choose a place for every point's label.

    Each label in turn takes the cheapest of its places, given where the others are, for a few rounds.

    Args:
        points: Of the chart.
        sizes: Width and height of each point's label.
        frame: Where labels may be.

    Returns:
        The labels' rectangles.
    """
    candidates = [list(_places(point, *size)) for point, size in zip(points, sizes, strict=True)]
    obstacles = [[Box(p.x, p.y, 1.8 * p.radius, 1.8 * p.radius)] for p in points]
    fixed = [
        [
            _PER_PIXEL * distance
            + (0.0 if box.inside(frame) else _OUTSIDE * (box.width + box.height))
            + _ON_POINT * sum(box.overlap(o) for index, own in enumerate(obstacles) for o in own if index != number)
            for box, distance in places
        ]
        for number, places in enumerate(candidates)
    ]
    chosen: list[Box | None] = [None] * len(points)
    for _ in range(_ROUNDS):
        before = list(chosen)
        for number, places in enumerate(candidates):
            others = [(points[i], box) for i, box in enumerate(chosen) if box is not None and i != number]
            costs = [
                cost + sum(_mutual_cost(points[number], box, *other) for other in others)
                for cost, (box, _) in zip(fixed[number], places, strict=True)
            ]
            chosen[number] = places[costs.index(min(costs))][0]
        if chosen == before:
            break
    return [box for box in chosen if box is not None]


def _mutual_cost(point: Disc, label: Box, other_point: Disc, other_label: Box) -> float:
    crossings = other_label.is_crossed_by_line(point, label) + label.is_crossed_by_line(other_point, other_label)
    return _ON_LABEL * label.overlap(other_label) + _CROSSED_LABEL * crossings


def _places(point: Disc, width: float, height: float) -> Iterator[tuple[Box, float]]:
    """Rectangles for a point's label with what their distance counts: in the point where it is large, and around it."""
    if math.hypot(width, height) < 2 * point.radius:
        yield Box(point.x, point.y, width, height), 0.0
    for distance in _DISTANCES:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * step / _DIRECTIONS
            across, up = math.cos(angle), math.sin(angle)
            reach = point.radius + 2 + distance
            x = point.x + across * (reach + width / 2)
            y = point.y + up * (reach + height / 2)
            yield Box(x, y, width, height), distance + 2
