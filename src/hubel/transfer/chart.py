"""The picture of a probe: its figure by depth."""

from __future__ import annotations

from pathlib import Path

from hubel.charts import STYLE, check_chart_name, write_chart
from hubel.results.naming import TITLES
from hubel.transfer.probe import ProbeResult

_BASELINES = {
    "accuracy": "the most frequent class",
    "mean_average_precision": "each label's share",
    "r2": "the mean",
}
_LINE, _FROZEN, _FAINT = "#0072B2", "#e0f2fe", "#6b7280"


def draw_probe(result: ProbeResult, path: Path, *, title: str = "") -> None:
    """Draw the figure of the probes by depth with their intervals; stages that the advice freezes are shaded.

    Args:
        result: The probe.
        path: A name that ends in .png, .svg or .pdf.
        title: Stands above.

    Raises:
        ConfigError: The name has another ending.
    """
    check_chart_name(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows, places = result.stages, range(len(result.stages))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(4.8, 0.9 * len(rows) + 1.6), 3.6), layout="constrained")
        axes = figure.subplots()
        if result.advice.frozen:
            frozen = f"{result.advice.regime}: frozen"
            axes.axvspan(-0.5, len(result.advice.frozen) - 0.5, color=_FROZEN, label=frozen, linewidth=0)
        values = [row.value for row in rows]
        below = [max(row.value - row.value_ci95[0], 0) for row in rows]
        above = [max(row.value_ci95[1] - row.value, 0) for row in rows]
        axes.errorbar(places, values, yerr=[below, above], color=_LINE, marker="o", capsize=3, label="linear probe")
        axes.axhline(result.baseline, color=_FAINT, linestyle=":", label=_BASELINES[result.figure])
        axes.set_xticks(list(places), [row.stage for row in rows])
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_ylim(min(0.0, *(row.value_ci95[0] for row in rows)), 1.02)
        axes.set_xlabel("stage")
        axes.set_ylabel(f"{TITLES[result.figure]}, 95 % interval")
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y")
        axes.legend(frameon=False, fontsize=9, loc="best")
        write_chart(figure, path)
