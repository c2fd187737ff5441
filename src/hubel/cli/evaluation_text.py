"""What `hubel evaluate` prints: each figure with its interval, beside what it must be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubel.cli.text import percent

if TYPE_CHECKING:
    from rich.console import Console

    from hubel.evaluation.binary import BinaryReading, Share
    from hubel.evaluation.measured import Evaluation, TemperatureFit, ViewsGain
    from hubel.results import ClassificationMetrics, Interval
    from hubel.tasks.paired import PairedDifference

# A wider confusion matrix does not fit a terminal; its largest confusions are listed instead.
_MOST_COLUMNS = 20


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print all that was measured."""
    metrics = evaluation.metrics
    for note in evaluation.notes:
        console.print(note)
    console.print(f"{metrics.images:,} pictures ({evaluation.split})\n")
    if evaluation.compared:
        _print_comparison(evaluation, console)
        return
    console.print(f"accuracy  {percent(metrics.accuracy, metrics.accuracy_ci95)}")
    for baseline in evaluation.baselines:
        console.print(f"baseline  {percent(baseline.accuracy, baseline.ci95)}: {baseline.name}")
    if metrics.top5_accuracy is not None:
        console.print(f"top-5     {percent(metrics.top5_accuracy, metrics.top5_accuracy_ci95)}")
    console.print(f"macro F1  {metrics.macro_f1:.4f}{_interval(metrics.macro_f1_ci95)}")
    console.print(f"loss      {metrics.loss:.4f}{_interval(metrics.loss_ci95)}")
    calibration = evaluation.calibration
    console.print(
        f"calibration error {calibration.error:.4f} (by chance, a model that means what it says would show "
        f"{calibration.by_chance:.3f}, seldom over {calibration.by_chance_95:.3f})"
    )
    if evaluation.temperature is not None:
        _print_temperature(evaluation.temperature, console)
    if evaluation.views is not None:
        _print_views(evaluation.views, evaluation.average, console)
    if evaluation.members:
        _print_members(evaluation, console)
    if evaluation.binary is not None:
        _print_binary(evaluation.binary, console)
    console.print()
    _print_classes(metrics, console)
    console.print()
    if len(metrics.per_class) <= _MOST_COLUMNS:
        _print_confusion(metrics, console)
    else:
        _print_largest_confusions(metrics, console)


def difference_text(difference: PairedDifference) -> str:
    """`+1.34 points (95 % interval -0.3 to 3.0, exact McNemar p = 0.18): not distinguishable`."""
    low, high = (100 * end for end in difference.ci95)
    points = f"{100 * difference.difference:+.2f} points"
    verdict = "distinguishable" if difference.distinguishable else "not distinguishable"
    if not difference.distinguishable and not low <= 0 <= high:
        verdict += " by the exact test, which is the stricter one"
    p = "p < 0.0001" if difference.p_value < 0.0001 else f"p = {difference.p_value:.2g}"
    return f"{points} (95 % interval {low:+.1f} to {high:+.1f}, exact McNemar {p}): {verdict}"


def _interval(ends: Interval | None) -> str:
    return "" if ends is None else f" (95 % interval {ends[0]:.3f} to {ends[1]:.3f})"


def _print_comparison(evaluation: Evaluation, console: Console) -> None:
    """Several models beside each other, on the same pictures."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "accuracy", "macro F1", "loss"):
        table.add_column(heading, justify="left" if heading == "model" else "right", overflow="fold")
    for number, member in enumerate(evaluation.members, start=1):
        m = member.metrics
        low, high = m.macro_f1_ci95
        accuracy = percent(m.accuracy, m.accuracy_ci95)
        table.add_row(
            f"{number} {member.name}", accuracy, f"{m.macro_f1:.4f} ({low:.3f} to {high:.3f})", f"{m.loss:.4f}"
        )
    for baseline in evaluation.baselines:
        table.add_row(baseline.name, percent(baseline.accuracy, baseline.ci95), "", "")
    console.print(table)
    console.print()
    for number, member in enumerate(evaluation.members, start=1):
        if member.against is not None:
            console.print(
                f"{number} against 1: {difference_text(member.against)}; "
                f"{member.against.only_first} pictures only {number} has right, {member.against.only_second} only 1"
            )
    if len(evaluation.members) > 2:
        console.print("(each test for itself: with many models, some differences come by chance)")


def _print_members(evaluation: Evaluation, console: Console) -> None:
    """Each of the averaged models alone, and what averaging gains over the best of them."""
    console.print(f"\naverage of the {evaluation.average} of {len(evaluation.members)} models; each alone:")
    for member in evaluation.members:
        console.print(f"  {percent(member.metrics.accuracy, member.metrics.accuracy_ci95)}  {member.name}")
    best = evaluation.best_member()
    if best.against is not None:
        console.print(f"all against the best of them (the best on these pictures): {difference_text(best.against)}")


def _print_views(views: ViewsGain, average: str, console: Console) -> None:
    console.print(f"\n{views.name}: the {average} of {views.count} views of each picture, averaged")
    console.print(f"  without it {percent(views.plain.accuracy, views.plain.accuracy_ci95)}")
    console.print(f"  gain       {difference_text(views.gain)}")
    console.print(
        f"  cost       {views.cost.views:.4f} instead of {views.cost.plain:.4f} seconds a picture "
        f"({views.cost.views / views.cost.plain:.1f} times)"
    )


def _print_temperature(fit: TemperatureFit, console: Console) -> None:
    console.print(
        f"\ntemperature {fit.temperature:.4f}, fitted on {fit.images:,} pictures ({fit.chosen_on}); "
        "it is in the bundle now"
    )
    console.print(f"  calibration error {fit.before:.4f} before, {fit.after:.4f} with it; the classes stay the same")


def _print_binary(binary: BinaryReading, console: Console) -> None:
    console.print(f"\n'{binary.positive}' ({binary.positives:,} pictures) against the rest ({binary.negatives:,})")
    console.print(f"  ROC AUC            {binary.auc:.4f}{_interval(binary.auc_ci95)}")
    console.print(f"  average precision  {binary.average_precision:.4f}{_interval(binary.average_precision_ci95)}")
    origin = f"{binary.threshold.rule} on {binary.threshold.chosen_on}" if binary.threshold.chosen_on else "as given"
    console.print(f"  threshold          {binary.threshold.value:.4f} ({origin})")
    rows: dict[str, Share] = {
        "sensitivity": binary.sensitivity,
        "specificity": binary.specificity,
        "positive predictive value": binary.positive_predictive_value,
        "negative predictive value": binary.negative_predictive_value,
    }
    for name, share in rows.items():
        value = "–" if share.value is None else f"{share.value:.4f}{_interval(share.ci95)}, {share.right} of {share.of}"
        console.print(f"    {name:<26} {value}")


def _print_classes(metrics: ClassificationMetrics, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("class")
    for heading in ("pictures", "precision", "95 %", "recall", "95 %", "F1"):
        table.add_column(heading, justify="right")
    for s in metrics.per_class:
        cells = []
        for value, ends in ((s.precision, s.precision_ci95), (s.recall, s.recall_ci95)):
            cells += ["–", ""] if ends is None else [f"{value:.3f}", f"{ends[0]:.2f} to {ends[1]:.2f}"]
        table.add_row(s.name, f"{s.support:,}", *cells, f"{s.f1:.3f}")
    console.print(table)


def _print_confusion(metrics: ClassificationMetrics, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    console.print("confusion matrix: rows are true, columns predicted")
    table.add_column("")
    for number, _ in enumerate(metrics.per_class, start=1):
        table.add_column(str(number), justify="right")
    for number, (scores, row) in enumerate(zip(metrics.per_class, metrics.confusion, strict=True), start=1):
        cells = [Text(str(n), "bold" if i == number - 1 else "") if n else "·" for i, n in enumerate(row)]
        table.add_row(f"{number:>2} {scores.name}", *cells)
    console.print(table)


def _print_largest_confusions(metrics: ClassificationMetrics, console: Console) -> None:
    from hubel.tasks.classification import largest_confusions

    console.print("the most frequent confusions (true, taken for, pictures)")
    for true, given, count in largest_confusions(metrics):
        console.print(f"  {true}, {given}, {count}")
