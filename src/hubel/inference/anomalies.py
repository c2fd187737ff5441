"""Anomalies: pictures that a network of normal ones gives back badly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hubel.errors import ConfigError
from hubel.results import Reconstruction, Result
from hubel.tasks.reconstruction import ReconstructionTask

if TYPE_CHECKING:
    from hubel.inference.predictor import Picture, Predictor

USUAL = "99%"  # of the normal pictures that chose the epoch are below


def anomaly_threshold(predictor: Predictor, threshold: str | None = None) -> float:
    """The squared error from which on a picture counts as an anomaly.

    Args:
        predictor: Of a network that gives pictures back, trained on normal ones.
        threshold: An error, such as `0.013`, or the share of the run's validation pictures that is to be below it:
            `90%`, `95%` or `99%`; None: `99%`.

    Raises:
        ConfigError: The model is another one, or does not know its validation pictures' errors, or the text is neither.
    """
    if not isinstance(predictor.task, ReconstructionTask):
        raise ConfigError(
            f"--anomaly came, but the model is for {predictor.task.name}: expected one that gives pictures back, of "
            "hubel train NORMAL-PICTURES --task reconstruction"
        )
    text = threshold or USUAL
    quantiles = predictor.bundle.metrics.get("validation", {}).get("error_quantiles", {})
    known = {f"{100 * float(share):g}%": float(error) for share, error in quantiles.items()}
    if text.endswith("%"):
        if text not in known:
            raise ConfigError(
                f"--threshold is {text}: the model knows the errors of its validation pictures at "
                f"{', '.join(known) or 'no share'}; give one of these, or an error such as 0.01"
            )
        return known[text]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise ConfigError(
            f"--threshold is {text}: expected a squared error above 0 and at most 1, or a share such as 95%"
        )
    return value


def marked(each: Iterable[tuple[Picture, Result]], threshold: float) -> Iterator[tuple[Picture, Result]]:
    """Pass predictions on, each told to be an anomaly or not."""
    for picture, result in each:
        assert isinstance(result, Reconstruction)
        yield picture, replace(result, anomalous=result.error > threshold)


def ranked(results: Sequence[Result]) -> list[Result]:
    """Results from the greatest error to the least."""
    return sorted(results, key=lambda result: -result.error if isinstance(result, Reconstruction) else 0.0)
