"""The parts of a run's page that depend on what it has learnt.

Each task adds values to the page's context, and may have a template beside the page's own, `report_<task>.html.j2`;
without one, `report_places.html.j2` shows examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hubel.training.report_sections.labels import classification, multilabel, regression
from hubel.training.report_sections.masks import masks
from hubel.training.report_sections.objects import objects
from hubel.training.report_sections.pictures import reconstructions
from hubel.training.report_sections.places import examples

if TYPE_CHECKING:
    from hubel.training.report import Report

_SECTIONS: Mapping[str, Callable[[Report, str], dict[str, Any]]] = {
    "classification": classification,
    "multilabel": multilabel,
    "regression": regression,
    "detection": objects,
    "segmentation": masks,
    "reconstruction": reconstructions,
    "generation": reconstructions,
}


def sections_of(report: Report, shown: str) -> dict[str, Any]:
    """What a task adds to the page's context.

    Args:
        report: Of the run.
        shown: The split whose predictions are shown.
    """
    return _SECTIONS.get(report.task.name, examples)(report, shown)
