"""`report.html`: a run on one page that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hubel.bundle import Bundle
from hubel.data.decoded.store import PictureStore, Unreadable
from hubel.data.division.splits import DataSplits
from hubel.data.sources import SPLITS
from hubel.files import write_whole
from hubel.pages import render_page
from hubel.results import Metrics
from hubel.results.naming import TITLES, figure_text, headline_name
from hubel.tasks.task import AnyTask, Predictions

_UNREADABLE_LISTED = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What the page tells.

    Attributes:
        bundle: The model.
        task: What it was trained for.
        splits: The division of the pictures.
        stores: The readable pictures of each split.
        unreadable: The pictures left out.
        history: The rows of `metrics.csv`.
        best_epoch: From 1.
        wait_share: How much of the training steps' time was waiting for pictures, 0 to 1.
        measured: Metrics by split.
        predictions: By split, in the order of its store.
        parameters: Of the network.
        device: Where it was trained.
        config: The resolved configuration as YAML.
        rate_search: The rows of `rates.csv`; empty where no learning rate was searched for.
        learning_rate: The head's in the first phase.
        samples: A sheet of what a generator makes, as a `data:` address; None where the model is none.
        sheets: Those that were drawn through training, each with its epoch.
    """

    bundle: Bundle
    task: AnyTask
    splits: DataSplits
    stores: Mapping[str, PictureStore]
    unreadable: Sequence[Unreadable]
    history: Sequence[dict[str, Any]]
    best_epoch: int
    wait_share: float
    measured: Mapping[str, Metrics]
    predictions: Mapping[str, Predictions]
    parameters: int
    device: str
    config: str
    rate_search: Sequence[dict[str, float]] = ()
    learning_rate: float = 0.0
    samples: str | None = None
    sheets: Sequence[tuple[int, str]] = ()

    @property
    def readable(self) -> DataSplits:
        """The division without the pictures that could not be read when training began."""
        of = {split: self.stores[split].samples if split in self.stores else () for split in SPLITS}
        return replace(self.splits, train=of["train"], validation=of["validation"], test=of["test"])


def write_report(path: Path, report: Report) -> None:
    """Write the page, whole or not at all."""
    text = render_page("hubel.training", "report.html.j2", **_context(path.parent.name, report))
    write_whole(path, text)


def _context(name: str, report: Report) -> dict[str, Any]:
    from hubel.training.charts import draw_curves, draw_rate_search
    from hubel.training.report_sections import sections_of

    shown = "test" if "test" in report.measured else "validation"
    return {
        "name": name,
        "report": report,
        "shown": shown,
        "metrics": report.measured[shown],
        "tiles": _tiles(report, shown),
        "split_names": list(report.stores),
        "curves": draw_curves(report.history, report.best_epoch),
        "rate_search": draw_rate_search(report.rate_search, report.learning_rate) if report.rate_search else None,
        "seconds": sum(row["seconds"] for row in report.history),
        "unreadable": report.unreadable[:_UNREADABLE_LISTED],
        "resizing": _resizing(report),
        **sections_of(report, shown),
    }


def _resizing(report: Report) -> str:
    """How pictures come to the size of the input."""
    preprocess = report.bundle.preprocess
    if preprocess.resize == "shorter_side":
        cropped = "" if report.task.labelling == "mask" else ", centre cropped"
        return f"shorter side scaled to {preprocess.resize_to}{cropped}"
    said = {"stretch": "stretched to fit", "fit": "scaled to fit, in a grey frame", "native": "cut out of the pictures"}
    return said[preprocess.resize]


def _tiles(report: Report, shown: str) -> list[tuple[str, str, str]]:
    """The figures at the top of the page: each with its name, and its interval and what else is to be said."""
    figures = report.measured[shown].to_dict()
    first = headline_name(figures)
    baselines = report.task.baselines(report.stores[shown].labels, report.stores["train"].labels)
    against = [f"{of.name}: {figure_text(first, of.figures[first][0])}" for of in baselines]
    tiles = [_tile(shown, first, figures, f"{figures['images']:,} picture{'s' * (figures['images'] != 1)}", *against)]
    others = [name for name in TITLES if name in figures and name not in (first, "loss")]
    tiles += [_tile(shown, name, figures) for name in others]
    if "validation" in report.measured and shown != "validation":
        tiles.append(_tile("validation", first, report.measured["validation"].to_dict(), "it chose the epoch"))
    return tiles


def _tile(split: str, name: str, figures: Mapping[str, Any], *notes: str) -> tuple[str, str, str]:
    value, ends = figures[name], figures.get(f"{name}_ci95")
    interval = [] if ends is None else [figure_text(name, value, ends).partition(" (")[2].removesuffix(")")]
    return f"{split} {TITLES[name]}", figure_text(name, value), "; ".join((*interval, *notes))
