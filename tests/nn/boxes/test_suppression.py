"""One report per object: non-maximum suppression against plain loops and by its properties; soft-NMS."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apple_gpu import on_apple_gpu
from tests.nn.boxes import by_loops
from tests.nn.boxes.by_loops import Box, as_tensor, boxes
from torch import Tensor
from torchvision.ops import batched_nms

from hubel.nn.boxes import iou, nms, pairwise_iou, soft_nms

thresholds = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Box], list[float], list[int] | None]:
    """Boxes near each other, distinct scores, and perhaps labels."""
    count = draw(st.integers(0, 12))
    rows = draw(st.lists(boxes, min_size=count, max_size=count))
    scores = draw(st.permutations([(i + 1) / (count + 1) for i in range(count)]))
    labels = draw(st.none() | st.lists(st.integers(0, 3), min_size=count, max_size=count))
    return rows, scores, labels


def kept_of(rows: list[Box], scores: list[float], labels: list[int] | None, threshold: float) -> list[int]:
    return nms(as_tensor(rows), torch.tensor(scores).double(), iou_threshold=threshold, labels=numbers(labels)).tolist()


def numbers(labels: list[int] | None) -> Tensor | None:
    return None if labels is None else torch.tensor(labels, dtype=torch.int64)


@settings(max_examples=200)
@given(crowd=crowds(), threshold=thresholds)
def test_is_its_definition(crowd: tuple[list[Box], list[float], list[int] | None], threshold: float) -> None:
    rows, scores, labels = crowd
    assert kept_of(rows, scores, labels, threshold) == by_loops.nms(rows, scores, threshold, labels)


@settings(max_examples=200)
@given(crowd=crowds(), threshold=thresholds, data=st.data())
def test_properties(
    crowd: tuple[list[Box], list[float], list[int] | None], threshold: float, data: st.DataObject
) -> None:
    rows, scores, labels = crowd
    kept = kept_of(rows, scores, labels, threshold)
    overlaps = pairwise_iou(as_tensor(rows), as_tensor(rows)).tolist()

    def compete(i: int, j: int) -> bool:
        return labels is None or labels[i] == labels[j]

    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)
    # No two kept boxes of a class overlap above the threshold.
    assert all(overlaps[i][j] <= threshold for i in kept for j in kept if i != j and compete(i, j))
    # Every dropped box overlaps a better kept one.
    for dropped in set(range(len(rows))) - set(kept):
        assert any(
            overlaps[dropped][k] > threshold and scores[k] > scores[dropped] for k in kept if compete(dropped, k)
        )
    # Idempotent: what is kept is kept again.
    again = kept_of([rows[i] for i in kept], [scores[i] for i in kept], labels and [labels[i] for i in kept], threshold)
    assert again == list(range(len(kept)))
    # Free of order: the same boxes in another order, the same are kept.
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = kept_of(
        [rows[i] for i in order], [scores[i] for i in order], labels and [labels[i] for i in order], threshold
    )
    assert [order[i] for i in shuffled] == kept


def test_one_report_per_object() -> None:
    """Twelve reports around three objects, two of them of one class and side by side."""
    generator = torch.Generator().manual_seed(0)
    objects = torch.tensor([[10.0, 10, 50, 50], [60, 10, 100, 50], [30, 30, 70, 70]])
    labels = torch.tensor([0, 0, 1]).repeat(4)
    boxes = objects.repeat(4, 1) + torch.randn(12, 4, generator=generator)
    scores = torch.rand(12, generator=generator)
    kept = nms(boxes, scores, iou_threshold=0.5, labels=labels)
    found = pairwise_iou(boxes[kept], objects)
    assert sorted(found.argmax(dim=1).tolist()) == [0, 1, 2]
    assert (found.amax(dim=1) > 0.8).all()
    for number, report in zip(found.argmax(dim=1).tolist(), kept.tolist(), strict=True):
        assert scores[report] == scores[number::3].max()


def test_classes_are_apart_where_shifted_floats_would_not_be() -> None:
    """With 100,000 classes, float32 coordinates shifted by the label lose all digits behind the point."""
    boxes = torch.tensor([[0.0, 0, 1.5, 1], [0.5, 0, 2.0, 1]])  # an IoU of exactly 1 / 2
    scores, labels = torch.tensor([0.9, 0.8]), torch.tensor([99_999, 99_999])
    for threshold, count in ((0.49, 1), (0.5, 2)):
        assert len(nms(boxes, scores, iou_threshold=threshold, labels=labels)) == count
        assert len(nms(boxes, scores, iou_threshold=threshold, labels=torch.tensor([99_999, 99_998]))) == 2
    huge = torch.tensor([[-1e6, -1e6, 1e6, 1e6], [-1e6, -1e6, 1e6, 1e6]])
    assert len(nms(huge, scores, iou_threshold=0.5, labels=torch.tensor([0, 1]))) == 2


def test_many_boxes_are_those_of_torchvision() -> None:
    generator = torch.Generator().manual_seed(1)
    corner = 300 * torch.rand(2000, 2, generator=generator)
    boxes = torch.cat([corner, corner + 10 + 60 * torch.rand(2000, 2, generator=generator)], dim=1)
    scores, labels = torch.rand(2000, generator=generator), torch.randint(5, (2000,), generator=generator)
    kept = nms(boxes, scores, iou_threshold=0.5, labels=labels)
    assert torch.equal(kept, batched_nms(boxes.double(), scores.double(), labels, 0.5))


def test_equal_boxes_with_equal_scores_leave_the_first() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4]]).repeat(3, 1)
    assert nms(boxes, torch.full((3,), 0.5), iou_threshold=0.5).tolist() == [0]
    assert soft_nms(boxes, torch.full((3,), 0.5), method="linear")[0].tolist() == [0]


@settings(max_examples=150)
@given(
    crowd=crowds(),
    method=st.sampled_from(["linear", "gaussian"]),
    iou_threshold=thresholds,
    sigma=st.sampled_from([0.1, 0.5, 2.0]),
    least_score=st.sampled_from([0.0, 0.001, 0.3]),
)
def test_soft_nms_is_its_definition(
    crowd: tuple[list[Box], list[float], list[int] | None],
    method: str,
    iou_threshold: float,
    sigma: float,
    least_score: float,
) -> None:
    rows, scores, labels = crowd
    options = {"iou_threshold": iou_threshold, "sigma": sigma, "least_score": least_score}
    given_scores = torch.tensor(scores).double()
    kept, new = soft_nms(as_tensor(rows), given_scores, method=method, labels=numbers(labels), **options)
    expected = by_loops.soft_nms(rows, given_scores.tolist(), labels, method=method, **options)
    # Where two scores have shrunk to the same value, rounding decides which comes first.
    assert sorted(new.tolist(), reverse=True) == new.tolist()
    assert new.tolist() == pytest.approx([score for _, score in expected], rel=1e-6, abs=1e-9)
    if len({round(score, 9) for _, score in expected}) == len(expected):
        assert kept.tolist() == [position for position, _ in expected]


def test_soft_nms_keeps_the_neighbour_that_nms_drops() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    overlap = iou(boxes[0], boxes[1]).item()
    assert nms(boxes, scores, iou_threshold=0.5).tolist() == [0, 2]
    kept, new = soft_nms(boxes, scores)
    assert kept.tolist() == [0, 2, 1]
    assert new.tolist() == pytest.approx([0.9, 0.7, 0.8 * float(torch.tensor(-(overlap**2) / 0.5).exp())])
    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.7])  # unchanged
    kept, new = soft_nms(boxes, scores, labels=torch.tensor([0, 1, 0]))
    assert (kept.tolist(), new.tolist()) == ([0, 1, 2], pytest.approx([0.9, 0.8, 0.7]))


@pytest.mark.parametrize("suppress", [lambda *given: nms(*given, iou_threshold=0.5), soft_nms])
def test_bad_input_is_named(suppress: object) -> None:
    boxes, scores = torch.zeros(3, 4), torch.zeros(3)
    with pytest.raises(ValueError, match=r"^boxes of shape \(3, 4\) came with scores \(2,\): expected \(N, 4\) and"):
        suppress(boxes, scores[:2])
    boxes[1, 2] = torch.inf
    with pytest.raises(ValueError, match=r"^1 of 3 boxes have a coordinate or a score that is not finite$"):
        suppress(boxes, scores)
    with pytest.raises(ValueError, match=r"^method is 'cubic': expected linear or gaussian$"):
        soft_nms(boxes, scores, method="cubic")
    with pytest.raises(ValueError, match=r"^sigma is 0: expected more than 0$"):
        soft_nms(boxes, scores, sigma=0)


def test_no_boxes_are_good_input() -> None:
    boxes, scores = torch.zeros(0, 4), torch.zeros(0)
    assert nms(boxes, scores, iou_threshold=0.5).tolist() == []
    assert nms(boxes, scores, iou_threshold=0.5, labels=torch.zeros(0, dtype=torch.int64)).tolist() == []
    kept, new = soft_nms(boxes, scores)
    assert (kept.tolist(), new.tolist()) == ([], [])


@pytest.mark.parametrize("labelled", [True, False])
def test_on_an_apple_gpu_the_same_boxes_are_kept(labelled: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = 50 * torch.rand(200, 2, generator=generator)
    rows = torch.cat([corners, corners + 20 * torch.rand(200, 2, generator=generator)], dim=1)
    scores = torch.rand(200, generator=generator)
    labels = torch.randint(3, (200,), generator=generator) if labelled else None
    there = None if labels is None else on_apple_gpu(labels)
    kept = nms(on_apple_gpu(rows), on_apple_gpu(scores), iou_threshold=0.3, labels=there)
    assert torch.equal(kept.cpu(), nms(rows, scores, iou_threshold=0.3, labels=labels))
