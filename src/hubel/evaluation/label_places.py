"""Places for the labels of a chart's points, so that no label lies on another one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

# Costs, by squared pixels of overlap and pixels of distance: a label on a label is worst, then one on a point; and for
# a line from a point to its label through another label or point.
_ON_LABEL, _ON_POINT, _OUTSIDE, _PER_PIXEL = 40.0, 3.0, 200.0, 2.0
_CROSSED_LABEL, _CROSSED_POINT = 400.0, 200.0
_DIRECTIONS = 12
_DISTANCES = (0.0, 8.0, 20.0, 38.0, 62.0)
_ROUNDS, _STARTS = 6, 8
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
        across, up = self.width / 2, self.height / 2
        if not (min(x, point.x) - across < self.x < max(x, point.x) + across):
            return False
        if not (min(y, point.y) - up < self.y < max(y, point.y) + up):
            return False
        along = (step / _STEPS_ON_LINE for step in range(_STEPS_ON_LINE + 1))
        return any(
            abs(point.x + share * (x - point.x) - self.x) < across
            and abs(point.y + share * (y - point.y) - self.y) < up
            for share in along
        )


def place_labels(points: Sequence[Disc], sizes: Sequence[tuple[float, float]], frame: Box) -> list[Box]:
    """Choose a place for every point's label.

    Each label in turn takes the cheapest of its places, given where the others are, for a few rounds; the cheapest
    result of several orders counts.

    Args:
        points: Of the chart.
        sizes: Width and height of each point's label.
        frame: Where labels may be.

    Returns:
        The labels' rectangles.
    """
    candidates = [list(_places(point, *size)) for point, size in zip(points, sizes, strict=True)]
    obstacles = [Box(point.x, point.y, 1.8 * point.radius, 1.8 * point.radius) for point in points]
    centres = [Box(point.x, point.y, 8, 8) for point in points]
    fixed = [
        [
            _PER_PIXEL * distance
            + (0.0 if box.inside(frame) else _OUTSIDE * (box.width + box.height))
            + _ON_POINT * sum(box.overlap(other) for index, other in enumerate(obstacles) if index != number)
            + _CROSSED_POINT
            * sum(o.is_crossed_by_line(points[number], box) for i, o in enumerate(centres) if i != number)
            for box, distance in places
        ]
        for number, places in enumerate(candidates)
    ]
    shuffle = random.Random(0).shuffle
    best, least = [places[0][0] for places in candidates], math.inf
    for _ in range(_STARTS):
        order = list(range(len(points)))
        shuffle(order)
        chosen = _settle(order, points, candidates, fixed)
        if (cost := _total_cost(points, chosen, candidates, fixed)) < least:
            best, least = [places[index][0] for places, index in zip(candidates, chosen, strict=True)], cost
    return best


def _settle(
    order: Sequence[int],
    points: Sequence[Disc],
    candidates: Sequence[Sequence[tuple[Box, float]]],
    fixed: Sequence[Sequence[float]],
) -> list[int]:
    """Let each label in turn take the cheapest of its places, until none moves."""
    chosen: dict[int, int] = {}
    for _ in range(_ROUNDS):
        before = dict(chosen)
        for number in order:
            others = [(points[i], candidates[i][place][0]) for i, place in chosen.items() if i != number]
            costs = [
                cost + sum(_mutual_cost(points[number], box, *other) for other in others)
                for cost, (box, _) in zip(fixed[number], candidates[number], strict=True)
            ]
            chosen[number] = costs.index(min(costs))
        if chosen == before:
            break
    return [chosen[number] for number in range(len(points))]


def _total_cost(
    points: Sequence[Disc],
    chosen: Sequence[int],
    candidates: Sequence[Sequence[tuple[Box, float]]],
    fixed: Sequence[Sequence[float]],
) -> float:
    labels = [(point, places[index][0]) for point, places, index in zip(points, candidates, chosen, strict=True)]
    alone = sum(costs[index] for costs, index in zip(fixed, chosen, strict=True))
    return alone + sum(_mutual_cost(*one, *other) for one, other in combinations(labels, 2))


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
