"""Matching against plain loops and torchvision's matcher."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection._utils import Matcher

from hubel.nn.boxes import BACKGROUND, IGNORED, match_by_threshold, match_one_to_one

# Eighths, so that ties and values on a threshold are frequent.
values = st.integers(0, 8).map(lambda eighths: eighths / 8)


@st.composite
def matrices(draw: st.DrawFn, least: int = 0) -> Tensor:
    objects, anchors = draw(st.integers(least, 4)), draw(st.integers(least, 6))
    rows = draw(st.lists(st.lists(values, min_size=anchors, max_size=anchors), min_size=objects, max_size=objects))
    return torch.tensor(rows).view(objects, anchors)


def by_loops(overlaps: Tensor, low: float, high: float, low_quality: bool) -> list[int]:
    objects, anchors = overlaps.shape
    found = []
    for anchor in range(anchors):
        column = overlaps[:, anchor].tolist()
        if not column:
            found.append(BACKGROUND)
            continue
        best = max(column)
        result = column.index(best) if best >= high else BACKGROUND if best < low else IGNORED
        for number in range(objects):
            most = max(overlaps[number].tolist())
            if low_quality and most > 0 and column[number] == most:
                result = column.index(best)
        found.append(result)
    return found


@settings(max_examples=200)
@given(overlaps=matrices(), low=values, high=values, low_quality=st.booleans())
def test_threshold_matching_is_its_definition(overlaps: Tensor, low: float, high: float, low_quality: bool) -> None:
    low, high = min(low, high), max(low, high)
    found = match_by_threshold(overlaps, low=low, high=high, low_quality=low_quality)
    assert found.dtype == torch.int64
    assert found.tolist() == by_loops(overlaps, low, high, low_quality)


@settings(max_examples=100)
@given(overlaps=matrices(least=1), low_quality=st.booleans())
def test_threshold_matching_is_torchvisions(overlaps: Tensor, low_quality: bool) -> None:
    overlaps = overlaps + 0.01  # theirs also matches what does not overlap at all
    theirs = Matcher(0.7, 0.3, low_quality)(overlaps)
    assert torch.equal(match_by_threshold(overlaps, low=0.3, high=0.7, low_quality=low_quality), theirs)


def test_an_object_that_no_anchor_overlaps_matches_none() -> None:
    overlaps = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.2, 0.1]])
    assert match_by_threshold(overlaps, low=0.3, high=0.7, low_quality=True).tolist() == [-1, 1, -1]


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^low is 0.7 and high 0.3: expected 0 <= low <= high <= 1$"):
        match_by_threshold(torch.zeros(1, 1), low=0.7, high=0.3)
    with pytest.raises(ValueError, match=r"^overlaps of shape \(3,\) came: expected \(objects, anchors\)$"):
        match_one_to_one(torch.zeros(3))


def pair_by_pair(overlaps: Tensor) -> list[int]:
    objects, anchors = overlaps.shape
    pairs = [(-float(overlaps[o, a]), o, a) for o in range(objects) for a in range(anchors) if overlaps[o, a] > 0]
    found, taken = [BACKGROUND] * objects, set()
    for _, number, anchor in sorted(pairs):
        if found[number] == BACKGROUND and anchor not in taken:
            found[number] = anchor
            taken.add(anchor)
    return found


@settings(max_examples=200)
@given(overlaps=matrices())
def test_one_to_one_matching_is_its_definition(overlaps: Tensor) -> None:
    before = overlaps.clone()
    assert match_one_to_one(overlaps).tolist() == pair_by_pair(overlaps)
    assert torch.equal(overlaps, before)
