"""Drawings of an evaluation as files: the reliability diagram, and the ROC and precision-recall curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubel.charts import STYLE, check_chart_name, write_chart
from hubel.evaluation.binary import BinaryReading
from hubel.files import write_whole
from hubel.tasks.calibration import Reliability
from hubel.tasks.reliability_chart import reliability_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODEL, _CHANCE, _THRESHOLD = "#0f766e", "#9ca3af", "#c2410c"


def write_reliability(path: Path, diagram: Reliability) -> None:
    """Write the reliability diagram; the name's ending tells the format."""
    import matplotlib as mpl

    check_chart_name(path)
    with mpl.rc_context(STYLE):
        write_chart(reliability_figure(diagram), path)


def write_curves(path: Path, reading: BinaryReading) -> Path:
    """Write the ROC and precision-recall curves as a drawing, and beside it as CSV.

    Returns:
        The CSV's path.
    """
    import matplotlib as mpl

    check_chart_name(path)
    with mpl.rc_context(STYLE):
        write_chart(_curves(reading), path)
    table = path.with_suffix(".csv")
    write_whole(table, reading.curve_csv())
    return table


def _curves(reading: BinaryReading) -> Figure:
    from matplotlib.figure import Figure

    curve = reading.curve
    figure = Figure(figsize=(8.4, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = reading.auc_ci95
    left.plot([0, 1], [0, 1], color=_CHANCE, linestyle="--", linewidth=1, label="chance")
    left.plot(
        1 - curve.specificity,
        curve.sensitivity,
        color=_MODEL,
        label=f"area {reading.auc:.4f} ({low:.3f} to {high:.3f})",
    )
    left.set(xlabel="1 - specificity", ylabel="sensitivity", title=f"ROC curve of '{reading.positive}'")
    low, high = reading.average_precision_ci95
    share = reading.positives / (reading.positives + reading.negatives)
    right.axhline(share, color=_CHANCE, linestyle="--", linewidth=1, label=f"chance: {share:.3f} are of the class")
    right.step(
        curve.sensitivity,
        curve.precision,
        where="pre",
        color=_MODEL,
        label=f"average precision {reading.average_precision:.4f} ({low:.3f} to {high:.3f})",
    )
    right.set(xlabel="recall (sensitivity)", ylabel="precision", title="precision-recall curve")
    sensitivity, specificity = reading.sensitivity.value, reading.specificity.value
    precision = reading.positive_predictive_value.value
    text = f"threshold {reading.threshold.value:.3f} ({reading.threshold.rule})"
    if sensitivity is not None and specificity is not None:
        left.plot([1 - specificity], [sensitivity], "o", color=_THRESHOLD, label=text)
    if sensitivity is not None and precision is not None:
        right.plot([sensitivity], [precision], "o", color=_THRESHOLD, label=text)
    for axes in (left, right):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.legend(edgecolor="none", framealpha=1, fontsize=8, loc="lower right" if axes is left else "lower left")
        axes.grid()
    return figure
