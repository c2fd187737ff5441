"""Mean average precision: a worked example, plain loops on random cases, and what has no objects."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from hubel.tasks.average_precision import average_precision, rank
from hubel.tasks.detection_metrics import THRESHOLDS, detection_metrics, resampled_map50
from hubel.tasks.detectors import Detections, Objects


def found(*rows: tuple[float, ...]) -> Detections:
    """Rows of x1, y1, x2, y2, label, score."""
    table = torch.tensor(rows).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].long(), table[:, 5])


def there(*rows: tuple[float, ...]) -> Objects:
    """Rows of x1, y1, x2, y2, label."""
    table = torch.tensor(rows).reshape(-1, 5)
    return Objects(table[:, :4], table[:, 4].long())


def test_a_worked_example():
    """Three objects of a class; detections by score: right, wrong, right. The third object is never found."""
    objects = [there((0, 0, 10, 10, 0), (20, 0, 30, 10, 0)), there((0, 0, 50, 50, 0))]
    detections = [
        found((0, 0, 10, 10, 0, 0.9), (60, 60, 70, 70, 0, 0.8), (20, 0, 30, 8, 0, 0.7)),  # IoU 1, 0 and 0.8
        found(),
    ]
    metrics = detection_metrics(detections, objects, ["cell"])
    # Precision is 1 up to a recall of 1/3 (34 of the 101 values), 2/3 up to 2/3 (33 more), 0 beyond.
    low, high = (34 * 1 + 33 * 2 / 3) / 101, 34 / 101
    assert metrics.map50 == pytest.approx(low)
    assert metrics.map75 == pytest.approx(low)
    assert metrics.map == pytest.approx((7 * low + 3 * high) / 10)  # 0.8 is enough at 0.50 to 0.80
    assert metrics.recall100 == pytest.approx((7 * 2 / 3 + 3 * 1 / 3) / 10)
    assert (metrics.images, metrics.objects, metrics.by_class["cell"].objects) == (2, 3, 3)
    assert metrics.by_size["small"] == pytest.approx((7 * (51 + 50 * 2 / 3) + 3 * 51) / 1010)  # the large one left out
    assert metrics.by_size["medium"] == 0
    assert metrics.by_size["large"] is None
    curve = metrics.by_class["cell"].curve
    assert curve is not None
    assert curve.precision[33:35] == pytest.approx((1, 2 / 3))
    assert curve.precision[67] == 0
    assert (curve.score[0], curve.score[40], curve.score[90]) == pytest.approx((0.9, 0.7, 0))


def random_case(seed: int, pictures: int = 6) -> tuple[list[Detections], list[Objects]]:
    generator = np.random.default_rng(seed)
    detections, objects = [], []
    for _ in range(pictures):
        low = generator.uniform(0, 60, (generator.integers(0, 5), 2))
        boxes = np.concatenate([low, low + generator.uniform(5, 60, low.shape)], axis=1)
        labels = generator.integers(0, 3, len(boxes))
        moved = boxes.repeat(2, axis=0) + generator.normal(0, 4, (2 * len(boxes), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        seen = labels.repeat(2)
        seen[generator.uniform(size=len(seen)) < 0.2] = 2
        scores = generator.uniform(0, 1, len(seen))
        detections.append(Detections(*map(torch.tensor, (moved, seen, scores))))
        objects.append(Objects(torch.tensor(boxes), torch.tensor(labels)))
    return detections, objects


def by_loop(detections: list[Detections], objects: list[Objects], label: int, threshold: float) -> float:
    """Average precision as one reads it."""
    rows = sorted(
        (
            (-score, number, box)
            for number, (boxes, labels, scores) in enumerate(detections)
            for box, own, score in zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True)
            if own == label
        ),
        key=lambda row: row[:2],
    )
    left = [
        [box for box, own in zip(each.boxes.tolist(), each.labels.tolist(), strict=True) if own == label]
        for each in objects
    ]
    total = sum(map(len, left))
    points, right = [], 0
    for count, (_, number, (x1, y1, x2, y2)) in enumerate(rows, start=1):
        overlaps = []
        for a1, b1, a2, b2 in left[number]:
            shared = max(0, min(x2, a2) - max(x1, a1)) * max(0, min(y2, b2) - max(y1, b1))
            overlaps.append(shared / ((x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - shared))
        if overlaps and max(overlaps) >= threshold:
            left[number].pop(overlaps.index(max(overlaps)))
            right += 1
        points.append((right / total, right / count))
    levels = [step / 100 for step in range(101)]
    return sum(max((p for r, p in points if r >= level - 1e-12), default=0) for level in levels) / 101


@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_plain_loops(seed: int):
    detections, objects = random_case(seed)
    metrics = detection_metrics(detections, objects, ["a", "b", "c"])
    expected = {}
    for label, name in enumerate("abc"):
        if any((each.labels == label).any() for each in objects):
            expected[name] = [by_loop(detections, objects, label, threshold) for threshold in THRESHOLDS]
    for name, areas in expected.items():
        assert metrics.by_class[name].map == pytest.approx(np.mean(areas), abs=1e-6)
        assert metrics.by_class[name].map50 == pytest.approx(areas[0], abs=1e-6)
    assert metrics.map == pytest.approx(np.mean(list(expected.values())), abs=1e-6)


def test_average_precision_of_resamples_is_that_of_the_pictures_repeated():
    detections, objects = random_case(7)
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 3, 1, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=np.float64)
    for label in range(3):
        found = average_precision(rank(detections, objects, label, THRESHOLDS), weights)
        for row in range(2):
            times = weights[row].astype(int)
            repeated = [
                [each for each, count in zip(values, times, strict=True) for _ in range(count)]
                for values in (detections, objects)
            ]
            expected = [by_loop(*repeated, label, threshold) for threshold in THRESHOLDS]
            np.testing.assert_allclose(found[row], expected, atol=1e-9)
        assert np.isnan(found[2]).all()


def test_intervals_hold_the_figure_and_are_the_same_each_time():
    detections, objects = random_case(3, pictures=40)
    metrics = detection_metrics(detections, objects, ["a", "b", "c"])
    for figure, interval in ((metrics.map, metrics.map_ci95), (metrics.map50, metrics.map50_ci95)):
        assert interval is not None
        assert interval[0] < figure < interval[1]
        assert interval[1] - interval[0] < 0.4
    again = detection_metrics(detections, objects, ["a", "b", "c"])
    assert again.to_full_dict() == metrics.to_full_dict()
    grouped = detection_metrics(detections, objects, ["a", "b", "c"], groups=np.arange(40) // 8)
    assert grouped.map50_ci95 != metrics.map50_ci95


def test_objects_that_do_not_count_are_neither_misses_nor_mistakes():
    """By hand: one object that counts, found; one that does not, reported twice; one report of nothing."""
    objects = [there((0, 0, 10, 10, 0), (40, 40, 80, 80, 0))]
    ignored = [torch.tensor([False, True])]
    right, crowd, crowd_again = (0, 0, 10, 10, 0, 0.5), (40, 40, 80, 80, 0, 0.9), (50, 50, 60, 60, 0, 0.8)
    alone = detection_metrics([found(right, crowd, crowd_again)], objects, ["cell"], ignored=ignored)
    assert (alone.map50, alone.objects, alone.ignored) == (1, 1, 1)
    assert (alone.reported["cell"].reported, alone.reported["cell"].right) == (1, 1)
    assert (alone.reported["cell"].precision, alone.reported["cell"].recall) == (1, 1)
    # A report elsewhere is wrong; it comes before the right one, so precision is 1/2 at every recall.
    wrong = detection_metrics(
        [found(right, crowd, (20, 20, 30, 30, 0, 0.7))], objects, ["cell"], ignored=ignored, least_score=0.6
    )
    assert wrong.map50 == pytest.approx(0.5)
    assert (wrong.reported["cell"].reported, wrong.reported["cell"].right) == (1, 0)
    # Not to find it is no miss; were it to count, half of the objects would be missing.
    assert detection_metrics([found(right)], objects, ["cell"], ignored=ignored).map50 == 1
    assert detection_metrics([found(right)], objects, ["cell"]).map50 == pytest.approx(51 / 101)
    # A report that lies in it by less than the overlap counts, and is wrong.
    outside = detection_metrics([found(right, (20, 40, 50, 80, 0, 0.9))], objects, ["cell"], ignored=ignored)
    assert outside.map50 == pytest.approx(0.5)
    # Nothing counts: there is nothing to find.
    nothing = detection_metrics([found(crowd)], objects, ["cell"], ignored=[torch.tensor([True, True])])
    assert (nothing.map50, nothing.map50_ci95, nothing.objects, nothing.figures()["map50"]) == (None, None, 0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_ranking_of_what_is_ignored_is_that_of_faster_coco_eval(seed: int):
    detections, objects = random_case(seed, pictures=12)
    generator = torch.Generator().manual_seed(seed)
    ignored = [torch.rand(len(each.labels), generator=generator) < 0.4 for each in objects]
    metrics = detection_metrics(detections, objects, ["a", "b", "c"], ignored=ignored)
    assert metrics.ignored == sum(int(each.sum()) for each in ignored) > 0
    for label, name in enumerate("abc"):
        (own,) = average_precision(rank(detections, objects, label, THRESHOLDS, ignored), np.ones((1, 12)))
        if metrics.by_class[name].map is not None:
            assert own.mean() == pytest.approx(metrics.by_class[name].map, abs=1e-6)


def test_resamples_of_two_models_are_of_the_same_pictures():
    detections, objects = random_case(5, pictures=20)
    drawn = resampled_map50(detections, objects)
    assert drawn.shape == (1000,)
    assert np.array_equal(drawn, resampled_map50(detections, objects))
    whole = detection_metrics(detections, objects, ["a", "b", "c"])
    assert whole.map50_ci95 is not None
    assert whole.map50_ci95[0] < np.median(drawn) < whole.map50_ci95[1]
    assert np.isnan(resampled_map50([found()], [there()])).all()


def test_nothing_found_and_nothing_to_find():
    objects = [there((0, 0, 10, 10, 1)), there()]
    missed = detection_metrics([found(), found()], objects, ["a", "b"])
    assert (missed.map, missed.map50, missed.recall100) == (0, 0, 0)
    assert missed.by_class["a"].map is None
    assert missed.by_class["b"].map50 == 0
    assert missed.map50_ci95 == (0, 0)
    nothing = detection_metrics([found((0, 0, 5, 5, 0, 0.9))], [there()], ["a"])
    assert (nothing.map, nothing.map50, nothing.map_ci95, nothing.objects) == (None, None, None, 0)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="detections of 1 pictures came with the objects of 2"):
        detection_metrics([found()], [there(), there()], ["a"])
    with pytest.raises(ValueError, match="picture 0 of the batch has labels 2 to 2: expected 0 to 1"):
        detection_metrics([found()], [there((0, 0, 9, 9, 2))], ["a", "b"])


def test_faster_coco_eval_is_imported_when_it_is_needed():
    program = "import sys, hubel.tasks.detection_metrics; print('faster_coco_eval' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
