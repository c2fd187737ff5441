"""What `hubel evaluate` prints: each figure with its interval, beside what it must be compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hubel.cli.objects_text import print_objects
from hubel.cli.text import figures_table
from hubel.results.naming import TITLES, counted, figure_text, headline_name, number_text
from hubel.tasks.task import LabelTask

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.evaluation.binary import BinaryReading, Share
    from hubel.evaluation.measured import Evaluation, TemperatureFit, ViewsGain
    from hubel.results import (
        ClassificationMetrics,
        ClassScores,
        Interval,
        Metrics,
        MultiLabelMetrics,
        SegmentationMetrics,
    )

# A wider confusion matrix does not fit a terminal; its largest confusions are listed instead.
_MOST_COLUMNS = 20

_SCORES = ("pictures", "precision", "95 %", "recall", "95 %", "F1")


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print all that was measured."""
    for note in evaluation.notes:
        console.print(note)
    console.print(f"{counted(evaluation.metrics.images, 'picture')} ({evaluation.split})\n")
    if evaluation.compared:
        _print_comparison(evaluation, console)
        return
    _print_figures(evaluation, console)
    if (calibration := evaluation.calibration) is not None:
        console.print(
            f"calibration error {calibration.error:.4f} (by chance, a model that means what it says would show "
            f"{calibration.by_chance:.3f}, seldom over {calibration.by_chance_95:.3f})"
        )
    if evaluation.temperature is not None:
        _print_temperature(evaluation.temperature, console)
    if evaluation.views is not None:
        _print_views(evaluation.views, _what_is_averaged(evaluation), console)
    if evaluation.members:
        _print_members(evaluation, console)
    if evaluation.binary is not None:
        print_binary(evaluation.binary, console)
    if print_details := _DETAILS.get(evaluation.task.name):
        print_details(evaluation.metrics, console)


def _print_figures(evaluation: Evaluation, console: Console) -> None:
    """The headline with its baselines, then the other figures."""
    figures = evaluation.metrics.to_dict()
    first = headline_name(figures)
    names = [first, *(name for name in TITLES if name in figures and name != first)]
    width = max(len(title) for title in ("baseline", *(TITLES[name] for name in names)))
    for name in names:
        text = figure_text(name, figures[name], figures.get(f"{name}_ci95"))
        console.print(f"{TITLES[name]:<{width}}  {text}")
        if name == first:
            for baseline in evaluation.baselines:
                console.print(f"{'baseline':<{width}}  {figure_text(name, *baseline.figures[name])}: {baseline.name}")


def _what_is_averaged(evaluation: Evaluation) -> str:
    if not isinstance(evaluation.task, LabelTask):
        return "predictions"
    return evaluation.average if evaluation.classes else "numbers"


def _interval(ends: Interval | None) -> str:
    return "" if ends is None else f" (95 % interval {ends[0]:.3f} to {ends[1]:.3f})"


def _print_comparison(evaluation: Evaluation, console: Console) -> None:
    """Several models beside each other, on the same pictures."""
    names = [*list(evaluation.metrics.figures())[:2], *(["loss"] if "loss" in evaluation.metrics.to_dict() else [])]
    table = figures_table("model", *(TITLES[name] for name in names))
    for number, member in enumerate(evaluation.members, start=1):
        figures = member.metrics.to_dict()
        intervals = [figures.get(f"{name}_ci95") if name != "loss" else None for name in names]
        cells = (figure_text(name, figures[name], ci95) for name, ci95 in zip(names, intervals, strict=True))
        table.add_row(f"{number} {member.name}", *cells)
    for baseline in evaluation.baselines:
        cells = (figure_text(name, *baseline.figures[name]) if name in baseline.figures else "" for name in names)
        table.add_row(baseline.name, *cells)
    console.print(table)
    console.print()
    for number, member in enumerate(evaluation.members, start=1):
        if member.against is not None:
            aside = member.against.aside(str(number), "1")
            console.print(f"{number} against 1: {member.against.text()}{f'; {aside}' if aside else ''}")
    if len(evaluation.members) > 2:
        console.print("(each test for itself: with many models, some differences come by chance)")


def _print_members(evaluation: Evaluation, console: Console) -> None:
    """Each of the averaged models alone, and what averaging gains over the best of them."""
    averaged = _what_is_averaged(evaluation)
    console.print(f"\naverage of the {averaged} of {len(evaluation.members)} models; each alone:")
    for member in evaluation.members:
        console.print(f"  {_headline(member.metrics)}  {member.name}")
    best = evaluation.best_member()
    if best.against is not None:
        console.print(f"all against the best of them (the best on these pictures): {best.against.text()}")


def _print_views(views: ViewsGain, average: str, console: Console) -> None:
    console.print(f"\n{views.name}: the {average} of {views.count} views of each picture, averaged")
    console.print(f"  without it {_headline(views.plain)}")
    console.print(f"  gain       {views.gain.text()}")
    console.print(
        f"  cost       {views.cost.views:.4f} instead of {views.cost.plain:.4f} seconds a picture "
        f"({views.cost.views / views.cost.plain:.1f} times)"
    )


def _print_temperature(fit: TemperatureFit, console: Console) -> None:
    console.print(
        f"\ntemperature {fit.temperature:.4f}, fitted on {counted(fit.images, 'picture')} ({fit.chosen_on}); "
        "it is in the bundle now"
    )
    console.print(f"  calibration error {fit.before:.4f} before, {fit.after:.4f} with it; the classes stay the same")


def print_binary(binary: BinaryReading, console: Console) -> None:
    """Print how well a class is told from the rest."""
    console.print(
        f"\n'{binary.positive}' ({counted(binary.positives, 'picture')}) against the rest ({binary.negatives:,})"
    )
    console.print(f"  ROC AUC            {binary.auc:.4f}{_interval(binary.auc_ci95)}")
    console.print(f"  average precision  {binary.average_precision:.4f}{_interval(binary.average_precision_ci95)}")
    origin = f"{binary.threshold.rule} on {binary.threshold.chosen_on}" if binary.threshold.chosen_on else "as given"
    least = binary.threshold.value
    printed = f"{least:.4f}" if least >= 0.01 else number_text(least, 3)  # an error of a reconstruction may be tiny
    console.print(f"  threshold          {printed} ({origin})")
    rows: dict[str, Share] = {
        "sensitivity": binary.sensitivity,
        "specificity": binary.specificity,
        "positive predictive value": binary.positive_predictive_value,
        "negative predictive value": binary.negative_predictive_value,
    }
    for name, share in rows.items():
        value = "–" if share.value is None else f"{share.value:.4f}{_interval(share.ci95)}, {share.right} of {share.of}"
        console.print(f"    {name:<26} {value}")


def _headline(metrics: Metrics) -> str:
    """The headline figure with its interval, without its name."""
    figures = metrics.to_dict()
    name = headline_name(figures)
    return figure_text(name, figures[name], figures.get(f"{name}_ci95"))


def _print_classes(metrics: ClassificationMetrics, console: Console) -> None:
    """Every class, and which is taken for which."""
    table = figures_table("class", *_SCORES)
    for scores in metrics.per_class:
        table.add_row(scores.name, *_cells(scores))
    console.print()
    console.print(table)
    console.print()
    if len(metrics.per_class) <= _MOST_COLUMNS:
        _print_confusion(metrics, console)
    else:
        _print_largest_confusions(metrics, console)


def _print_labels(metrics: MultiLabelMetrics, console: Console) -> None:
    """Every label, over all thresholds and at its own."""
    table = figures_table("label", "average precision", "95 %", "threshold", *_SCORES)
    for scores in metrics.per_label:
        value, ends = scores.average_precision, scores.average_precision_ci95
        average = ["–" if value is None else f"{value:.3f}", "" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"]
        table.add_row(scores.name, *average, f"{scores.threshold:.3g}", *_cells(scores.at_threshold))
    console.print()
    console.print(table)
    if metrics.unseen:
        console.print(f"\nno picture has {', '.join(metrics.unseen)}: the means are over the other labels")


def _cells(scores: ClassScores) -> list[str]:
    """A class's pictures, precision, recall and F1, as `_SCORES` heads them."""
    cells = [f"{scores.support:,}"]
    for value, ends in ((scores.precision, scores.precision_ci95), (scores.recall, scores.recall_ci95)):
        cells += ["–", ""] if ends is None else [f"{value:.3f}", f"{ends[0]:.2f} to {ends[1]:.2f}"]
    return [*cells, f"{scores.f1:.3f}"]


def _print_confusion(metrics: ClassificationMetrics, console: Console) -> None:
    from rich.text import Text

    console.print("confusion matrix: rows are true, columns predicted")
    table = figures_table("", *(str(number) for number in range(1, len(metrics.per_class) + 1)))
    for number, (scores, row) in enumerate(zip(metrics.per_class, metrics.confusion, strict=True), start=1):
        cells = [Text(str(n), "bold" if i == number - 1 else "") if n else "·" for i, n in enumerate(row)]
        table.add_row(f"{number:>2} {scores.name}", *cells)
    console.print(table)


def _print_largest_confusions(metrics: ClassificationMetrics, console: Console) -> None:
    from hubel.tasks.classification import largest_confusions

    console.print("the most frequent confusions (true, taken for, pictures)")
    for true, given, count in largest_confusions(metrics):
        console.print(f"  {true}, {given}, {count}")


def _print_pixels(metrics: SegmentationMetrics, console: Console) -> None:
    """Every class of the pixels, and which share of it is taken for which."""
    few = len(metrics.classes) <= _MOST_COLUMNS
    taken = [f"as {name}" for name in metrics.classes] if few else []
    table = figures_table("class", "pixels", "IoU", "95 %", "Dice", "95 %", *taken)
    for number, (name, row) in enumerate(zip(metrics.classes, metrics.confusion, strict=True)):
        cells = []
        for of, value in (("iou", metrics.iou[number]), ("dice", metrics.dice[number])):
            ends = metrics.intervals[f"{of}/{name}"]
            cells += [
                "–" if value is None else f"{value:.3f}",
                "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}",
            ]
        shares = [f"{100 * share:.1f} %" for share in row / max(1, row.sum())] if few else []
        table.add_row(name, f"{row.sum():,}", *cells, *shares)
    console.print()
    console.print(table)


_DETAILS: dict[str, Callable[[Any, Console], None]] = {
    "classification": _print_classes,
    "multilabel": _print_labels,
    "detection": print_objects,
    "segmentation": _print_pixels,
}
