"""The report's curves and diagrams, as SVG drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hubel.charts import STYLE, svg_of
from hubel.results.naming import TITLES, headline_name
from hubel.results.palette import class_colour
from hubel.tasks.calibration import Reliability
from hubel.tasks.ranking import trace
from hubel.tasks.reliability_chart import reliability_figure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from hubel.results.detection import ClassFigures

_MOST_CURVES = 10
_MOST_POINTS = 2000
_TRAIN, _VALIDATION, _PLAIN = "#7a8ca3", "#c2410c", "#0f766e"


def draw_curves(history: Sequence[dict[str, Any]], best_epoch: int) -> dict[str, str]:
    """Curves of the loss, of what the task scores, of its headline figure and of the learning rate over the epochs.

    Args:
        history: The rows of `metrics.csv`.
        best_epoch: Marked in each drawing, from 1.

    Returns:
        SVG elements by title.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    drawings = {_title(name): _lines(name, history[0]) for name in _drawn(history[0])}
    drawings["Learning rate"] = {"head, end of epoch": ("learning_rate", _PLAIN)}
    epochs = [row["epoch"] for row in history]
    svgs = {}
    with mpl.rc_context(STYLE):
        for title, lines in drawings.items():
            figure = Figure(figsize=(4.2, 2.8), layout="constrained")
            axes = figure.subplots()
            for label, (column, colour) in lines.items():
                values = [row[column] for row in history]
                axes.plot(epochs, values, label=label, color=colour, marker="o" if len(epochs) < 4 else None, ms=4)
            _mark(axes, history, best_epoch)
            axes.set_xlabel("epoch")
            axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(axis="y")
            if title == "Learning rate":
                axes.set_ylim(bottom=0)
                axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
            axes.legend(frameon=False, fontsize=9)
            svgs[title] = svg_of(figure)
    return svgs


def draw_figures(history: Sequence[dict[str, Any]], drawings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Curves over the epochs.

    Args:
        history: The rows of `metrics.csv`.
        drawings: By title, the column of each curve by its label.

    Returns:
        SVG elements by title.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    svgs = {}
    with mpl.rc_context(STYLE):
        for title, lines in drawings.items():
            figure = Figure(figsize=(4.6, 2.8), layout="constrained")
            axes = figure.subplots()
            for (label, column), colour in zip(lines.items(), (_TRAIN, _VALIDATION, _PLAIN), strict=False):
                values = [row[column] for row in history]
                axes.plot(epochs, values, label=label, color=colour, marker="o" if len(epochs) < 4 else None, ms=4)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(axis="y")
            axes.legend(frameon=False, fontsize=9)
            svgs[title] = svg_of(figure)
    return svgs


def _drawn(row: Mapping[str, Any]) -> list[str]:
    """The figures of an epoch's row that are drawn: the loss and whatever else training measured, and the headline."""
    trained = [name.removeprefix("train_") for name in row if name.startswith("train_")]
    validated = {name.removeprefix("validation_"): None for name in row if name.startswith("validation_")}
    headline = [headline_name(validated)] if validated else []
    return list(dict.fromkeys((*trained, *headline)))


def _lines(name: str, row: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    lines = {"training": (f"train_{name}", _TRAIN), "validation": (f"validation_{name}", _VALIDATION)}
    return {label: (column, colour) for label, (column, colour) in lines.items() if column in row}


def _title(name: str) -> str:
    title = TITLES[name]
    return title if title[1:2].isupper() else title[0].upper() + title[1:]  # mAP stays as it is


def draw_precision_recall(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.float32], names: Sequence[str]
) -> str:
    """The precision-recall curve of each label, or of the ten with the fewest pictures, as an SVG element.

    Args:
        probabilities: float64 of shape (N, num_classes).
        labels: Of the same shape, 1 where a picture has a label and 0 elsewhere.
        names: The labels.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    counts = labels.sum(axis=0)
    shown = [at for at in counts.argsort(kind="stable").tolist() if counts[at]][:_MOST_CURVES]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.8), layout="constrained")
        axes = figure.subplots()
        for at in sorted(shown):
            scores, has = probabilities[:, at], labels[:, at] > 0
            curve = trace(scores[has], scores[~has])
            axes.step(curve.sensitivity, curve.precision, where="pre", label=names[at], linewidth=1.5)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        axes.grid()
        if shown:
            axes.legend(frameon=False, fontsize=9, loc="lower left")
        return svg_of(figure)


def draw_detection_curves(by_class: Mapping[str, ClassFigures]) -> str:
    """Precision by recall of each class at the overlap 0.5, of the ten with the most objects, as an SVG element."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    found = [(name, of_class) for name, of_class in by_class.items() if of_class.curve is not None]
    shown = sorted(found, key=lambda item: -item[1].objects)[:_MOST_CURVES]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.8), layout="constrained")
        axes = figure.subplots()
        for number, (name, of_class) in enumerate(shown):
            if of_class.curve is not None:
                colour = tuple(value / 255 for value in class_colour(list(by_class).index(name)))
                style = ("-", "--", ":")[number % 3]
                axes.plot(of_class.curve.recall, of_class.curve.precision, style, label=name, color=colour)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        axes.grid()
        if shown:
            axes.legend(frameon=False, fontsize=9, loc="lower left")
        return svg_of(figure)


def draw_numbers(values: npt.NDArray[np.float64], numbers: npt.NDArray[np.float64]) -> str:
    """Predicted numbers over true values, both of shape (N,), as an SVG element; of very many pictures some."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    step = -(-len(values) // _MOST_POINTS)
    ends = float(min(values.min(), numbers.min())), float(max(values.max(), numbers.max()))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(ends, ends, color=_TRAIN, linestyle="--", linewidth=1, label="what it should be")
        axes.plot(values[::step], numbers[::step], "o", ms=3.5, alpha=0.55, color=_PLAIN, mew=0, label="a picture")
        axes.set(xlabel="true", ylabel="predicted", aspect="equal")
        axes.grid()
        axes.legend(frameon=False, fontsize=9, loc="upper left")
        return svg_of(figure)


def draw_rate_search(rows: Sequence[dict[str, float]], learning_rate: float) -> str:
    """The loss over the learning rates of a range test.

    Args:
        rows: The rows of `rates.csv`.
        learning_rate: The one that was taken, marked.

    Returns:
        An SVG element.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rates, losses, smoothed = ([row[name] for row in rows] for name in ("learning_rate", "loss", "smoothed_loss"))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        axes = figure.subplots()
        axes.plot(rates, losses, label="loss of each step", color=_TRAIN, linewidth=0.9, alpha=0.6)
        axes.plot(rates, smoothed, label="smoothed", color=_VALIDATION)
        axes.axvline(learning_rate, color="#111827", linestyle=":", linewidth=1, label=f"taken: {learning_rate:.2g}")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        least = min(smoothed)
        fall = max(smoothed[: smoothed.index(least) + 1]) - least or 1.0  # what comes after may go far up
        axes.set_ylim(least - 0.5 * fall, least + 1.8 * fall)
        axes.grid(axis="y")
        axes.legend(frameon=False, fontsize=9, loc="lower left")
        return svg_of(figure)


def draw_reliability(diagram: Reliability) -> str:
    """The reliability diagram as an SVG element."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return svg_of(reliability_figure(diagram))


def _mark(axes: Axes, history: Sequence[dict[str, Any]], best_epoch: int) -> None:
    """A dotted line at the epoch that is kept, and a thin one where a phase begins."""
    axes.axvline(best_epoch, color="#111827", linestyle=":", linewidth=1, label="kept")
    for before, row in pairwise(history):
        if row["phase"] != before["phase"]:
            axes.axvline(row["epoch"] - 0.5, color="#d1d5db", linewidth=1)
