"""A run from a configuration to a folder with a model, its figures and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hubel import runtime
from hubel.bundle import Bundle, load_tensors, save_bundle
from hubel.config import TrainConfig
from hubel.data.layouts import settled
from hubel.errors import ConfigError, TrainingError
from hubel.files import write_whole
from hubel.results import Metrics
from hubel.tasks.task import Task
from hubel.training.auto import with_chosen_phases
from hubel.training.final_figures import baselines_of, measure_run
from hubel.training.fit import Fit, FitSettings
from hubel.training.folder import RunFolder, claim_folder, find_folder, read_table, refuse_taken, table
from hubel.training.interruption import Interrupted, StopRequest
from hubel.training.plan import PlannedPhase, make_plan
from hubel.training.preparation import Prepared, check_same_data, prepare
from hubel.training.progress import Reporter, StepReport
from hubel.training.rate_finder import HIGHEST_RATE, LOWEST_RATE, STEPS, RateSearch, search_rate
from hubel.training.recipes import with_learning_rate
from hubel.training.report import Report, write_report


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        dir: Its folder.
        metrics: What `metrics.json` says.
        bundle: The best epoch's model, one file.
        report: The page to look at.
    """

    dir: Path
    metrics: Mapping[str, Any]
    bundle: Path
    report: Path


class _LoggingReporter(Reporter):
    """Passes everything on and writes the messages into the run's log, once the run has a folder."""

    def __init__(self, inner: Reporter) -> None:
        self.inner = inner
        self._folder: RunFolder | None = None
        self._waiting: list[str] = []

    def attach(self, folder: RunFolder) -> None:
        """From now on, log into this folder; what was said before comes first."""
        self._folder = folder
        for text in self._waiting:
            folder.append_log(text)

    def downloading(self, file: str, done: int, total: int) -> None:
        """Pass it on."""
        self.inner.downloading(file, done, total)

    def preparing(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        self.inner.preparing(what, done, total)

    def step(self, report: StepReport) -> None:
        """Pass it on."""
        self.inner.step(report)

    def message(self, text: str) -> None:
        """Show a line and log it."""
        self.inner.message(text)
        self._log(text)

    def epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Show an epoch's row and log it."""
        self.inner.epoch(row, best=best)
        figures = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        self._log(figures + (", best so far" if best else ""))

    def _log(self, text: str) -> None:
        if self._folder is None:
            self._waiting.append(text)
        else:
            self._folder.append_log(text)


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
    log: _LoggingReporter

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
        return _fit_and_finish(self.prepared, folder, log)


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
    log = _LoggingReporter(reporter)
    prepared = with_chosen_phases(prepare(with_absolute_paths(config), log), log)
    search = None
    if config.learning_rate == "find":
        search = _search_rate(prepared, log)
        prepared = _with_found_rate(prepared, search, log)
    return ReadyRun(prepared, search, log)


def _search_rate(prepared: Prepared, log: Reporter) -> RateSearch:
    config = prepared.config
    log.message(f"searching for a learning rate: at most {STEPS} steps, from {LOWEST_RATE:g} to {HIGHEST_RATE:g}")
    return search_rate(
        prepared.network,
        prepared.task,
        prepared.preprocess,
        prepared.loader("train"),
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
        data = data.model_copy(update={"groups": str(Path(data.groups).expanduser().resolve())})
    if model.weights and (weights := Path(model.weights).expanduser()).is_file():
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
    log = _LoggingReporter(reporter or Reporter())
    log.attach(folder)
    if folder.metrics.is_file():
        log.message(f"{folder.path} is finished already: nothing is left to do")
        return finished_run(folder)
    prepared = prepare(config, log)
    check_same_data(prepared.splits, folder.splits.read_text(encoding="utf-8"))
    return _fit_and_finish(prepared, folder, log)


def finished_run(folder: RunFolder) -> Run:
    """The run that a folder holds."""
    metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
    return Run(folder.path, metrics, folder.bundle, folder.report)


def _fit_and_finish(prepared: Prepared, folder: RunFolder, log: _LoggingReporter) -> Run:
    config = prepared.config
    log.message(
        f"{config.model.name} on {prepared.device}: "
        + ", ".join(f"{len(store):,} {split}" for split, store in prepared.stores.items())
        + f" pictures {prepared.task.describe()}"
    )
    if not folder.checkpoint.is_file():
        for phase in _plan(prepared):
            log.message(phase.line())
        runtime.return_freed_memory()
    with StopRequest() as stop:
        fit = _fit(prepared, folder, log, stop)
        try:
            progress = fit.run(resume=folder.checkpoint.is_file())
        except Interrupted as stopped:
            stopped.run = folder.path
            raise
    runtime.return_freed_memory()
    task, measured, predictions, stores, lost = measure_run(prepared, folder, log)
    waited = wait_share(progress.history)
    log.message(f"training waited for pictures {100 * waited:.1f} % of its time")
    best_row = progress.history[progress.best_epoch - 1]
    parameters = sum(p.numel() for p in prepared.network.parameters())
    metrics: dict[str, Any] = {
        "train": {name: best_row[f"train_{name}"] for name in ("loss", prepared.task.score_name)},
        **{split: values.to_dict() | baselines_of(task, stores, split) for split, values in measured.items()},
    }
    bundle = _bundle(prepared, metrics, task)
    save_bundle(folder.bundle, bundle, load_tensors(folder.bundle))
    report = Report(
        bundle=bundle,
        task=task,
        splits=prepared.splits,
        stores=stores,
        unreadable=(*prepared.unreadable, *fit.train.lost, *lost),
        history=progress.history,
        best_epoch=progress.best_epoch,
        wait_share=waited,
        measured=measured,
        predictions=predictions,
        parameters=parameters,
        device=str(prepared.device),
        config=config.to_yaml(),
        rate_search=read_table(folder.rates) if folder.rates.is_file() else (),
        learning_rate=(config.phases or ())[0].learning_rate,
    )
    write_report(folder.report, report)
    metrics |= {
        "seconds": round(sum(row["seconds"] for row in progress.history), 1),
        "wait_share": round(waited, 4),
        "epochs": progress.total_epochs,
        "best_epoch": progress.best_epoch,
        "parameters": parameters,
        "device": str(prepared.device),
    }
    folder.write_metrics(metrics)  # last: a folder with a metrics.json is finished
    return finished_run(folder)


def wait_share(history: Sequence[Mapping[str, Any]]) -> float:
    """How much of a run's training steps was waiting for pictures, 0 to 1.

    Args:
        history: The rows of `metrics.csv`; an epoch counts by the time that its steps took.
    """
    seconds = [1 / max(row["images_per_second"], 0.1) for row in history]  # of a picture: all epochs have as many
    waited = sum(row["wait_share"] * spent for row, spent in zip(history, seconds, strict=True))
    return float(waited / sum(seconds))


def _plan(prepared: Prepared) -> list[PlannedPhase]:
    config, stores = prepared.config, prepared.stores
    return make_plan(
        prepared.network,
        config.phases or (),
        config.optimizer,
        config.transfer,
        prepared.preprocess,
        pictures=(len(stores["train"]), len(stores["validation"])),
        batch_size=config.batch_size,
        mixing=bool(config.augment.mixup or config.augment.cutmix),
        bfloat16=config.precision == "bfloat16",
    )


def _fit(prepared: Prepared, folder: RunFolder, log: _LoggingReporter, stop: StopRequest) -> Fit:
    config = prepared.config

    def save_best(tensors: Mapping[str, torch.Tensor], validation: Metrics) -> None:
        save_bundle(folder.bundle, _bundle(prepared, {"validation": validation.to_dict()}, prepared.task), tensors)

    return Fit(
        prepared.network,
        prepared.task,
        prepared.preprocess,
        prepared.loader("train"),
        prepared.loader("validation"),
        FitSettings(
            phases=config.phases or (),
            optimizer=config.optimizer,
            transfer=config.transfer,
            seed=config.seed,
            patience=config.patience,
            checkpoint=folder.checkpoint,
            checkpoint_seconds=config.checkpoint_seconds,
            average_decay=config.average_decay,
            mixup=config.augment.mixup,
            cutmix=config.augment.cutmix,
            bfloat16=config.precision == "bfloat16",
        ),
        save_best=save_best,
        load_best=lambda: load_tensors(folder.bundle),
        write_history=folder.write_history,
        reporter=log,
        stop=stop,
    )


def _bundle(prepared: Prepared, metrics: Mapping[str, Any], task: Task) -> Bundle:
    """What the run's model says of itself; of paths to data only the last name, for models are passed on."""
    values = prepared.config.model_dump(mode="json")
    values["data"]["path"] = prepared.splits.root.name
    if prepared.config.data.groups:
        values["data"]["groups"] = Path(prepared.config.data.groups).name
    return Bundle(
        task=task.name,
        network=prepared.config.model.name,
        arguments=prepared.config.model.arguments,
        preprocess=prepared.preprocess,
        **task.in_bundle(),
        metrics=metrics,
        fingerprint=prepared.splits.fingerprint,
        config=values,
    )
