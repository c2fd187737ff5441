"""A number: how old, how ripe, how much. The loss sees standardised values; all else is in the units of the data.

The functions work on arrays; `RegressionTask` is the thin shell that the training loop and the predictor hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from hubel.bundle import TargetScale
from hubel.data.labels import Labelling
from hubel.errors import ConfigError, DataError
from hubel.results import Interval, Metrics, Number, RegressionMetrics
from hubel.results.naming import number_text
from hubel.tasks.baselines import Baseline, whose
from hubel.tasks.classification import loss_interval
from hubel.tasks.paired import MeanDifference, mean_difference
from hubel.tasks.resampling import middle, resamples

if TYPE_CHECKING:
    from hubel.bundle import Bundle
    from hubel.config import TrainConfig
    from hubel.tasks.task import Floats, Labels

_FIGURES = ("mae", "rmse", "r2")


@dataclass(frozen=True)
class RegressionTask:
    """What training, prediction and evaluation need to know of a number.

    Attributes:
        scale: Mean and standard deviation of the training values; a network's output 0 means the mean, 1 one standard
            deviation more.
    """

    scale: TargetScale

    name: ClassVar[str] = "regression"
    labelling: ClassVar[Labelling] = "number"
    score_name: ClassVar[str] = "mae"
    thresholds: ClassVar[tuple[float, ...]] = ()
    calibrates: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[int] = 1

    @classmethod
    def for_training(cls, classes: tuple[str, ...], labels: Labels, config: TrainConfig) -> Self:
        """The task of a run.

        Raises:
            ConfigError: A setting that is about classes is set.
            DataError: All values are the same.
        """
        refused = {
            f"imbalance={config.imbalance}": config.imbalance != "none",
            f"label_smoothing={config.label_smoothing}": bool(config.label_smoothing),
            f"augment.mixup={config.augment.mixup}": config.augment.mixup,
            f"augment.cutmix={config.augment.cutmix}": config.augment.cutmix,
        }
        reasons = {
            "imbalance": "there are no classes whose sizes could differ",
            "label_smoothing": "there are no classes to spread a probability over",
            "augment.mixup": "a blend of two pictures has no number of its own",
            "augment.cutmix": "a picture with a box of another one has no number of its own",
        }
        for setting, is_set in refused.items():
            if is_set:
                reason = reasons[setting.partition("=")[0]]
                raise ConfigError(f"{setting} came, but the pictures have a number each: {reason}; leave it out")
        values = labels.astype(np.float64)
        deviation = float(values.std())
        if not deviation > 0:
            raise DataError(
                f"all {len(values):,} training pictures have the value {values[0]:g}: there is nothing to learn; "
                "expected values that differ"
            )
        return cls(TargetScale(float(values.mean()), deviation))

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """The task of a trained model."""
        return cls(bundle.scale or TargetScale(0.0, 1.0))

    def in_bundle(self) -> Mapping[str, Any]:
        """What a bundle keeps of it."""
        return {"classes": (), "scale": self.scale}

    def describe(self) -> str:
        """`with a number each (mean 31.2, standard deviation 8.4)`."""
        mean, deviation = number_text(self.scale.mean), number_text(self.scale.standard_deviation)
        return f"with a number each (mean {mean}, standard deviation {deviation} in training)"

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean Huber loss of the standardised values: outputs (N, 1) and values (N,) to a scalar.

        Up to one standard deviation an error costs half its square, and more than that its absolute value: a few wrong
        numbers, as every collection has, do not outweigh all others (Huber 1964, doi:10.1214/aoms/1177703732).
        """
        targets = (labels.float() - self.scale.mean) / self.scale.standard_deviation
        return F.huber_loss(outputs.float().squeeze(1), targets)

    def score(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum of a batch's absolute errors, in the units of the values."""
        values = outputs.float().squeeze(1) * self.scale.standard_deviation + self.scale.mean
        return (values - labels).abs().sum()

    def sampling_groups(self, labels: Labels) -> npt.NDArray[np.int64]:
        """All pictures are in one group."""
        return np.zeros(len(labels), dtype=np.int64)

    def predictions(self, outputs: torch.Tensor) -> Floats:
        """The numbers, float64 (N, 1), in the units of the training values."""
        standardised: Floats = outputs.detach().cpu().double().numpy()
        return standardised * self.scale.standard_deviation + self.scale.mean

    def results(self, predictions: Floats, paths: Sequence[str | None]) -> list[Number]:
        """A result for each row of numbers (N, 1)."""
        return [Number(float(row[0]), path) for row, path in zip(predictions, paths, strict=True)]

    def measure(self, predictions: Floats, labels: Labels) -> RegressionMetrics:
        """Metrics of numbers (N, 1) against values (N,)."""
        return measure(predictions[:, 0], labels.astype(np.float64), self.scale)

    def rank(self, metrics: Metrics) -> tuple[float, ...]:
        """The lower mean absolute error, then the lower loss."""
        return -metrics.figures()["mae"], -metrics.loss

    def tuned(self, predictions: Floats, labels: Labels) -> Self:
        """Nothing is chosen when training has ended."""
        return self

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """A number has none."""
        raise ConfigError("a threshold came, but the model predicts a number: there is nothing to decide; leave it out")

    def baselines(self, labels: Labels, training_labels: Labels | None) -> tuple[Baseline, ...]:
        """Always saying the mean, which has the lowest squared error of all guesses, and the median, the absolute."""
        known = (training_labels if training_labels is not None else labels).astype(np.float64)
        source = whose(training_labels is not None)
        said = {"mean": float(known.mean()), "median": float(np.median(known))}
        found = []
        for name, value in said.items():
            metrics = self.measure(np.full((len(labels), 1), value), labels)
            figures = {figure: (of, getattr(metrics, f"{figure}_ci95")) for figure, of in metrics.figures().items()}
            found.append(Baseline(f"always {number_text(value)}, the {name} of {source}", figures))
        return tuple(found)

    def compare(self, first: Floats, second: Floats, labels: Labels) -> MeanDifference:
        """The difference of the mean absolute errors: below 0, the first one is the better one."""
        values = labels.astype(np.float64)
        return mean_difference("mae", np.abs(first[:, 0] - values), np.abs(second[:, 0] - values))

    def grouped_intervals(
        self, predictions: Floats, labels: Labels, groups: npt.NDArray[np.int64]
    ) -> dict[str, Interval | None]:
        """The intervals of all figures by the cluster bootstrap."""
        return intervals(predictions[:, 0], labels.astype(np.float64), groups)

    def has(self, labels: Labels, position: int) -> npt.NDArray[np.bool_]:
        """No picture is of a class."""
        return np.zeros(len(labels), dtype=bool)


def measure(predicted: Floats, values: Floats, scale: TargetScale) -> RegressionMetrics:
    """Measure a model of a number on one split.

    Args:
        predicted: float64 of shape (N,).
        values: The true ones, likewise.
        scale: Of the loss.

    Raises:
        ValueError: There is no picture, or the shapes do not agree.
    """
    if len(values) == 0 or predicted.shape != values.shape:
        raise ValueError(
            f"numbers of shape {predicted.shape} came with values of shape {values.shape}: expected (N,) twice and at "
            "least one picture"
        )
    errors = predicted - values
    standardised = np.abs(errors) / scale.standard_deviation
    losses = np.where(standardised <= 1, standardised**2 / 2, standardised - 0.5)
    mae, rmse, r2 = (float(figure[0]) for figure in _figures(np.ones((1, len(values))), errors, values))
    ends = intervals(predicted, values)
    return RegressionMetrics(
        images=len(values),
        loss=float(losses.mean()),
        loss_ci95=loss_interval(losses),
        mae=mae,
        mae_ci95=ends["mae"],
        rmse=rmse,
        rmse_ci95=ends["rmse"],
        r2=r2 if np.isfinite(r2) else None,
        r2_ci95=ends["r2"] if np.isfinite(r2) else None,
    )


def intervals(
    predicted: Floats, values: Floats, groups: npt.NDArray[np.int64] | None = None
) -> dict[str, Interval | None]:
    """The 95 % bootstrap intervals of MAE, RMSE and R² (resamples without any spread have no R²).

    Args:
        predicted: float64 of shape (N,).
        values: The true ones, likewise.
        groups: int64 of shape (N,) where whole groups are drawn, such as the pictures of a patient.
    """
    drawn = [_figures(weights, predicted - values, values) for weights in resamples(len(values), groups)]
    count = len(values) if groups is None else int(groups.max()) + 1
    columns = zip(_FIGURES, zip(*drawn, strict=True), strict=True)
    return {name: middle(np.concatenate(parts), count) for name, parts in columns}


def _figures(weights: Floats, errors: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
    """MAE, RMSE and R², all of shape (R,), of pictures that come as often as weights (R, N) say; NaN for no R²."""
    centred = values - values.mean()
    sums = weights @ np.stack([np.ones_like(errors), np.abs(errors), errors**2, centred, centred**2], axis=1)  # (R, 5)
    count, absolute, squared, first, second = sums.T
    spread = second - first**2 / count
    least = 1e-12 * max(float((centred**2).mean()), np.finfo(np.float64).tiny) * count  # rounding is no spread
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(spread > least, 1 - squared / spread, np.nan)
    return absolute / count, np.sqrt(squared / count), r2
