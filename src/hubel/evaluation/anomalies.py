"""How well a model of normal pictures tells others by the error of what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.decoded.store import Unreadable
from hubel.errors import DataError
from hubel.evaluation.binary import BinaryReading, Threshold, read_binary
from hubel.evaluation.outputs import Settings, plain_outputs
from hubel.evaluation.selection import Selection, leave_out, listed_splits, select_samples
from hubel.evaluation.validation import overlap, refuse_overlap, select_validation
from hubel.inference.anomalies import USUAL, anomaly_threshold, check_reconstructs, check_validation
from hubel.inference.ensemble import check_same_task
from hubel.inference.predictor import Predictor
from hubel.results.naming import counted

POSITIVE = "anomaly"


@dataclass(frozen=True, eq=False)
class AnomalyEvaluation:
    """Anomalies against normal pictures.

    Attributes:
        reading: Areas under the curves, and at a threshold of the squared error the shares that are right; an anomaly
            is the positive class.
        split: Which part of the normal pictures' folder was measured.
        notes: What a reader should know of the choice of pictures.
        unreadable: The pictures left out.
    """

    reading: BinaryReading
    split: str
    notes: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]

    def to_dict(self) -> dict[str, Any]:
        """This value for JSON."""
        return {"split": self.split, "notes": list(self.notes), **self.reading.to_dict()}


def evaluate_anomalies(
    models: Sequence[str | Path],
    data: str | Path,
    anomalies: str | Path,
    *,
    split: str = "auto",
    threshold: str | None = None,
    validation: str | Path | None = None,
    device: str = "auto",
    batch_size: int = 32,
    max_unreadable: float = 0.01,
    progress: Callable[[str, int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> AnomalyEvaluation:
    """Measure how well anomalies are told from normal pictures by the squared error of what models give back.

    Args:
        models: Bundles or runs' folders, trained on normal pictures; the pictures that several give back are averaged.
        data: Normal pictures, as for `hubel.evaluate`.
        anomalies: Pictures that are not normal; all splits of them.
        split: Which of the normal pictures, as for `hubel.evaluate`.
        threshold: The squared error above which a picture counts as an anomaly, or the share of validation pictures
            below it; None: `99%`.
        validation: Normal pictures to take that share of; None: the validation pictures of the model's run.
        device: As for `hubel.runtime.choose_device`.
        batch_size: Inputs computed together.
        max_unreadable: Share of pictures that may be unreadable.
        progress: Called with what is done, how much of it, and how much there is.
        tell: Hears of what takes a while before the pictures are listed.

    Raises:
        ConfigError: The models give no pictures back, or there is no such threshold.
        DataError: There are no pictures of a kind, some are both, or a threshold would be chosen on measured ones.
    """
    predictors = [Predictor.load(model, device=device) for model in models]
    check_reconstructs(predictors, "--anomalies")
    check_same_task(predictors, "probabilities")
    check_validation(threshold, validation)
    settings = Settings(
        batch_size, max_unreadable=max_unreadable, progress=progress or (lambda what, done, total: None)
    )
    normal = select_samples(Path(data), predictors, split, tell=tell)
    unusual = leave_out(select_samples(Path(anomalies), predictors, "all", tell=tell), predictors)
    if both := overlap(normal.samples, unusual.samples):
        raise DataError(
            f"{data} and {anomalies} have {counted(both, 'picture')} in common: expected each to be normal or not"
        )
    limit = _threshold(predictors, threshold, validation, Path(data), normal, settings)
    errors, unreadable = zip(*(_errors(predictors, each, settings) for each in (normal, unusual)), strict=True)
    scores = np.concatenate(errors)
    reading = read_binary(POSITIVE, scores, np.arange(len(scores)) >= len(errors[0]), limit)
    return AnomalyEvaluation(reading, normal.split, (*normal.notes, *unusual.notes), (*unreadable[0], *unreadable[1]))


def _threshold(
    predictors: Sequence[Predictor],
    threshold: str | None,
    validation: str | Path | None,
    data: Path,
    measured: Selection,
    settings: Settings,
) -> Threshold:
    """The threshold, and how it came."""
    text = threshold or USUAL
    if not text.endswith("%"):
        return Threshold(anomaly_threshold(predictors, text))
    if validation is None and len(predictors) == 1:
        if (listed := listed_splits(predictors[0])) is not None:
            refuse_overlap(measured.samples, listed.validation, "threshold")
        return Threshold(anomaly_threshold(predictors, text), text, "the validation pictures of the model's run")
    chosen_on, name = select_validation(data, predictors, None if validation is None else Path(validation))
    refuse_overlap(measured.samples, chosen_on.samples, "threshold")
    errors, _ = _errors(predictors, chosen_on, settings)
    return Threshold(anomaly_threshold(predictors, text, errors.tolist()), text, name)


def _errors(
    predictors: Sequence[Predictor], selection: Selection, settings: Settings
) -> tuple[npt.NDArray[np.float64], tuple[Unreadable, ...]]:
    """The squared errors of pictures, (N,), and the pictures that cannot be read."""
    outputs = plain_outputs(predictors, selection.samples, settings)
    found = [each.figures["mean_squared_error"] for each in outputs.predictions()]
    return np.array(found, np.float64), outputs.unreadable
