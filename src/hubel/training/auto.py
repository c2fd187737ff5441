"""The recipe `auto`: a probe of the training pictures chooses what is frozen, and says why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from hubel import runtime
from hubel.config import Phase, TrainConfig
from hubel.errors import ConfigError
from hubel.models.network import ClassificationNetwork
from hubel.tasks.task import label_task
from hubel.training.network import build_network
from hubel.training.preparation import Prepared
from hubel.training.progress import Reporter
from hubel.training.recipes import AUTO, phases_from, recipe_of, with_learning_rate
from hubel.transfer.probe import ProbeResult, probe


def with_chosen_phases(prepared: Prepared, reporter: Reporter) -> Prepared:
    """A run whose recipe `auto` is spelled out as phases, and the network's last stage where not all of them serve.

    The run's config.yaml keeps both: nobody probes twice.

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
        if advice.through is not None:
            prepared = _ending_after(advice.through, prepared, reporter)
    return replace(prepared, config=prepared.config.model_copy(update={"phases": phases}))


def _ending_after(through: str, prepared: Prepared, reporter: Reporter) -> Prepared:
    """The run with a network that ends after a stage, built as a run from its config.yaml builds it."""
    model = prepared.config.model
    model = model.model_copy(update={"arguments": {**model.arguments, "through": through}})
    config = prepared.config.model_copy(update={"model": model})
    network = build_network(config, prepared.task, reporter).model
    network.to(prepared.device).to(memory_format=runtime.memory_format(prepared.device))
    return replace(prepared, config=config, network=network)


def probe_prepared(prepared: Prepared, reporter: Reporter) -> ProbeResult:
    """Probe the training pictures of a run; validation and test pictures are not looked at.

    Raises:
        DataError: There are too few different pictures.
        ConfigError: The labels are boxes or masks.
    """
    network = prepared.network
    task = label_task(prepared.task, "a probe")
    if not isinstance(network, ClassificationNetwork):
        raise ConfigError(f"a probe is of the stages of a classification network, {prepared.config.model.name} is none")
    return probe(
        network,
        prepared.loader("train"),
        prepared.preprocess,
        task,
        pretrained=prepared.config.model.weights is not None,
        seed=prepared.config.seed,
        progress=partial(reporter.preparing, "features of"),
    )


def _phases(config: TrainConfig, train: str) -> tuple[Phase, ...]:
    phases = phases_from(train, epochs=config.epochs, optimizer=config.optimizer.name)
    rate = config.learning_rate
    return with_learning_rate(phases, rate) if isinstance(rate, float) else phases
