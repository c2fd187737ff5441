"""What the page of a task whose answer lies in the picture shows: pictures with the truth and the answer drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.thumbnails import as_address, thumbnail
from hubel.tasks.task import PlaceTask

if TYPE_CHECKING:
    from hubel.data.sources import Sample
    from hubel.results import Result
    from hubel.training.report import Report

_EXAMPLES = 8
_SIDE = 520  # pixels of the longer side of an example
_TRAINING_PICTURES = 12


def examples(report: Report, shown: str) -> dict[str, Any]:
    """Some pictures of the split, evenly spaced, and some training pictures."""
    task, store = report.task, report.stores[shown]
    assert isinstance(task, PlaceTask)
    chosen = _spaced(len(store), _EXAMPLES)
    samples = [store.samples[at] for at in chosen]
    names: list[str | None] = [sample.name for sample in samples]
    truths = task.truth(store.labels[chosen], names)
    answers = task.results([report.predictions[shown][at] for at in chosen], names)
    drawn = [
        {"name": sample.name, "truth": _drawn(task, sample, truth), "answer": _drawn(task, sample, answer)}
        for sample, truth, answer in zip(samples, truths, answers, strict=True)
    ]
    training = report.stores["train"].samples
    row = [picture for at in _spaced(len(training), _TRAINING_PICTURES) if (picture := thumbnail(training[at]))]
    return {
        "counts": report.splits.counts(),
        "samples": [("", row)],
        "examples": [example for example in drawn if example["truth"] and example["answer"]],
    }


def _spaced(count: int, most: int) -> list[int]:
    """Positions of at most so many of some pictures, evenly spaced."""
    positions: list[int] = np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
    return positions


def _drawn(task: PlaceTask, sample: Sample, result: Result) -> str | None:
    """A picture with a result drawn on it as a `data:` address; None where it cannot be read (any more)."""
    try:
        image = task.draw(load_image(sample, channels=3), result)
    except UnreadableImage:
        return None
    image.thumbnail((_SIDE, _SIDE))
    return as_address(image)
