"""Reconstructions as predictions, and what is measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.results import Interval, ReconstructionMetrics

Pixels = npt.NDArray[np.uint8]

QUANTILES = (0.9, 0.95, 0.99)  # of the errors of normal pictures, any of which may be a threshold
_LEAST_ERROR = 1e-10  # 100 dB, where a picture comes back as it was

# The order in which figures are told; the first that there is, is the headline.
FIGURES = (
    "restored_psnr",
    "noisy_psnr",
    "elbo",
    "importance_weighted_bound",
    "bits_per_dimension",
    "psnr",
    "mean_picture_psnr",
    "ssim",
    "mean_squared_error",
)


class Reconstructed(NamedTuple):
    """A prediction.

    Attributes:
        picture: uint8 (H, W, C), as the network gives it back.
        input: As it was given, of the same shape.
        figures: Of this picture, by the names of `ReconstructionMetrics`.
    """

    picture: Pixels
    input: Pixels
    figures: Mapping[str, float]


def measure(predictions: Sequence[Reconstructed]) -> ReconstructionMetrics:
    """The means of the pictures' figures."""
    rows = of_pictures(predictions)
    told = [name for name in FIGURES if name in rows]
    return ReconstructionMetrics(
        len(predictions),
        {name: float(rows[name].mean()) for name in told},
        {name: _interval(rows[name]) for name in told},
        {f"{share:g}": float(np.quantile(rows["mean_squared_error"], share)) for share in QUANTILES},
    )


def of_pictures(predictions: Sequence[Reconstructed]) -> dict[str, npt.NDArray[np.float64]]:
    """The figures of each picture, (N,) float64, by the names of `ReconstructionMetrics`."""
    names = list(predictions[0].figures)
    rows = {name: np.array([each.figures[name] for each in predictions], np.float64) for name in names}
    rows["psnr"] = _psnr(rows["mean_squared_error"])
    for kind in ("noisy", "restored"):
        if f"{kind}_error" in rows:
            rows[f"{kind}_psnr"] = _psnr(rows.pop(f"{kind}_error"))
    if len({each.input.shape for each in predictions}) == 1:
        rows["mean_picture_psnr"] = _psnr(_errors_of_mean([each.input for each in predictions]))
    return rows


def _errors_of_mean(pictures: Sequence[Pixels]) -> npt.NDArray[np.float64]:
    """The squared error of each picture (N,) if their mean stood for it; values from 0 to 1."""
    total = np.zeros(pictures[0].shape, np.float64)
    for picture in pictures:
        total += picture
    mean = total / len(pictures)
    return np.array([np.square((picture - mean) / 255).mean() for picture in pictures])


def _psnr(errors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return -10 * np.log10(np.maximum(errors, _LEAST_ERROR))


def _interval(values: npt.NDArray[np.float64]) -> Interval | None:
    """The 95 % interval of a mean (Student's t)."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return None
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean() - half), float(values.mean() + half)
