"""A model of whole pictures as a detector: it is slid over the pictures."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from hubel.errors import ConfigError
from hubel.inference.predictor import Predictor
from hubel.models.localization.localizer import LocalizationNetwork
from hubel.tasks.window_detection import WindowDetectionTask

_SUITED = ("classification", "localization")


def sliding(predictor: Predictor, sides: Sequence[int], *, step: float = 0.5) -> Predictor:
    """The same model as a detector of what it tells apart, by square windows that slide over the picture.

    Args:
        predictor: A classifier, or a localizer, which also tells the box in each window.
        sides: Of the windows, in pixels of the pictures.
        step: From window to window, as a share of the side.

    Returns:
        A predictor whose results are `DetectedObjects`; it shares the network of the other one.

    Raises:
        ConfigError: The model is for another task; sides or step that make no windows.
    """
    if predictor.task.name not in _SUITED:
        raise ConfigError(
            f"sliding windows came for a model of {predictor.task.name}: expected one of classification or localization"
        )
    slid = copy.copy(predictor)
    slid.task = WindowDetectionTask.over(
        predictor.classes, predictor.preprocess.size, sides, step, predictor.bundle.temperature
    )
    slid.bundle = replace(
        predictor.bundle, classes=slid.task.classes, preprocess=replace(predictor.preprocess, resize="native")
    )
    return slid


def doubt(predictor: Predictor) -> str | None:
    """What to say of a model that has no way to tell that a window shows nothing."""
    task = predictor.task
    network = predictor.network
    tells = isinstance(network, LocalizationNetwork) and network.objectness
    if not isinstance(task, WindowDetectionTask) or task.knows_nothing or tells:
        return None
    return (
        "the model has no class for windows without an object, such as 'background', and must call each of them "
        "something: expect false reports, or raise --least-score"
    )
