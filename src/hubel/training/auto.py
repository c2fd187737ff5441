"""A probe of a run's training pictures."""

from __future__ import annotations

from functools import partial

from hubel.training.preparation import Prepared
from hubel.training.progress import Reporter
from hubel.transfer.probe import ProbeResult, probe


def probe_prepared(prepared: Prepared, reporter: Reporter) -> ProbeResult:
    """Probe the training pictures of a run; validation and test pictures are not looked at.

    Raises:
        DataError: There are fewer than two pictures of a class.
    """
    return probe(
        prepared.network,
        prepared.loader("train"),
        prepared.preprocess,
        prepared.splits.classes,
        pretrained=prepared.config.model.weights is not None,
        seed=prepared.config.seed,
        progress=partial(reporter.preparing, "features of"),
    )
