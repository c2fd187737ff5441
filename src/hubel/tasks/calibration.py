"""Whether a probability means what it says: of all pictures said to be right with 80 %, 80 % should be.

Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599: the reliability
diagram and the expected calibration error (section 2), temperature scaling (section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubel.errors import DataError
from hubel.results.naming import counted

BINS = 15
# A temperature outside says that there was nothing to learn it from.
_TEMPERATURES = (0.05, 20.0)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram: pictures in bins of their confidence, the probability of the most probable class.

    Attributes:
        edges: float64 of shape (bins + 1,): where the bins of equal width begin and end.
        counts: int64 of shape (bins,): pictures in each.
        confidence: float64 of shape (bins,): the mean confidence in each; 0 where it is empty.
        right: int64 of shape (bins,): how many of them are right.
    """

    edges: Floats
    counts: npt.NDArray[np.int64]
    confidence: Floats
    right: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> Floats:
        """The share that is right in each bin; 0 where it is empty."""
        return self.right / np.maximum(self.counts, 1)

    @property
    def error(self) -> float:
        """The expected calibration error: the bins' mean distance of confidence and accuracy, weighted by pictures."""
        return float((self.counts * np.abs(self.accuracy - self.confidence)).sum() / self.counts.sum())


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error, beside what one would see by chance.

    Bins of few pictures differ from their confidence by chance alone, so the error of a perfect model is above 0.

    Attributes:
        error: With 15 bins of equal width (Guo et al. 2017).
        adaptive_error: With 15 bins of equally many pictures, which does not hang on a few crowded bins.
        by_chance: The mean error of perfectly calibrated models with the same confidences on as many pictures.
        by_chance_95: What the error of such a model exceeds in 5 % of samples only.
    """

    error: float
    adaptive_error: float
    by_chance: float
    by_chance_95: float


def reliability(probabilities: Floats, labels: npt.NDArray[np.int64], bins: int = BINS) -> Reliability:
    """The reliability diagram of probabilities (N, num_classes) against labels (N,)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    return _binned(confidence, right, np.linspace(0, 1, bins + 1))


def _binned(confidence: Floats, right: npt.NDArray[np.bool_], edges: Floats) -> Reliability:
    bins = len(edges) - 1
    within = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)  # (low, high], as in the paper
    counts = np.bincount(within, minlength=bins)
    total = np.bincount(within, weights=confidence, minlength=bins)
    hits = np.bincount(within, weights=right, minlength=bins).astype(np.int64)
    return Reliability(edges, counts, total / np.maximum(counts, 1), hits)


def expected_calibration_error(
    probabilities: Floats, labels: npt.NDArray[np.int64], *, bins: int = BINS, adaptive: bool = False
) -> float:
    """The mean distance between confidence and accuracy.

    Args:
        probabilities: float64 of shape (N, num_classes).
        labels: int64 of shape (N,).
        bins: How many.
        adaptive: Whether each bin has as many pictures as the others (Nguyen and O'Connor 2015, arXiv:1508.05154);
            otherwise, all are of the same width.
    """
    if not adaptive:
        return reliability(probabilities, labels, bins).error
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == labels) - confidence
    parts = np.array_split(gap[np.argsort(confidence, kind="stable")], min(bins, len(gap)))
    return float(sum(abs(part.sum()) for part in parts) / len(gap))


def calibration_error(
    probabilities: Floats, labels: npt.NDArray[np.int64], *, samples: int = 1000, seed: int = 0
) -> CalibrationError:
    """The calibration error and what it would be by chance, from labels drawn with the stated confidences.

    Broecker and Smith 2007, Weather and Forecasting 22:651, draw such consistency samples.
    """
    diagram = reliability(probabilities, labels)
    confidence = probabilities.max(axis=1)
    within = np.clip(np.searchsorted(diagram.edges, confidence, side="left") - 1, 0, BINS - 1)
    generator = np.random.default_rng(seed)
    drawn = np.empty(samples)
    for number in range(samples):
        gap = np.bincount(within, weights=(generator.random(len(labels)) < confidence) - confidence, minlength=BINS)
        drawn[number] = np.abs(gap).sum() / len(labels)
    return CalibrationError(
        error=diagram.error,
        adaptive_error=expected_calibration_error(probabilities, labels, adaptive=True),
        by_chance=float(drawn.mean()),
        by_chance_95=float(np.quantile(drawn, 0.95)),
    )


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> float:
    """The number that logits are divided by for the least cross entropy; the most probable class stays the same.

    Args:
        logits: Of shape (N, num_classes), of pictures that the network was not trained on.
        labels: int64 of shape (N,).

    Raises:
        DataError: There is no such number: all pictures are right, or the logits say nothing.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    if len(labels) == 0 or (logits.argmax(axis=1) == labels).all():
        raise _no_temperature(len(labels))
    values = logits.astype(np.float64)
    of_label = values[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((logsumexp(values * inverse, axis=1) - of_label * inverse).mean())

    low, high = (float(np.log(end)) for end in _TEMPERATURES)
    found = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    if found - low < 1e-3 or high - found < 1e-3:
        raise _no_temperature(len(labels))
    return float(np.exp(found))


def _no_temperature(count: int) -> DataError:
    return DataError(
        f"no temperature fits {counted(count, 'picture')}: expected some that the model has right and some that it has "
        "wrong; give more validation pictures"
    )
