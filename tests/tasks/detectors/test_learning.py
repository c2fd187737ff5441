"""The networks, their losses and their decoding together: both detectors learn."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
import torch
from tests.tasks.detectors.learning import learn, map50_of

from hubel.models import build_model
from hubel.models.detection.csp_darknet import CSPDarknet
from hubel.models.detection.faster_rcnn import FasterRCNN
from hubel.models.detection.yolo import YOLO
from hubel.tasks.detectors import Objects, faster_rcnn, yolo

SIDE = 64


@pytest.mark.parametrize("bins", [16, pytest.param(1, marks=pytest.mark.slow)], ids=["distributions", "numbers"])
def test_yolo_learns(bins: int):
    torch.manual_seed(0)
    network = build_model("yolo_n", num_classes=2, bins=bins)
    learn(network, lambda images, objects: yolo.losses(network(images), objects).total, steps=90, rate=4e-3, side=SIDE)
    map50 = map50_of(
        network, lambda images: yolo.decode(network(images), (SIDE, SIDE), replace(yolo.USUAL, least_score=0.01)), SIDE
    )
    print(f"mAP at IoU 0.5: {map50:.3f}")
    assert map50 > 0.5


@pytest.mark.slow
def test_faster_rcnn_learns():
    torch.manual_seed(0)
    backbone = CSPDarknet(0.25, 1 / 3)
    network = FasterRCNN(backbone, num_classes=2, proposals=(200, 100))

    def loss(images: torch.Tensor, objects: list[Objects]) -> torch.Tensor:
        output = network(images, select=faster_rcnn.region_sampler(objects, count=64))
        return faster_rcnn.losses(output, objects, count=64).total

    learn(network, loss, steps=60, rate=1e-3, side=SIDE)
    map50 = map50_of(
        network, lambda images: faster_rcnn.decode(network(images), replace(faster_rcnn.USUAL, least_score=0.01)), SIDE
    )
    print(f"mAP at IoU 0.5: {map50:.3f}")
    assert map50 > 0.5


def test_an_untrained_detector_finds_next_to_nothing():
    torch.manual_seed(0)
    network = cast(YOLO, build_model("yolo_n", num_classes=2))
    assert (
        map50_of(
            network,
            lambda images: yolo.decode(network(images), (SIDE, SIDE), replace(yolo.USUAL, least_score=0.001)),
            SIDE,
        )
        < 0.1
    )
