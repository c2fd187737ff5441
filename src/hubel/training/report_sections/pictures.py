"""What the page of a run that gives pictures back shows: originals, and beside them what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.drawing.thumbnails import as_address, thumbnail
from hubel.results.naming import number_text
from hubel.tasks.generative.drawing import error_map, in_a_row
from hubel.tasks.generative.measuring import of_pictures
from hubel.training.report_sections.drawing import spaced

if TYPE_CHECKING:
    from hubel.training.report import Report

_EXAMPLES = 12
_TRAINING_PICTURES = 12


def reconstructions(report: Report, shown: str) -> dict[str, Any]:
    """Pictures from the worst to the best, and some training pictures."""
    predictions, store = report.predictions[shown], report.stores[shown]
    errors = of_pictures(predictions)["mean_squared_error"]
    order = np.argsort(-errors, kind="stable")
    chosen = order[spaced(len(order), _EXAMPLES)].tolist()
    training = report.stores["train"].samples
    others = spaced(len(training), _TRAINING_PICTURES)
    return {
        "counts": report.readable.counts(),
        "samples": [("", [picture for at in others if (picture := thumbnail(training[at]))])],
        "examples": [
            {
                "name": store.samples[at].name,
                "picture": as_address(_row(predictions[at])),
                "error": number_text(float(errors[at]), 3),
            }
            for at in chosen
        ],
    }


def _row(predicted: Any) -> Any:
    heat = error_map(predicted.picture, predicted.input)
    coloured = [np.broadcast_to(each, heat.shape) for each in (predicted.input, predicted.picture)]
    return in_a_row([*coloured, heat])
