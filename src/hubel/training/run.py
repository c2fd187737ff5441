"""A run from a configuration to a folder with a model, its figures and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hubel.config import TrainConfig
from hubel.data.layouts.finding import settled
from hubel.errors import ConfigError, TrainingError
from hubel.files import expanded, write_whole
from hubel.results.naming import headline
from hubel.training.auto import with_chosen_phases
from hubel.training.fit_run import fit_and_finish
from hubel.training.folder import RunFolder, claim_folder, find_folder, refuse_taken, table
from hubel.training.pictures import check_same_data
from hubel.training.preparation import Prepared, prepare
from hubel.training.progress import Reporter
from hubel.training.rate_finder import HIGHEST_RATE, LOWEST_RATE, STEPS, RateSearch, search_rate
from hubel.training.recipes import with_learning_rate
from hubel.training.run_log import LoggingReporter
from hubel.weights.checkpoint import file_of_run


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        dir: Its folder.
        metrics: What `metrics.json` says.
        bundle: The model of the best epoch, or of the last one where there is no validation; one file.
        report: The page to look at.
    """

    dir: Path
    metrics: Mapping[str, Any]
    bundle: Path
    report: Path

    def __repr__(self) -> str:
        """The folder and the headlines; `metrics` has all figures."""
        splits = [name for name in ("validation", "test") if name in self.metrics]
        figures = [f"{name} {headline(self.metrics[name])}" for name in splits]
        return f"Run({', '.join([str(self.dir), *figures])})"


def start(config: TrainConfig, *, out: Path | None = None, reporter: Reporter | None = None) -> Run:
    """Train on a folder of pictures; the best epoch on validation is tested once, at the end.

    Args:
        config: The whole run.
        out: The run's folder; None: `runs/<the data's name>`, numbered on when that is taken.
        reporter: Hears what happens.

    Raises:
        HubelError: Something of the user's is wrong; earlier files are whole.
        Interrupted: Ctrl-C or SIGTERM; everything is saved, `resume` goes on.
    """
    if out is not None:
        refuse_taken(out)
    return make_ready(config, reporter or Reporter()).begin(out)


@dataclass(frozen=True)
class ReadyRun:
    """A run before it has a folder: all that can be wrong with it would have been said.

    Attributes:
        prepared: What it is made of.
        search: The search for its learning rate, if there was one.
        log: Where it tells what it does.
    """

    prepared: Prepared
    search: RateSearch | None
    log: LoggingReporter

    def begin(self, out: Path | None) -> Run:
        """Claim a folder (None: `runs/<the data's name>`, numbered on when that is taken), train and test.

        Raises:
            HubelError: The folder holds a run already, or something goes wrong on the way; earlier files are whole.
            Interrupted: Ctrl-C or SIGTERM; everything is saved, `resume` goes on.
        """
        config, log = self.prepared.config, self.log
        folder = claim_folder(config.data.path, out)
        if self.search is not None:
            write_whole(folder.rates, table(self.search.rows()))
        write_whole(folder.splits, self.prepared.splits.to_csv())
        write_whole(folder.config, config.to_yaml())  # last: a folder with a config.yaml can be resumed
        log.attach(folder)
        fit_and_finish(self.prepared, folder, log)
        return finished_run(folder)


def make_ready(config: TrainConfig, reporter: Reporter) -> ReadyRun:
    """Read the pictures, build the network and settle what the configuration leaves open.

    Raises:
        HubelError: Something of the user's is wrong; nothing was written.
    """
    if config.data.folds is not None and config.data.fold is None:
        raise ConfigError(
            "data.folds without data.fold asks for a cross-validation: call hubel.cross_validate (or hubel train "
            "--folds), or say which fold to hold out"
        )
    refuse_no_data(config)
    log = LoggingReporter(reporter)
    prepared = with_chosen_phases(prepare(with_absolute_paths(config), log), log)
    search = None
    if config.learning_rate == "find":
        search = _search_rate(prepared, log)
        prepared = _with_found_rate(prepared, search, log)
    return ReadyRun(prepared, search, log)


def refuse_no_data(config: TrainConfig) -> None:
    """Refuse a configuration that names no data, which would be the current folder.

    Raises:
        ConfigError: It names none.
    """
    if not config.data.path:
        raise ConfigError("no pictures to train on: give data, such as a folder with a folder of pictures per class")


def _search_rate(prepared: Prepared, log: Reporter) -> RateSearch:
    config = prepared.config
    log.message(f"searching for a learning rate: at most {STEPS} steps, from {LOWEST_RATE:g} to {HIGHEST_RATE:g}")
    with closing(prepared.loader("train")) as loader:
        return search_rate(
            prepared.network,
            prepared.task,
            prepared.preprocess,
            loader,
            (config.phases or ())[0],
            config.optimizer,
            seed=config.seed,
            bfloat16=config.precision == "bfloat16",
            mixup=config.augment.mixup,
            cutmix=config.augment.cutmix,
        )


def _with_found_rate(prepared: Prepared, search: RateSearch, log: Reporter) -> Prepared:
    """The run with the rate that was found, as a number: whoever repeats or resumes it does not search again."""
    config = prepared.config
    phases = config.phases or ()
    rate = search.suggestion
    if rate is None:
        rate = phases[0].learning_rate
        log.message(f"the loss fell at no learning rate: the recipe's own stays, {rate:.2g}")
    else:
        rate = float(f"{rate:.2g}")
        log.message(f"learning rate {rate:g}: there the loss falls most steeply (rates.csv has the curve)")
    found = {"learning_rate": rate, "phases": with_learning_rate(phases, rate)}
    return replace(prepared, config=config.model_copy(update=found))


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The configuration with paths that hold in every working folder."""
    data, model = config.data, config.model
    if data.path:
        data = data.model_copy(update={"path": settled(data.path)})
    if data.groups:
        data = data.model_copy(update={"groups": str(expanded(data.groups).resolve())})
    if model.weights and (weights := expanded(file_of_run(model.weights))).is_file():
        model = model.model_copy(update={"weights": str(weights.resolve())})
    return config.model_copy(update={"data": data, "model": model})


def resume(
    *, out: Path | None = None, data: str = "", device: str | None = None, reporter: Reporter | None = None
) -> Run:
    """Go on with a run that was stopped, exactly as if it had not been.

    Args:
        out: The run's folder; None: the newest run of `data` under `runs/`.
        data: The data set, to find its runs; empty where `out` tells.
        device: Another device than the run began on; None: the same.
        reporter: Hears what happens.

    Raises:
        TrainingError: There is nothing to resume, or the pictures have changed.
        Interrupted: Stopped again.
    """
    folder, config = find_folder(data, out)
    if config.data.folds is not None and config.data.fold is None:
        raise TrainingError(f"{folder.path} holds a cross-validation: hubel.cross_validate goes on with it")
    if device is not None:
        config = config.model_copy(update={"device": device})
    log = LoggingReporter(reporter or Reporter())
    log.attach(folder)
    if folder.metrics.is_file():
        log.message(f"{folder.path} is finished already: nothing is left to do")
        return finished_run(folder)
    prepared = prepare(config, log)
    check_same_data(prepared.splits, folder.splits.read_text(encoding="utf-8"))
    fit_and_finish(prepared, folder, log)
    return finished_run(folder)


def finished_run(folder: RunFolder) -> Run:
    """The run that a folder holds."""
    metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
    return Run(folder.path, metrics, folder.bundle, folder.report)
