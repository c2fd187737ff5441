"""What `hubel evaluate` prints of detection: the classes, and objects by their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubel.cli.text import figures_table
from hubel.results.naming import counted

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.results import DetectionMetrics

_SIZES = {"small": "below 32² pixels", "medium": "below 96² pixels", "large": "larger"}


def print_objects(metrics: DetectionMetrics, console: Console) -> None:
    """Every class over all scores, and at the score from which on objects are reported."""
    titles = ("objects", "AP at IoU 0.5", "95 %", "AP", "reported", "precision", "recall")
    table = figures_table("class", *titles)
    for name in metrics.by_class:
        figures = metrics.class_dict(name)
        ends = figures["average_precision50_ci95"]
        table.add_row(
            name,
            f"{figures['objects']:,}",
            _share(figures["average_precision50"]),
            "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}",
            _share(figures["average_precision"]),
            f"{figures['reported']:,}" if "reported" in figures else "–",
            _share(figures.get("precision")),
            _share(figures.get("recall")),
        )
    console.print()
    console.print(table)
    sizes = ", ".join(f"{text} {_share(metrics.by_size[size])}" for size, text in _SIZES.items())
    console.print(f"\nmAP by the object's area: {sizes}")
    console.print(
        f"reported is what scores {metrics.least_score:g} or more; precision and recall are its own at IoU 0.5"
    )
    if metrics.ignored:
        console.print(f"not counted, as they are difficult or crowds: {counted(metrics.ignored, 'object')}")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
