"""Faster R-CNN's samples, loss and decoding on outputs that a hand can follow; parity is tested with the network."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from hubel.models.detection.faster_rcnn import FasterRCNNOutput
from hubel.nn.boxes import pairwise_iou
from hubel.tasks.detectors import Objects
from hubel.tasks.detectors.faster_rcnn import USUAL, decode, losses, region_sampler

CAT = Objects(torch.tensor([[10.0, 10, 50, 50]]), torch.tensor([1]))


def outputs(regions: list[torch.Tensor], class_logits: torch.Tensor) -> FasterRCNNOutput:
    """Outputs with these regions, which are exact, and two anchors of which the first one is the cat."""
    return FasterRCNNOutput(
        objectness=torch.zeros(len(regions), 2),
        anchor_deltas=torch.zeros(len(regions), 2, 4),
        anchors=torch.tensor([[10.0, 10, 50, 50], [60, 60, 90, 90]]),
        regions=regions,
        class_logits=class_logits,
        region_deltas=torch.zeros(len(class_logits), 3, 4),
        size=(100, 100),
    )


def test_a_sample_has_objects_up_to_its_share_and_is_drawn_by_its_generator():
    torch.manual_seed(0)
    near = CAT.boxes + torch.rand(60, 4)
    far = torch.tensor([[60.0, 60, 90, 90]]) + torch.rand(60, 4)
    proposals = [torch.cat((near, far))]
    (regions,) = region_sampler([CAT], count=40, generator=torch.Generator().manual_seed(1))(proposals)
    (again,) = region_sampler([CAT], count=40, generator=torch.Generator().manual_seed(1))(proposals)
    assert torch.equal(regions, again)
    assert len(regions) == 40
    assert int((pairwise_iou(CAT.boxes, regions) >= 0.5).sum()) == 10
    (background,) = region_sampler([Objects.none()], count=40)(proposals)
    assert len(background) == 40


def test_the_objects_own_boxes_are_among_the_regions():
    (regions,) = region_sampler([CAT])([torch.zeros(0, 4)])
    assert torch.equal(regions, CAT.boxes)


def test_the_loss_of_exact_boxes_is_that_of_the_classes():
    output = outputs([torch.tensor([[10.0, 10, 50, 50], [60, 60, 90, 90]])], torch.zeros(2, 3))
    found = losses(output, [CAT])
    assert found.objectness.item() == pytest.approx(math.log(2))
    assert found.classes.item() == pytest.approx(math.log(3))
    assert found.proposal_boxes.item() == found.boxes.item() == 0
    sure = outputs(output.regions, torch.tensor([[0.0, 0, 50], [50, 0, 0]]))  # label 1 is column 2, 0 is background
    assert losses(sure, [CAT]).classes.item() == pytest.approx(0)


def test_boxes_off_by_a_known_amount():
    """The region is 4 pixels to the left and 40 wide: its delta should be 10 · 4 / 40 = 1."""
    output = outputs([torch.tensor([[6.0, 10, 46, 50]])], torch.zeros(1, 3))
    found = losses(output, [CAT])
    assert found.boxes.item() == pytest.approx(1 - 1 / 18)  # smooth L1 beyond 1/9, of one region
    right = output._replace(region_deltas=torch.tensor([[[9.0] * 4, [9.0] * 4, [1.0, 0, 0, 0]]]))
    assert losses(right, [CAT]).boxes.item() == pytest.approx(0)


def test_decoding_is_class_by_class():
    regions = torch.tensor([[10.0, 10, 50, 50], [12, 10, 50, 50], [60, 60, 120, 90]])
    logits = torch.tensor([[0.1, 0.3, 0.6], [0.2, 0.7, 0.1], [0.96, 0.03, 0.01]]).log()
    (found,) = decode(outputs([regions], logits))
    assert found.labels.tolist() == [0, 1]
    torch.testing.assert_close(found.scores, torch.tensor([0.7, 0.6]))
    assert found.boxes.tolist() == [[12, 10, 50, 50], [10, 10, 50, 50]]
    (all_,) = decode(outputs([regions], logits), replace(USUAL, least_score=0.0))
    assert all_.boxes[:, 2].max() == 100  # cut off at the picture's border
    assert len(decode(outputs([regions], logits), replace(USUAL, least_score=0.0, most=2))[0].scores) == 2


def test_no_regions_and_no_objects():
    output = outputs([torch.zeros(0, 4), torch.zeros(0, 4)], torch.zeros(0, 3))
    assert [len(found.scores) for found in decode(output)] == [0, 0]
    found = losses(output, [Objects.none(), Objects.none()])
    assert found.total.item() == pytest.approx(math.log(2))  # all anchors are background


def test_objects_must_fit():
    output = outputs([CAT.boxes], torch.zeros(1, 3))
    with pytest.raises(ValueError, match="picture 0 of the batch has labels 2 to 2: expected 0 to 1"):
        losses(output, [CAT._replace(labels=torch.tensor([2]))])
