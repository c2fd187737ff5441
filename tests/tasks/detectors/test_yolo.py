"""`yolo`: assignment against a plain loop, the loss against values worked by hand, decoding."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hubel.models import build_model
from hubel.models.detection.yolo import YOLOOutput
from hubel.nn.boxes import ciou, iou
from hubel.tasks.detectors import Objects
from hubel.tasks.detectors.yolo import POINTS_PER_OBJECT, USUAL, assign, boxes_of, decode, losses


def by_loop(
    scores: torch.Tensor, boxes: torch.Tensor, points: torch.Tensor, objects: Objects
) -> list[tuple[int, int, float]]:
    """TOOD's assignment of one picture as one reads it: of each assigned point its position, object and score."""
    chosen: dict[int, tuple[int, float, float]] = {}  # by point: object, overlap, how well it suits
    for number, (target, label) in enumerate(zip(objects.boxes, objects.labels, strict=True)):
        inside = [p for p, (x, y) in enumerate(points) if target[0] < x < target[2] and target[1] < y < target[3]] or [
            int((points - (target[:2] + target[2:]) / 2).square().sum(1).argmin())
        ]
        suits = {p: (scores[p, label] ** 0.5 * iou(boxes[p], target) ** 6).item() for p in inside}
        for p in sorted(inside, key=lambda p: -suits[p])[:POINTS_PER_OBJECT]:
            overlap = iou(boxes[p], target).item()
            if p not in chosen or overlap > chosen[p][1]:
                chosen[p] = (number, overlap, suits[p])
    found = []
    for p, (number, _, suit) in chosen.items():
        own = [value for value in chosen.values() if value[0] == number]
        found.append((p, number, suit / max(value[2] for value in own) * max(value[1] for value in own)))
    return sorted(found, key=lambda row: (row[1], row[0]))


@pytest.mark.parametrize("seed", range(5))
def test_assignment_is_that_of_a_plain_loop(seed: int):
    torch.manual_seed(seed)
    x, y = torch.meshgrid(torch.arange(10.0), torch.arange(10.0), indexing="xy")
    points = torch.stack((x.flatten(), y.flatten()), 1) * 8 + 4
    spread = 12 * torch.rand(3, 100, 4) + 1
    boxes = torch.cat((points - spread[..., :2], points + spread[..., 2:]), 2)
    low = torch.rand(6, 2) * 50
    many = Objects(torch.cat((low, low + torch.rand(6, 2) * 29 + 1), 1), torch.randint(4, (6,)))
    many.boxes[0] = torch.tensor([9.0, 9, 11, 11])  # between the points
    twice = Objects(torch.tensor([[8.0, 8, 40, 40], [8, 8, 40, 40], [30, 8, 70, 40]]), torch.tensor([1, 1, 2]))
    objects = [many, Objects.none(), twice]
    scores = torch.rand(3, 100, 4)
    found = assign(scores, boxes, points, objects)
    expected, before = [], 0
    for number, picture in enumerate(objects):
        if len(picture.labels):
            rows = by_loop(scores[number], boxes[number], points, picture)
            expected += [(number, point, before + of_object, score) for point, of_object, score in rows]
        before += len(picture.labels)
    pictures, places, numbers, wanted = map(torch.tensor, zip(*expected, strict=True))
    assert torch.equal(found.pictures, pictures)
    assert torch.equal(found.points, places)
    assert torch.equal(found.objects, numbers)
    torch.testing.assert_close(found.scores, wanted, rtol=1e-4, atol=1e-6)


def test_the_loss_of_a_batch_is_that_of_its_pictures():
    torch.manual_seed(0)
    network = build_model("yolo_n", num_classes=3).eval()
    with torch.no_grad():
        output = network(torch.randn(2, 3, 64, 64))
    output = output._replace(class_logits=torch.randn_like(output.class_logits))
    objects = [
        Objects(torch.tensor([[4.0, 4, 40, 60], [30, 30, 50, 50]]), torch.tensor([0, 2])),
        Objects(torch.tensor([[8.0, 8, 24, 24]]), torch.tensor([1])),
    ]
    alone = [output._replace(class_logits=output.class_logits[[n]], distances=output.distances[[n]]) for n in range(2)]
    sums = [
        float(assign(one.class_logits.sigmoid(), boxes_of(one), one.points, [there]).scores.sum())
        for one, there in zip(alone, objects, strict=True)
    ]
    both = losses(output, objects)
    parts = [losses(one, [there]) for one, there in zip(alone, objects, strict=True)]
    for name, value in both._asdict().items():
        total = sum(float(getattr(part, name)) * max(of_one, 1) for part, of_one in zip(parts, sums, strict=True))
        assert value.item() == pytest.approx(total / max(sum(sums), 1), rel=1e-4)


def one_point(distances: torch.Tensor, logit: float) -> YOLOOutput:
    """Outputs of one point, (12, 20), of stride 8, for one class."""
    return YOLOOutput(
        torch.full((1, 1, 1), logit), distances[None, None], torch.tensor([[12.0, 20.0]]), torch.tensor([8.0])
    )


def test_the_loss_of_one_point_is_what_a_hand_works_out():
    raw = torch.full((4, 4), -math.inf)
    raw[:, 1] = math.log(0.5)
    raw[:, 2] = math.log(0.5)  # 1.5 strides to every side: 12 pixels
    output = one_point(raw, logit=0.0)
    assert boxes_of(output)[0, 0].tolist() == [0, 8, 24, 32]
    objects = Objects(torch.tensor([[0.0, 8.0, 22.0, 32.0]]), torch.tensor([0]))
    found = losses(output, [objects])
    target = 22 / 24  # the IoU: the object's best and only point should be that sure
    assert found.classes.item() == pytest.approx(0.5 * math.log(2) / 1)  # over 1 at least
    overlap = ciou(boxes_of(output)[0, 0], objects.boxes[0]).item()
    assert found.boxes.item() == pytest.approx(7.5 * (1 - overlap) * target)
    # To the right it is 10 pixels, 1.25 strides: bins 1 and 2 should have 0.75 and 0.25; both have 0.5, as elsewhere.
    assert found.distributions.item() == pytest.approx(1.5 * math.log(2) * target)


def test_of_one_bin_a_distance_is_one_number():
    output = one_point(torch.full((4, 1), math.log(math.e - 1)), logit=2.0)  # softplus 1
    torch.testing.assert_close(boxes_of(output)[0, 0], torch.tensor([4.0, 12, 20, 28]))
    found = losses(output, [Objects(torch.tensor([[4.0, 12, 20, 28]]), torch.tensor([0]))])
    assert found.boxes.item() == pytest.approx(0, abs=1e-5)
    assert found.distributions.item() == 0


def test_an_object_farther_than_the_bins_reach_has_a_finite_loss():
    output = one_point(torch.randn(4, 4), logit=-1.0)
    found = losses(output, [Objects(torch.tensor([[-500.0, -500, 500, 500]]), torch.tensor([0]))])
    assert all(part.isfinite() for part in found)


def test_pictures_without_objects_teach_the_scores_alone():
    torch.manual_seed(0)
    network = build_model("yolo_n", num_classes=3).train()
    output = network(torch.randn(2, 3, 64, 64))
    found = losses(output, [Objects.none(), Objects.none()])
    assert found.boxes.item() == found.distributions.item() == 0
    assert 0 < found.classes.item() < math.inf
    found.total.backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    assert gradients["heads.stride8.classes.bias"].abs().min() > 0
    assert gradients["heads.stride8.distances.bias"].abs().max() == 0


def test_decoding_keeps_the_best_of_overlapping_boxes_class_by_class():
    points = torch.tensor([[16.0, 16], [18, 16], [48, 48], [16, 16]])
    distances = torch.full((1, 4, 4, 1), math.log(math.e - 1))  # one stride, 8 pixels
    logits = torch.full((1, 4, 2), -9.0)
    logits[0, 0, 0], logits[0, 1, 0], logits[0, 2, 1], logits[0, 3, 1] = 2.0, 1.0, 0.0, -0.5
    output = YOLOOutput(logits, distances, points, torch.full((4,), 8.0))
    (found,) = decode(output, (52, 64))
    assert found.labels.tolist() == [0, 1, 1]
    torch.testing.assert_close(found.scores, torch.tensor([2.0, 0.0, -0.5]).sigmoid())
    torch.testing.assert_close(found.boxes, torch.tensor([[8.0, 8, 24, 24], [40, 40, 56, 52], [8, 8, 24, 24]]))
    (few,) = decode(output, (52, 64), replace(USUAL, least_score=0.4, most=1))
    assert few.labels.tolist() == [0]


def test_objects_must_fit():
    output = one_point(torch.zeros(4, 4), logit=0.0)
    with pytest.raises(ValueError, match="picture 0 of the batch has labels 0 to 3: expected 0 to 0"):
        losses(output, [Objects(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9]]), torch.tensor([0, 3]))])
