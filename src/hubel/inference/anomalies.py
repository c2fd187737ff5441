"""Anomalies: pictures that a network of normal ones gives back badly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubel.errors import ConfigError
from hubel.results import Reconstruction, Result
from hubel.tasks.reconstruction import ReconstructionTask

if TYPE_CHECKING:
    from hubel.inference.predictor import Picture, Predictor

USUAL = "99%"  # of normal pictures are below


def check_reconstructs(predictors: Sequence[Predictor], option: str) -> None:
    """Raise a ConfigError where models give no pictures back, which an option needs."""
    for predictor in predictors:
        if not isinstance(predictor.task, ReconstructionTask):
            raise ConfigError(
                f"{option} came, but the model is for {predictor.task.name}: expected one that gives pictures back, of "
                "hubel train NORMAL-PICTURES --task reconstruction"
            )


def anomaly_threshold(
    predictors: Sequence[Predictor], threshold: str | None = None, validation_errors: Sequence[float] | None = None
) -> float:
    """The squared error above which a picture counts as an anomaly.

    Args:
        predictors: Of networks that give pictures back, trained on normal ones.
        threshold: An error, such as `0.013`, or the share of the validation pictures that is to be below it, such as
            `95%`; None: `99%`.
        validation_errors: Of normal pictures that nothing was trained on; None: those of the run's own validation
            pictures, of which a bundle knows where 90, 95 and 99 % are.

    Raises:
        ConfigError: The text is neither, or a share is asked for of errors that nobody knows.
    """
    text = threshold or USUAL
    share, is_share = _number(text.removesuffix("%")), text.endswith("%")
    if share is None or not 0 < share <= (100 if is_share else 1):
        raise ConfigError(
            f"--threshold is {text}: expected a squared error above 0 and at most 1, or a share such as 95%"
        )
    if not is_share:
        return share
    if validation_errors is not None:
        return float(np.quantile(validation_errors, share / 100))
    if len(predictors) > 1:
        raise ConfigError(
            f"{len(predictors)} models came, whose mean has other errors than each of them: name normal pictures to "
            "take the threshold from with --validation FOLDER, or give an error such as --threshold 0.01"
        )
    quantiles = predictors[0].bundle.metrics.get("validation", {}).get("error_quantiles", {})
    known = {round(100 * float(part), 6): float(error) for part, error in quantiles.items()}
    if share not in known:
        shares = ", ".join(f"{part:g}%" for part in known)
        there = f"the errors of its validation pictures at {shares}; give one of these,"
        none = "no errors of validation pictures, for it was trained without; give"
        raise ConfigError(
            f"--threshold is {text}: the model knows {there if known else none} an error such as 0.01, or normal "
            "pictures with --validation FOLDER"
        )
    return known[share]


def check_validation(threshold: str | None, validation: str | Path | None) -> None:
    """Refuse normal pictures to take a threshold from where it is given as an error.

    Raises:
        ConfigError: Both came.
    """
    if validation is not None and threshold is not None and _number(threshold) is not None:
        raise ConfigError(
            f"--threshold {threshold} is an error and needs no pictures, yet --validation {validation} came: give a "
            "share such as --threshold 95%, or leave --validation out"
        )


def marked(each: Iterable[tuple[Picture, Result]], threshold: float) -> Iterator[tuple[Picture, Result]]:
    """Pass predictions on, each told to be an anomaly or not."""
    for picture, result in each:
        assert isinstance(result, Reconstruction)
        yield picture, replace(result, anomalous=result.error > threshold)


def ranked(results: Sequence[Result]) -> list[Result]:
    """Results from the greatest error to the least."""
    return sorted(results, key=lambda result: -result.error if isinstance(result, Reconstruction) else 0.0)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
