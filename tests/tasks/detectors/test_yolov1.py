"""YOLO version 1: equation 3 term by term, worked by hand, and what the outputs mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hubel.tasks.detectors import Objects
from hubel.tasks.detectors.yolov1 import USUAL, decode, losses, taken_apart

CLASSES = 3
SIZE = (448, 448)


def grid() -> torch.Tensor:
    """Outputs of one picture, 0 but for one cell, row 2 and column 3, which spans 192 to 256 and 128 to 192 pixels."""
    output = torch.zeros(1, 7, 7, 2 * 5 + CLASSES)
    output[0, 2, 3, 0:5] = torch.tensor([0.5, 0.5, 0.5, 0.25, 0.6])  # 112 wide, 28 high around (224, 160)
    output[0, 2, 3, 5:10] = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.3])  # 112 wide, 112 high
    output[0, 2, 3, 10:13] = torch.tensor([0.1, 0.7, 0.2])
    output[0, 6, 6, 4] = 0.4  # sure of an object where there is none
    return output


# Centre (240, 160), that is (0.75, 0.5) in its cell; 112 wide and high, whose roots are 0.5.
OBJECT = Objects(torch.tensor([[184.0, 104.0, 296.0, 216.0]]), torch.tensor([1]))


def test_equation_3_term_by_term():
    found = losses(grid(), [OBJECT], num_classes=CLASSES, size=SIZE)
    # The second box is responsible: it is the object shifted by 16 pixels, with the IoU 96·112 / (128·112) = 0.75; the
    # first one's is 96·28 / (112·28 + 112·112 - 96·28) = 0.207.
    assert found.centres.item() == pytest.approx(5 * (0.25**2 + 0))
    assert found.sizes.item() == pytest.approx(0)
    assert found.objectness.item() == pytest.approx((0.3 - 0.75) ** 2)
    assert found.no_objectness.item() == pytest.approx(0.5 * (0.6**2 + 0.4**2))
    assert found.classes.item() == pytest.approx(0.1**2 + 0.3**2 + 0.2**2)
    assert found.total.item() == pytest.approx(0.3125 + 0.2025 + 0.26 + 0.14)


def test_sizes_are_compared_by_their_roots():
    wide = Objects(torch.tensor([[128.0, 146.0, 352.0, 174.0]]), torch.tensor([1]))  # 224×28 around (240, 160)
    found = losses(grid(), [wide], num_classes=CLASSES, size=SIZE)
    # The first box, 112×28, is half of it, and of the same height; its roots are 0.5 and 0.25.
    assert found.sizes.item() == pytest.approx(5 * (0.5 - 0.5**0.5) ** 2)
    assert found.objectness.item() == pytest.approx((0.6 - 0.5) ** 2, abs=1e-6)


def test_of_two_objects_in_a_cell_the_first_counts():
    both = Objects(torch.cat((OBJECT.boxes, OBJECT.boxes + 4)), torch.tensor([1, 2]))
    assert losses(grid(), [both], num_classes=CLASSES, size=SIZE) == losses(
        grid(), [OBJECT], num_classes=CLASSES, size=SIZE
    )


def test_a_picture_without_objects_teaches_confidence_alone():
    output = grid().requires_grad_()
    found = losses(output, [Objects.none()], num_classes=CLASSES, size=SIZE)
    assert [round(part.item(), 6) for part in found] == [0, 0, 0, round(0.5 * (0.6**2 + 0.3**2 + 0.4**2), 6), 0]
    (gradient,) = torch.autograd.grad(found.total, output)
    assert gradient.isfinite().all()
    assert gradient[0, 6, 6, 4] == pytest.approx(0.4)


def test_pictures_are_averaged():
    one = losses(grid(), [OBJECT], num_classes=CLASSES, size=SIZE)
    two = losses(grid().repeat(2, 1, 1, 1), [OBJECT, OBJECT], num_classes=CLASSES, size=SIZE)
    torch.testing.assert_close(torch.stack(one), torch.stack(two))


def test_decoding_multiplies_class_and_confidence():
    (found,) = decode(grid(), num_classes=CLASSES, size=SIZE, how=replace(USUAL, least_score=0.05))
    # Boxes overlap by a quarter only, so both remain, with the classes whose product is above the least score.
    assert [
        (round(score, 2), label) for score, label in zip(found.scores.tolist(), found.labels.tolist(), strict=True)
    ] == [
        (0.42, 1),
        (0.21, 1),
        (0.12, 2),
        (0.06, 0),
        (0.06, 2),
    ]
    assert found.boxes[0].tolist() == [168, 146, 280, 174]
    assert found.boxes[1].tolist() == [168, 104, 280, 216]


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="outputs of 13 values came for 4 classes: expected 5 B"):
        taken_apart(grid(), 4)
    with pytest.raises(ValueError, match="objects of 2 pictures came with outputs of 1"):
        losses(grid(), [OBJECT, OBJECT], num_classes=CLASSES, size=SIZE)
    with pytest.raises(ValueError, match="picture 0 of the batch has labels 1 to 1: expected 0 to 0"):
        losses(torch.zeros(1, 7, 7, 11), [OBJECT], num_classes=1, size=SIZE)
    flat = Objects(torch.tensor([[10.0, 10, 10, 50]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="picture 0 of the batch has a box without width or height"):
        losses(grid(), [flat], num_classes=CLASSES, size=SIZE)
    ragged = Objects(torch.zeros(1, 5), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"boxes of shape \(1, 5\) and 1 labels: expected \(1, 4\)"):
        losses(grid(), [ragged], num_classes=CLASSES, size=SIZE)
