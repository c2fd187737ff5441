"""Class and box: the loss and the figures by hand, and a network that learns to find a bright rectangle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from hubel.models import build_model
from hubel.nn.boxes import cxcywh_to_xyxy, pairwise_iou
from hubel.tasks.localization import Localized, decode, in_pixels, losses, measure


def outputs_of(logits: list[list[float]], boxes: list[list[float]], objectness: list[float] | None = None) -> Tensor:
    """Outputs that decode to these boxes."""
    parts = [torch.tensor(logits), torch.tensor(boxes).logit()]
    return torch.cat([*parts, *([torch.tensor(objectness)[:, None]] if objectness else [])], dim=1)


def test_outputs_are_decoded() -> None:
    outputs = outputs_of([[0.0, math.log(3)]], [[0.5, 0.25, 0.5, 0.1]], [0.0])
    found = decode(outputs, 2)
    assert found.probabilities.tolist() == [pytest.approx([0.25, 0.75])]
    assert found.boxes.tolist() == [pytest.approx([0.5, 0.25, 0.5, 0.1])]
    assert found.objectness.tolist() == [0.5]
    assert decode(outputs[:, :6], 2).objectness is None
    assert in_pixels(found.boxes, (100, 200)).tolist() == [pytest.approx([50, 20, 150, 30])]
    assert in_pixels(torch.tensor([[0.0, 0.9, 0.5, 0.4]]), (10, 10)).tolist() == [pytest.approx([0, 7, 2.5, 10])]


def test_the_loss_by_hand() -> None:
    """Two pictures: log 2 and log 4 nats; squared errors 0.01 + 0.04, and nothing."""
    outputs = outputs_of([[0.0, 0.0], [math.log(3), 0.0]], [[0.4, 0.5, 0.3, 0.5], [0.5, 0.5, 0.5, 0.5]])
    truth = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])
    parts = losses(outputs, torch.tensor([0, 1]), truth, 2)
    assert parts.classes.item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert parts.boxes.item() == pytest.approx(5 * 0.05 / 2)
    assert parts.objectness.item() == 0
    assert parts.total.item() == pytest.approx(parts.classes.item() + parts.boxes.item())
    assert losses(outputs, torch.tensor([0, 1]), truth, 2, box_weight=2).boxes.item() == pytest.approx(2 * 0.05 / 2)
    by_giou = losses(outputs, torch.tensor([0, 1]), truth, 2, box_loss="giou").boxes
    told = cxcywh_to_xyxy(decode(outputs, 2).boxes)
    torch.testing.assert_close(by_giou, generalized_box_iou_loss(told, cxcywh_to_xyxy(truth), reduction="mean"))


def test_windows_without_an_object_count_for_objectness_alone() -> None:
    outputs = outputs_of([[0.0, 0.0], [5.0, 0.0]], [[0.4, 0.5, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]], [0.0, math.log(3)])
    truth, present = torch.full((2, 4), 0.5), torch.tensor([True, False])
    parts = losses(outputs, torch.tensor([0, -1]), truth, 2, present=present)
    assert parts.classes.item() == pytest.approx(math.log(2))
    assert parts.boxes.item() == pytest.approx(5 * 0.01)
    assert parts.objectness.item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    nowhere = losses(outputs, torch.tensor([0, 0]), truth, 2, present=torch.tensor([False, False]))
    assert (nowhere.classes.item(), nowhere.boxes.item()) == (0, 0)


def test_gradients_are_finite_for_wild_outputs() -> None:
    wild = torch.tensor([[1e4, -1e4, 1e4, -1e4, -1e4, -1e4], [0.0, 0, 0, 0, 0, 0]], requires_grad=True)
    for box_loss in ("squared", "giou"):
        total = losses(wild, torch.tensor([1, 0]), torch.tensor([[0.5, 0.5, 0.0, 0.0]] * 2), 2, box_loss=box_loss).total
        (gradient,) = torch.autograd.grad(total, wild)
        assert total.isfinite()
        assert gradient.isfinite().all()


@settings(max_examples=30)
@given(count=st.integers(1, 40), seed=st.integers(0, 2**31 - 1))
def test_figures_are_counted(count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(count, 3, generator=generator).softmax(dim=1)
    boxes, truth = (0.3 + 0.4 * torch.rand(count, 4, generator=generator) for _ in range(2))
    labels = torch.randint(3, (count,), generator=generator)
    ours = measure(Localized(probabilities, boxes), labels, truth)
    right = [int(row.argmax()) == int(label) for row, label in zip(probabilities, labels, strict=True)]
    overlaps = pairwise_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(truth)).diagonal().tolist()
    both = [is_right and overlap >= 0.5 for is_right, overlap in zip(right, overlaps, strict=True)]
    assert ours.images == count
    assert ours.accuracy == pytest.approx(np.mean(right))
    assert ours.mean_iou == pytest.approx(np.mean(overlaps), abs=1e-6)  # float32's rounding of coordinates up to 1
    assert ours.localization_accuracy == pytest.approx(np.mean(both))
    expected = F.nll_loss(probabilities.log(), labels) + 5 * (boxes - truth).square().sum(1).mean()
    assert ours.loss == pytest.approx(expected.item(), rel=1e-5)
    for name, value in ours.figures().items():
        ends = getattr(ours, f"{name}_ci95")
        if name == "mean_iou" and count == 1:  # resamples of a single picture are all the same
            assert ends is None
            continue
        assert ends[0] - 1e-9 <= value <= ends[1] + 1e-9
    assert list(ours.to_dict())[:3] == ["images", "loss", "loss_ci95"]
    assert ours.to_full_dict()["localization_accuracy_ci95"] == list(ours.localization_accuracy_ci95)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"^outputs of shape \(2, 6\) came: expected \(N, 7\) for 3 classes, or"):
        decode(torch.zeros(2, 6), 3)
    with pytest.raises(ValueError, match=r"^outputs of 2 pictures came with labels of shape \(3,\) and .*\(2, 4\)$"):
        losses(torch.zeros(2, 6), torch.zeros(3).long(), torch.zeros(2, 4), 2)
    with pytest.raises(ValueError, match=r"^`present` came, but the outputs have no objectness"):
        losses(torch.zeros(1, 6), torch.zeros(1).long(), torch.zeros(1, 4), 2, present=torch.ones(1).bool())
    with pytest.raises(ValueError, match=r"^box_loss is 'huber': expected squared or giou$"):
        losses(torch.zeros(1, 6), torch.zeros(1).long(), torch.zeros(1, 4), 2, box_loss="huber", box_weight=1)
    found = Localized(torch.full((1, 2), 0.5), torch.full((1, 4), 0.5))
    with pytest.raises(ValueError, match=r"^the true boxes have values from 3 to 90: expected centre, width"):
        measure(found, torch.zeros(1).long(), torch.tensor([[3.0, 8, 90, 20]]))
    with pytest.raises(ValueError, match=r"^boxes of shape None came with labels \(1,\)"):
        measure(Localized(found.probabilities), torch.zeros(1).long(), torch.zeros(1, 4))


def rectangles(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise with one rectangle each, bright (class 0) or dark (class 1): pictures, labels, relative boxes."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(count, 1, 32, 32, generator=generator)
    labels = torch.randint(2, (count,), generator=generator)
    boxes = torch.zeros(count, 4)
    for number in range(count):
        height, width = torch.randint(8, 18, (2,), generator=generator).tolist()
        top, left = (int(torch.randint(33 - side, (), generator=generator)) for side in (height, width))
        images[number, 0, top : top + height, left : left + width] += 1.0 if labels[number] == 0 else -1.0
        boxes[number] = torch.tensor([left + width / 2, top + height / 2, width, height]) / 32
    return images, labels, boxes


@pytest.mark.parametrize("box_loss", ["squared", "giou"])
def test_a_network_learns_to_find_a_bright_rectangle(box_loss: str) -> None:
    torch.manual_seed(0)
    network = build_model("localizer/lenet5_modern", num_classes=2, in_channels=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    images, labels, boxes = rectangles(1500, seed=1)
    test_images, test_labels, test_boxes = rectangles(200, seed=2)

    def figures() -> dict[str, float]:
        with torch.no_grad():
            return measure(decode(network(test_images), 2), test_labels, test_boxes, box_loss=box_loss).figures()

    before = figures()
    for step in range(240):
        batch = torch.arange(50 * step, 50 * step + 50) % len(images)
        loss = losses(network(images[batch]), labels[batch], boxes[batch], 2, box_loss=box_loss).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = figures()
    assert after["accuracy"] > 0.97
    assert after["mean_iou"] > 0.65 > before["mean_iou"] + 0.2
    assert after["localization_accuracy"] > 0.85
