from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubel.tasks.losses import classification_loss, inverse_frequencies

# softmax of (0, ln 3) is (1/4, 3/4), that of (0, 0) is (1/2, 1/2)
LOGITS = torch.tensor([[0.0, np.log(3.0)], [0.0, 0.0]])
LABELS = torch.tensor([1, 0])


def test_weights_by_hand() -> None:
    weighted = classification_loss(LOGITS, LABELS, class_weights=(3.0, 0.5))
    assert weighted.item() == pytest.approx((0.5 * -np.log(0.75) + 3.0 * -np.log(0.5)) / 2)


def test_the_focal_loss_by_hand() -> None:
    focal = classification_loss(LOGITS, LABELS, focal_gamma=2.0)
    assert focal.item() == pytest.approx((0.25**2 * -np.log(0.75) + 0.5**2 * -np.log(0.5)) / 2)
    both = classification_loss(LOGITS, LABELS, focal_gamma=2.0, class_weights=(3.0, 0.5))
    assert both.item() == pytest.approx((0.5 * 0.25**2 * -np.log(0.75) + 3.0 * 0.5**2 * -np.log(0.5)) / 2)


def test_the_focal_loss_of_smoothed_labels_by_hand() -> None:
    focal = classification_loss(LOGITS[:1], LABELS[:1], focal_gamma=1.0, label_smoothing=0.2)
    assert focal.item() == pytest.approx(0.25 * (-0.9 * np.log(0.75) - 0.1 * np.log(0.25)))


def test_weights_of_one_and_a_gamma_of_nothing_are_the_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(20, 5, generator=generator), torch.arange(20) % 5
    plain = classification_loss(logits, labels, label_smoothing=0.1)
    ones = classification_loss(logits, labels, label_smoothing=0.1, class_weights=(1.0,) * 5)
    torch.testing.assert_close(ones, plain)
    torch.testing.assert_close(classification_loss(logits, labels, focal_gamma=1e-12, label_smoothing=0.1), plain)


def test_inverse_frequencies_by_hand() -> None:
    assert inverse_frequencies([90, 10]) == pytest.approx((100 / 180, 5.0))
    with pytest.raises(ValueError, match="the classes have 3, 0 pictures: expected at least one of each"):
        inverse_frequencies([3, 0])


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=30))
def test_every_class_has_the_same_part_of_the_loss(counts: list[int]) -> None:
    weights = inverse_frequencies(counts)
    parts = [weight * count for weight, count in zip(weights, counts, strict=True)]
    assert parts == pytest.approx([sum(counts) / len(counts)] * len(counts))  # so their mean over pictures is 1
