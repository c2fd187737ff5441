"""An interval of 95 % holds the truth in 93 to 97 % of samples: every kind that is printed, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.stats import norm

from hubel.results import Interval
from hubel.tasks.classification import bootstrap_macro_f1, loss_interval, macro_f1, wilson_interval
from hubel.tasks.multilabel_metrics import mean_average_precision
from hubel.tasks.paired import tango_interval
from hubel.tasks.ranking import average_precision, delong_variance, roc_auc
from hubel.tasks.regression import intervals

# Pictures of each class in the test split of a real data set, as uneven as such things are.
UNEVEN = (30, 11, 35, 12, 15, 43, 53, 14, 74, 85)


def check_coverage(truth: float, draw: Callable[[], Interval], repetitions: int) -> None:
    """Draw intervals and count those that hold the truth."""
    intervals = np.array([draw() for _ in range(repetitions)])
    held = ((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).mean()
    assert 0.93 <= held <= 0.97, f"{held:.1%} of {repetitions} intervals hold {truth:.4f}"


@pytest.mark.parametrize(("count", "share"), [(40, 0.7), (100, 0.9), (372, 0.87), (372, 0.97)])
def test_wilson(count: int, share: float) -> None:
    generator = np.random.default_rng(1)
    check_coverage(share, lambda: wilson_interval(int(generator.binomial(count, share)), count), 4000)


@pytest.mark.parametrize(
    ("sizes", "accuracies", "count"),
    [((1, 1), (0.8, 0.8), 100), ((1, 1, 1), (0.6, 0.75, 0.9), 60), (UNEVEN, np.linspace(0.6, 0.95, 10), 372)],
)
def test_macro_f1(sizes: Sequence[int], accuracies: Sequence[float], count: int) -> None:
    share = np.array(sizes) / sum(sizes)
    chance = np.where(np.eye(len(share)) > 0, 0, share)
    cells = np.diag(accuracies) + (1 - np.array(accuracies))[:, None] * chance / chance.sum(axis=1, keepdims=True)
    cells *= share[:, None]
    generator = np.random.default_rng(2)

    def draw() -> Interval:
        matrix = generator.multinomial(count, cells.ravel()).reshape(cells.shape)
        return bootstrap_macro_f1(matrix, resamples=300, seed=int(generator.integers(2**31)))

    check_coverage(macro_f1((cells * 1e9).astype(np.int64)), draw, 1000)


@pytest.mark.parametrize(
    ("count", "only_first", "only_second"), [(372, 0.05, 0.03), (372, 0.02, 0.02), (100, 0.1, 0.05), (50, 0.2, 0.1)]
)
def test_paired_difference(count: int, only_first: float, only_second: float) -> None:
    generator = np.random.default_rng(3)
    shares = (only_first, only_second, 1 - only_first - only_second)

    def draw() -> Interval:
        first, second, _ = generator.multinomial(count, shares)
        return tango_interval(int(first), int(second), count)

    check_coverage(only_first - only_second, draw, 1500)


@pytest.mark.parametrize(
    ("positives", "negatives", "distance"), [(50, 50, 1.2), (30, 100, 2.5), (100, 272, 3.0), (300, 300, 2.0)]
)
def test_roc_auc(positives: int, negatives: int, distance: float) -> None:
    generator = np.random.default_rng(4)

    def draw() -> Interval:
        return roc_auc(generator.normal(distance, 1, positives), generator.normal(0, 1, negatives))[1]

    check_coverage(float(norm.cdf(distance / 2**0.5)), draw, 1500)


def test_of_few_positives_delongs_own_interval_is_too_narrow_and_ours_is_not() -> None:
    generator = np.random.default_rng(7)
    truth, repetitions = float(norm.cdf(2.5 / 2**0.5)), 1000
    held = np.zeros(2)
    for _ in range(repetitions):
        positives, negatives = generator.normal(2.5, 1, 12), generator.normal(0, 1, 360)
        area, variance = delong_variance(positives, negatives)
        if area < 1:  # where it is 1, DeLong's interval is that point
            at, half = np.log(area / (1 - area)), 1.96 * variance**0.5 / (area * (1 - area))
            held[0] += abs(np.log(truth / (1 - truth)) - at) <= half
        low, high = roc_auc(positives, negatives)[1]
        held[1] += low <= truth <= high
    assert held[0] / repetitions < 0.9
    assert held[1] / repetitions >= 0.95


@pytest.mark.parametrize(
    ("positives", "negatives", "distance"), [(50, 50, 1.2), (30, 100, 2.5), (100, 272, 3.0), (200, 200, 2.0)]
)
def test_average_precision(positives: int, negatives: int, distance: float) -> None:
    generator = np.random.default_rng(5)
    at = np.linspace(-8, distance + 8, 100_001)
    true, false = positives * norm.sf(at - distance), negatives * norm.sf(at)
    truth = float(np.trapezoid(true / (true + false) * norm.pdf(at - distance), at))

    def draw() -> Interval:
        scores = generator.normal(distance, 1, positives), generator.normal(0, 1, negatives)
        return average_precision(*scores)[1]

    check_coverage(truth, draw, 2000)


@pytest.mark.parametrize(("count", "classes", "spread"), [(60, 3, 2.0), (372, 10, 4.0)])
def test_mean_loss(count: int, classes: int, spread: float) -> None:
    generator = np.random.default_rng(6)

    def losses(number: int) -> np.ndarray:
        logits = generator.normal(0, spread, (number, classes))
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (probabilities.cumsum(axis=1) > generator.random((number, 1))).argmax(axis=1)
        return -np.log(probabilities[np.arange(number), labels])

    def draw() -> Interval:
        interval = loss_interval(losses(count))
        assert interval is not None
        return interval

    check_coverage(float(losses(400_000).mean()), draw, 2000)


@pytest.mark.parametrize(
    ("count", "shares", "distance"), [(150, (0.3, 0.5, 0.2), 1.5), (400, (0.05, 0.2, 0.5, 0.1), 2.0)]
)
def test_mean_average_precision(count: int, shares: tuple[float, ...], distance: float) -> None:
    def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of labels whose errors go together in a picture."""
        has = generator.random((count, len(shares))) < shares
        noise = 0.7**0.5 * generator.normal(size=has.shape) + 0.3**0.5 * generator.normal(size=(count, 1))
        return norm.cdf(noise + distance * has - 1), has

    generator = np.random.default_rng(8)
    truth, _ = mean_average_precision(*pictures(200_000))

    def draw() -> Interval:
        interval = mean_average_precision(*pictures(count))[1]
        assert interval is not None
        return interval

    check_coverage(truth, draw, 600)


@pytest.mark.parametrize("count", [50, 200])
def test_figures_of_numbers(count: int) -> None:
    generator = np.random.default_rng(9)
    truths = {"mae": (0.2 * 2 / np.pi) ** 0.5, "rmse": 0.2**0.5, "r2": 0.8}  # errors are N(0, 0.2), values N(0, 1)
    held = dict.fromkeys(truths, 0)
    for _ in range(400):
        values = generator.normal(size=count)
        predicted = 0.8 * values + 0.4 * generator.normal(size=count)
        for name, interval in intervals(predicted, values).items():
            assert interval is not None
            held[name] += interval[0] <= truths[name] <= interval[1]
    least = 0.91 if count < 100 else 0.93  # of few pictures, the largest errors are often missing
    assert all(least <= times / 400 <= 0.97 for times in held.values()), held
