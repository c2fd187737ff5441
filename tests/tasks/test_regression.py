"""A number: figures against scikit-learn, the loss by hand, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from hubel.bundle import TargetScale
from hubel.config import TrainConfig
from hubel.errors import ConfigError, DataError
from hubel.results.naming import figure_text
from hubel.tasks.regression import RegressionTask, intervals, measure

AGE = TargetScale(40.0, 10.0)


@settings(max_examples=30)
@given(count=st.integers(1, 80), seed=st.integers(0, 2**32 - 1), far=st.sampled_from([0.0, 1e6]))
def test_figures_equal_those_of_scikit_learn(count: int, seed: int, far: float) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(far, 10, count)
    predicted = values + generator.normal(0, 5, count)
    ours = measure(predicted, values, TargetScale(far, 10.0))
    assert ours.mae == pytest.approx(oracle.mean_absolute_error(values, predicted))
    assert ours.rmse == pytest.approx(oracle.root_mean_squared_error(values, predicted))
    if count == 1:
        assert ours.r2 is None
        assert ours.r2_ci95 is None
        return
    assert ours.r2 == pytest.approx(oracle.r2_score(values, predicted), rel=1e-6)
    low, high = ours.mae_ci95
    assert low <= ours.mae * (1 + 1e-12)
    assert ours.mae <= high * (1 + 1e-12)


def test_values_that_are_all_the_same_have_no_r2() -> None:
    ours = measure(np.array([1.0, 2.0, 3.0]), np.full(3, 0.1), TargetScale(0.0, 1.0))
    assert (ours.r2, ours.r2_ci95) == (None, None)
    assert "r2" not in ours.figures()
    assert ours.to_dict()["r2"] is None


def test_the_loss_by_hand() -> None:
    task = RegressionTask(AGE)
    outputs = torch.tensor([[0.0], [0.5], [-1.0]])
    values = torch.tensor([40.0, 40.0, 60.0])  # 0, 0 and 2 standard deviations: errors 0, 1/2 and 3
    assert task.loss(outputs, values).item() == pytest.approx((0 + 0.125 + 2.5) / 3)
    measured = task.measure(task.predictions(outputs), values.numpy())
    assert measured.loss == pytest.approx((0 + 0.125 + 2.5) / 3)
    assert measured.mae == pytest.approx((0 + 5 + 30) / 3)
    assert task.score(outputs, values).item() == pytest.approx(35)


def test_results_are_in_the_units_of_the_values() -> None:
    task = RegressionTask(AGE)
    first, second = task.results(task.predictions(torch.tensor([[1.5], [-2.0]])), ["x.png", None])
    assert (first.value, first.path, second.value) == (55.0, "x.png", 20.0)
    assert first.to_dict() == {"path": "x.png", "value": 55.0}
    assert first.csv_rows(3) == [{"path": "x.png", "value": "55"}]


def test_baselines_are_the_mean_and_the_median() -> None:
    training, labels = np.array([0, 0, 1, 9], dtype=np.float32), np.array([0, 2], dtype=np.float32)
    mean, median = RegressionTask(AGE).baselines(labels, training)
    assert mean.name == "always 2.5, the mean of the training pictures"
    assert mean.figures["mae"][0] == pytest.approx(1.5)
    assert median.name == "always 0.5, the median of the training pictures"
    assert median.figures["mae"][0] == pytest.approx(1.0)
    own, _ = RegressionTask(AGE).baselines(labels, None)
    assert own.name.endswith("of these pictures")
    assert own.figures["r2"][0] == pytest.approx(0)


def test_epochs_are_ranked_by_the_mean_absolute_error() -> None:
    task, values = RegressionTask(AGE), np.array([30.0, 50.0], dtype=np.float32)
    near, far = (task.measure(np.array([[30.0 + error], [50.0 + error]]), values) for error in (1.0, 2.0))
    assert task.rank(near) > task.rank(far)


def test_the_scale_is_that_of_the_training_values() -> None:
    task = RegressionTask.for_training((), np.array([1, 2, 3, 6], dtype=np.float32), TrainConfig())
    assert task.scale == TargetScale(3.0, float(np.sqrt(3.5)))
    assert task.in_bundle() == {"classes": (), "scale": task.scale}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"imbalance": "weights"}, "imbalance=weights came, .* no classes whose sizes could differ"),
        ({"imbalance": "sampling"}, "imbalance=sampling came"),
        ({"label_smoothing": 0.1}, "label_smoothing=0.1 came, .* no classes to spread"),
        ({"augment": {"mixup": 0.2}}, "augment.mixup=0.2 came, .* a blend of two pictures has no number of its own"),
        ({"augment": {"cutmix": 1.0}}, "augment.cutmix=1.0 came"),
    ],
)
def test_what_is_about_classes_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        RegressionTask.for_training((), np.array([1, 2], dtype=np.float32), TrainConfig.from_values(fields))


def test_equal_values_are_refused() -> None:
    with pytest.raises(DataError, match="all 3 training pictures have the value 7: there is nothing to learn"):
        RegressionTask.for_training((), np.full(3, 7, dtype=np.float32), TrainConfig())


def test_thresholds_are_refused() -> None:
    with pytest.raises(ConfigError, match="the model predicts a number: there is nothing to decide"):
        RegressionTask(AGE).with_thresholds([0.5])


def test_a_single_picture_has_no_intervals() -> None:
    """Resamples of it are all the same, which says nothing of others."""
    metrics = RegressionTask(AGE).measure(np.array([[31.0]]), np.array([33.0], dtype=np.float32))
    assert (metrics.mae, metrics.rmse) == (2, 2)
    told = metrics.to_dict()
    assert told["mae"] == 2
    assert all(told[name] is None for name in ("loss_ci95", "mae_ci95", "rmse_ci95"))
    assert set(intervals(np.ones(4), np.arange(4.0), np.zeros(4, np.int64)).values()) == {None}  # all of one group


def test_groups_that_err_together_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    values = generator.normal(0, 10, 200)
    predicted = values + generator.normal(0, 3, 20)[groups]
    plain, grouped = intervals(predicted, values)["mae"], intervals(predicted, values, groups)["mae"]
    assert plain is not None
    assert grouped is not None
    assert grouped[1] - grouped[0] > 2 * (plain[1] - plain[0])


def test_what_a_comparison_says() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(40, 10, 100).astype(np.float32)
    good, bad = ((values + generator.normal(0, spread, 100))[:, None] for spread in (1, 5))
    difference = RegressionTask(AGE).compare(good, bad, values)
    assert difference.difference == pytest.approx(
        np.abs(good[:, 0] - values).mean() - np.abs(bad[:, 0] - values).mean()
    )
    assert difference.distinguishable
    assert difference.to_dict()["figure"] == "mae"
    single = RegressionTask(AGE).compare(good[:1], bad[:1], values[:1])
    assert single.ci95 is None
    assert not single.distinguishable


def test_large_numbers_are_written_out() -> None:
    task = RegressionTask(TargetScale(250_000.0, 80_000.0))
    assert task.describe() == "with a number each (mean 250,000, standard deviation 80,000 in training)"
    (house,) = task.results(np.array([[312_345.6]]), ["house.png"])
    assert house.table_row(1) == {"picture": "house.png", "value": "312,346"}
    assert house.csv_rows(1)[0]["value"] == "312345.6"
    assert figure_text("mae", 0.001234, (0.001, 0.0015)) == "0.001234 (95 % interval 0.001 to 0.0015)"
    assert figure_text("mae", 12345.6, (11000.2, 13000.4)) == "12,346 (95 % interval 11,000 to 13,000)"
