"""The steps of an epoch, one after the other: counted, timed, their losses read; what a step does is the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing

from hubel.data.targets import Batch
from hubel.training.checkpoint import Progress
from hubel.training.loss_reader import LossReader


def take_steps(
    batches: Generator[Batch],
    step: Callable[[Batch], None],
    *,
    progress: Progress,
    losses: LossReader,
    after_step: Callable[[], None],
) -> None:
    """Take a step for each batch, and add to the progress what it was and how long it took.

    Args:
        batches: The rest of the epoch's; closed here, whatever happens.
        step: Updates the weights, and gives its loss to `losses`.
        progress: Of the run.
        losses: Read when they are due, and at the end.
        after_step: Called when a step has been counted: the place to save, and to stop.
    """
    with closing(batches):
        before = time.perf_counter()
        while (batch := next(batches, None)) is not None:
            arrived = time.perf_counter()
            step(batch)
            progress.batch += 1
            progress.total_steps += 1
            if losses.due:
                losses.read(progress)
            after = time.perf_counter()
            progress.wait_seconds += arrived - before
            progress.seconds += after - before
            before = after
            after_step()
    losses.read(progress)
