"""Weighted box fusion: by hand, and its properties on random boxes."""

from __future__ import annotations

import pytest
import torch

from hubel.nn.boxes import nms
from hubel.tasks.box_fusion import fused
from hubel.tasks.detectors import Detections


def found(*rows: tuple[float, ...]) -> Detections:
    """Rows of x1, y1, x2, y2, label, score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].long(), table[:, 5])


def random_source(seed: int, count: int = 30) -> Detections:
    """As a detector leaves them: no two of a class overlap by more than 0.5."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 80
    boxes = torch.cat([low, low + 5 + torch.rand(count, 2, generator=generator) * 40], dim=1)
    labels, scores = torch.randint(3, (count,), generator=generator), torch.rand(count, generator=generator)
    kept = nms(boxes, scores, iou_threshold=0.5, labels=labels)
    return Detections(boxes[kept], labels[kept], scores[kept])


def close(first: Detections, second: Detections) -> bool:
    return torch.equal(first.labels, second.labels) and all(
        torch.allclose(a, b, atol=1e-4) for a, b in ((first.boxes, second.boxes), (first.scores, second.scores))
    )


def test_by_hand():
    first = found((0, 0, 10, 10, 0, 0.9), (50, 50, 60, 60, 1, 0.4))
    second = found((1, 0, 11, 10, 0, 0.6), (50, 50, 60, 60, 0, 0.5))
    boxes, labels, scores = fused([first, second])
    # The first two are one object: (0 × 0.9 + 1 × 0.6) / 1.5 = 0.4, with the mean score; the others differ in class.
    assert labels.tolist() == [0, 0, 1]
    assert boxes[0].tolist() == pytest.approx([0.4, 0, 10.4, 10])
    assert scores.tolist() == pytest.approx([0.75, 0.25, 0.2])


@pytest.mark.parametrize("seed", range(4))
def test_a_source_alone_or_repeated_stays_as_it_was(seed: int):
    source = random_source(seed)
    assert close(fused([source]), source)
    assert close(fused([source] * 3), source)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_sources_makes_no_difference(seed: int):
    sources = [random_source(10 * seed + number) for number in range(3)]
    assert close(fused(sources), fused(sources[::-1]))


def test_boxes_lie_within_those_they_are_made_of_and_scores_never_exceed_the_best():
    sources = [random_source(number) for number in range(3)]
    together = fused(sources)
    assert together.scores.max() <= max(float(each.scores.max()) for each in sources)
    assert torch.equal(together.scores, together.scores.sort(descending=True).values)
    every = torch.cat([each.boxes for each in sources])
    assert (together.boxes >= every.amin(dim=0) - 1e-4).all()
    assert (together.boxes <= every.amax(dim=0) + 1e-4).all()
    total = sum(float(each.scores.sum()) for each in sources) / 3
    assert float(together.scores.sum()) == pytest.approx(total, rel=1e-5)  # each box counts once


def test_sources_that_find_nothing():
    nothing = found()
    assert len(fused([nothing, nothing]).scores) == 0
    boxes, labels, scores = fused([nothing, found((0, 0, 5, 5, 2, 0.8))])
    assert (boxes.tolist(), labels.tolist()) == ([[0, 0, 5, 5]], [2])
    assert scores.tolist() == pytest.approx([0.4])
