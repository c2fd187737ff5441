"""The recipe `auto`: a probe of the training pictures chooses what is frozen, and says why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from hubel.config import Phase, TrainConfig
from hubel.training.preparation import Prepared
from hubel.training.progress import Reporter
from hubel.training.recipes import AUTO, phases_from, recipe_of, with_learning_rate
from hubel.transfer.probe import ProbeResult, probe


def with_chosen_phases(prepared: Prepared, reporter: Reporter) -> Prepared:
    """A run whose recipe `auto` is spelled out as phases, which its config.yaml keeps: nobody probes twice.

    Raises:
        DataError: There are too few pictures for a probe.
    """
    config = prepared.config
    if config.recipe != AUTO or config.phases is not None:
        return prepared
    if config.model.weights is None:
        reporter.message("recipe auto: scratch, for there are no weights to start from (--weights gives some)")
        phases = recipe_of(config.model_copy(update={"recipe": "scratch"}))
    else:
        reporter.message("recipe auto: probing the features after every stage, on the training pictures")
        advice = probe_prepared(prepared, reporter).advice
        reporter.message(f"recipe auto: {advice.summary}")
        for reason in advice.reasons:
            reporter.message(f"  because {reason}")
        phases = _phases(config, advice.train)
    return replace(prepared, config=config.model_copy(update={"phases": phases}))


def probe_prepared(prepared: Prepared, reporter: Reporter) -> ProbeResult:
    """Probe the training pictures of a run; validation and test pictures are not looked at.

    Raises:
        DataError: There are too few different pictures.
    """
    return probe(
        prepared.network,
        prepared.loader("train"),
        prepared.preprocess,
        prepared.task,
        pretrained=prepared.config.model.weights is not None,
        seed=prepared.config.seed,
        progress=partial(reporter.preparing, "features of"),
    )


def _phases(config: TrainConfig, train: str) -> tuple[Phase, ...]:
    phases = phases_from(train, epochs=config.epochs, optimizer=config.optimizer.name)
    rate = config.learning_rate
    return with_learning_rate(phases, rate) if isinstance(rate, float) else phases
