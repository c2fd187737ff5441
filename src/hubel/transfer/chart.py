"""The picture of a probe: its figure by depth."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from hubel.errors import ConfigError
from hubel.files import write_whole
from hubel.results.naming import TITLES
from hubel.transfer.probe import ProbeResult

SUFFIXES = (".png", ".svg")

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "hubel",  # the same probe gives the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "grid.color": "#e5e7eb",
}
_BASELINES = {
    "accuracy": "the most frequent class",
    "mean_average_precision": "each label's share",
    "r2": "the mean",
}
_LINE, _FROZEN, _FAINT = "#0072B2", "#e0f2fe", "#6b7280"


def check_picture(path: Path) -> None:
    """Raise a ConfigError where a picture cannot have this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"'{path}' came for a picture: expected a name that ends in {' or '.join(SUFFIXES)}")


def draw_probe(result: ProbeResult, path: Path, *, title: str = "") -> None:
    """Draw the figure of the probes by depth with their intervals; stages that the advice freezes are shaded.

    Args:
        result: The probe.
        path: A name that ends in .png or .svg.
        title: Stands above.

    Raises:
        ConfigError: The name has another ending.
    """
    check_picture(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows, places = result.stages, range(len(result.stages))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(max(4.8, 0.9 * len(rows) + 1.6), 3.6), dpi=150, layout="constrained")
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
        drawing = io.BytesIO()
        kind = path.suffix.lower().removeprefix(".")
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(drawing, format=kind, metadata=metadata)
    write_whole(path, drawing.getvalue())
