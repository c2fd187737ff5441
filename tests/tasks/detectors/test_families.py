"""Detectors under one form: every registered one belongs to a family, and is read as the settings say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hubel.models import build_model, list_models
from hubel.models.detection.yolov1 import YOLOv1
from hubel.tasks.detectors import Objects, yolov1
from hubel.tasks.detectors.families import FAMILIES, detector_of
from hubel.tasks.detectors.suppression import Suppression, suppressed

# Two overlapping boxes of one class, one of another class at the same place, one elsewhere.
BOXES = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
LABELS, SCORES = torch.tensor([0, 0, 1, 0]), torch.tensor([0.9, 0.8, 0.7, 0.6])
HOW = Suppression(least_score=0.1, iou_threshold=0.5, most=10)


@pytest.mark.parametrize("name", list_models("detection"))
def test_every_registered_detector_has_a_family(name: str):
    with torch.device("meta"):
        assert isinstance(detector_of(build_model(name)).suppression, Suppression)


def test_class_aware_agnostic_soft_and_few():
    def scores_of(how: Suppression) -> list[float]:
        return suppressed(BOXES, LABELS, SCORES, how, candidates=100).scores.tolist()

    assert scores_of(HOW) == pytest.approx([0.9, 0.7, 0.6])
    assert scores_of(replace(HOW, class_aware=False)) == pytest.approx([0.9, 0.6])
    assert scores_of(replace(HOW, most=1)) == pytest.approx([0.9])
    soft = scores_of(replace(HOW, soft=True))
    overlap = 9 / 11
    shrunk = 0.8 * torch.tensor(-(overlap**2) / 0.5).exp().item()
    assert soft == pytest.approx([0.9, 0.7, 0.6, shrunk])
    assert len(scores_of(replace(HOW, soft=True, most=2))) == 2
    assert suppressed(BOXES, LABELS, SCORES, HOW, candidates=2).scores.tolist() == pytest.approx([0.9])
    nothing = suppressed(BOXES[:0], LABELS[:0], SCORES[:0], replace(HOW, soft=True), candidates=9)
    assert nothing.boxes.shape == (0, 4)


class Grid(YOLOv1):
    """YOLO's first version without its 270 million weights: the same outputs for every picture."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.num_classes = 2
        self.output = torch.nn.Parameter(torch.rand(1, 7, 7, 5 * 2 + 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output.expand(len(x), -1, -1, -1)


def test_yolov1_through_its_family():
    torch.manual_seed(0)
    network, images = Grid(), torch.zeros(2, 3, 448, 448)
    detector = FAMILIES[YOLOv1]
    assert detector_of(network) is detector
    assert not detector.any_size
    objects = [Objects(torch.tensor([[10.0, 20, 200, 300]]), torch.tensor([1])), Objects.none()]
    total, boxes = detector.loss(network, images, objects)
    parts = yolov1.losses(network(images), objects, num_classes=2, size=(448, 448))
    assert total.item() == pytest.approx(parts.total.item())
    assert boxes.item() == pytest.approx((parts.centres + parts.sizes).item())
    first, second = detector.detect(network, images, replace(detector.suppression, class_aware=False))
    assert len(first.scores) > 0
    assert torch.equal(first.boxes, second.boxes)


def test_halves_are_made_float32_before_boxes_are_told():
    network = build_model("yolo_n", num_classes=2).eval()
    objects = [Objects(torch.tensor([[8.0, 8, 40, 56]]), torch.tensor([1]))]
    with torch.autocast("cpu", torch.bfloat16):
        total, _ = detector_of(network).loss(network, torch.randn(1, 3, 64, 64), objects)
        (found,) = detector_of(network).detect(network, torch.randn(1, 3, 64, 64), replace(HOW, least_score=0.001))
    assert total.dtype == found.boxes.dtype == found.scores.dtype == torch.float32
