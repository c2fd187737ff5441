"""What the page of a task whose answer lies in the picture shows: pictures with the truth and the answer drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubel.data.drawing.thumbnails import thumbnail
from hubel.tasks.task import PlaceTask
from hubel.training.report_sections.drawing import drawn, spaced

if TYPE_CHECKING:
    from hubel.training.report import Report

_EXAMPLES = 8
_SIDE = 520  # pixels of the longer side of an example
_TRAINING_PICTURES = 12


def examples(report: Report, shown: str) -> dict[str, Any]:
    """Some pictures of the split, evenly spaced, and some training pictures."""
    task, store = report.task, report.stores[shown]
    assert isinstance(task, PlaceTask)
    chosen = spaced(len(store), _EXAMPLES)
    samples = [store.samples[at] for at in chosen]
    names: list[str | None] = [sample.name for sample in samples]
    truths = task.truth(store.labels[chosen], names)
    answers = task.results([report.predictions[shown][at] for at in chosen], names)
    pairs = [
        {"name": sample.name, "truth": drawn(task, sample, truth, _SIDE), "answer": drawn(task, sample, answer, _SIDE)}
        for sample, truth, answer in zip(samples, truths, answers, strict=True)
    ]
    training = report.stores["train"].samples
    row = [picture for at in spaced(len(training), _TRAINING_PICTURES) if (picture := thumbnail(training[at]))]
    return {
        "counts": report.readable.counts(),
        "samples": [("", row)],
        "examples": [pair for pair in pairs if pair["truth"] and pair["answer"]],
    }
