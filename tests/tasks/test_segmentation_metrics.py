"""Figures of masks against sets of pixels, and their intervals against drawing pictures one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.errors import DataError
from hubel.tasks.segmentation_metrics import MaskCounts, confusion_matrix

CLASSES = ("background", "cell", "membrane")


def pictures(seed: int, count: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks of different sizes, some pixels ignored, and predictions that are right in two thirds of the pixels."""
    generator = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        size = generator.integers(3, 12, 2)
        truth = generator.integers(0, 3, size)
        predicted = np.where(generator.random(size) < 0.6, truth, generator.integers(0, 3, size))
        truth[generator.random(size) < 0.2] = 255
        result.append((truth, predicted))
    return result


def counted(of: list[tuple[np.ndarray, np.ndarray]]) -> MaskCounts:
    counts = MaskCounts(CLASSES)
    for truth, predicted in of:
        counts.add(truth, predicted)
    return counts


def as_sets(of: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[set], list[set], set]:
    """Of each class the pixels that have it and the pixels that were given it, and all pixels that count."""
    places = [(n, *place) for n, (truth, _) in enumerate(of) for place in np.argwhere(truth != 255).tolist()]
    true = [{p for p in places if of[p[0]][0][p[1:]] == label} for label in range(3)]
    given_ = [{p for p in places if of[p[0]][1][p[1:]] == label} for label in range(3)]
    return true, given_, set(places)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_figures_are_those_of_sets_of_pixels(seed: int):
    of = pictures(seed)
    metrics = counted(of).measure()
    true, predicted, places = as_sets(of)
    iou = [len(a & b) / len(a | b) for a, b in zip(true, predicted, strict=True)]
    dice = [2 * len(a & b) / (len(a) + len(b)) for a, b in zip(true, predicted, strict=True)]
    right = sum(len(a & b) for a, b in zip(true, predicted, strict=True))
    assert metrics.iou == pytest.approx(iou)
    assert metrics.dice == pytest.approx(dice)
    assert metrics.mean_iou == pytest.approx(np.mean(iou))
    assert metrics.mean_dice == pytest.approx(np.mean(dice))
    assert metrics.pixel_accuracy == pytest.approx(right / len(places))
    assert metrics.confusion.tolist() == [[len(a & b) for b in predicted] for a in true]
    assert metrics.images == len(of)


def test_intervals_are_those_of_pictures_drawn_one_by_one():
    of = pictures(3, count=15)
    metrics = counted(of).measure()
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(600):
        resample = counted([of[number] for number in generator.integers(len(of), size=len(of))])
        confusion = resample.confusion
        iou = confusion.diagonal() / (confusion.sum(0) + confusion.sum(1) - confusion.diagonal())
        drawn.append((iou.mean(), confusion.trace() / confusion.sum(), iou[1]))
    for name, values in zip(("mean_iou", "pixel_accuracy", "iou/cell"), np.array(drawn).T, strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        assert metrics.intervals[name] == pytest.approx((low, high), abs=0.15 * (high - low)), name
    assert metrics.intervals["mean_iou"][0] < metrics.mean_iou < metrics.intervals["mean_iou"][1]


def test_a_class_that_is_nowhere_has_no_figure_and_does_not_count_in_the_mean():
    counts = MaskCounts(("a", "b", "c"))
    counts.add(np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]]))
    metrics = counts.measure()
    assert metrics.iou == (1 / 2, 2 / 3, None)
    assert metrics.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics.to_full_dict()["per_class"]["c"] == {
        **{"iou": None, "iou_ci95": None, "dice": None, "dice_ci95": None, "pixels": 0}
    }
    assert metrics.intervals["mean_iou"] is None  # of one picture


def test_a_class_that_is_only_predicted_counts_as_nothing_right():
    counts = MaskCounts(("a", "b"))
    counts.add(np.zeros((2, 2), int), np.array([[0, 0], [0, 1]]))
    assert counts.measure().iou == (3 / 4, 0.0)


def test_as_json():
    values = json.loads(json.dumps(counted(pictures(0)).measure().to_full_dict()))
    assert values["mean_iou_ci95"][0] <= values["mean_iou"] <= values["mean_iou_ci95"][1]
    assert list(values["per_class"]) == list(CLASSES)
    assert "loss" not in values  # of masks alone
    assert np.array(values["confusion"]).sum() == sum(each["pixels"] for each in values["per_class"].values())


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"a mask of shape \(2, 3\) and a prediction of shape \(3, 2\) came"),
        (np.full((2, 2), 7), np.zeros((2, 2)), "the mask has the value 7: expected classes 0 to 2"),
        (np.zeros((2, 2)), np.full((2, 2), -1), "the prediction has the value -1: expected classes 0 to 2"),
    ],
)
def test_what_cannot_be_counted_is_named(truth: np.ndarray, predicted: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(truth.astype(int), predicted.astype(int), 3)


def test_nothing_counted_is_said():
    counts = MaskCounts(CLASSES)
    counts.add(np.full((2, 2), 255), np.zeros((2, 2), int))
    with pytest.raises(DataError, match="no pixel was counted"):
        counts.measure()
