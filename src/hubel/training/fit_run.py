"""A prepared run in its folder: trained, measured, written and reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hubel import runtime
from hubel.bundle import load_tensors, save_bundle
from hubel.data.drawing.thumbnails import as_address
from hubel.inference.generator import Generator
from hubel.models.generative import DCGAN
from hubel.results import Metrics
from hubel.tasks.generative.drawing import enlarged, sheet
from hubel.tasks.reconstruction import GenerationTask, autoencoding
from hubel.tasks.task import PlaceTask
from hubel.training.adversarial_run import play_and_finish
from hubel.training.codes import check_codes, fit_codes
from hubel.training.final_figures import baselines_of, measure_run
from hubel.training.fit import Fit
from hubel.training.fit_settings import FitSettings
from hubel.training.folder import RunFolder, read_table
from hubel.training.interruption import Interrupted, StopRequest
from hubel.training.plan import PlannedPhase, TrialLoss, make_plan
from hubel.training.preparation import Prepared, bundle_of
from hubel.training.report import Report, write_report
from hubel.training.run_log import LoggingReporter
from hubel.training.sheets import FOLDER, ON_A_SHEET, is_due, read_sheets, samples_of_prior, write_sheet
from hubel.training.step_loss import step_loss_of, targets_on


def fit_and_finish(prepared: Prepared, folder: RunFolder, log: LoggingReporter) -> None:
    """Train from the folder's checkpoint, or from the beginning, and write all that a finished run has.

    Raises:
        HubelError: Something goes wrong on the way; earlier files are whole.
        Interrupted: Stopped; everything is saved.
    """
    if isinstance(prepared.network, DCGAN):
        play_and_finish(prepared, folder, log)
        return
    check_codes(prepared)
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
    fit_codes(prepared, folder)
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
    bundle = bundle_of(prepared, metrics, task)
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
        samples=_samples(prepared, folder) if isinstance(task, GenerationTask) else None,
        sheets=read_sheets(folder.path / FOLDER),
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


def _samples(prepared: Prepared, folder: RunFolder) -> str:
    """A sheet of samples of the written model."""
    generator = Generator.load(folder.bundle, device=str(prepared.device))
    return as_address(enlarged(sheet(generator.sample(ON_A_SHEET, prepared.config.seed))))


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
    places = isinstance(prepared.task, PlaceTask)
    return make_plan(
        prepared.network,
        config.phases or (),
        config.optimizer,
        config.transfer,
        prepared.preprocess,
        pictures=(len(stores["train"]), len(stores["validation"]) if "validation" in stores else 0),
        batch_size=prepared.batch_size,
        mixing=bool(config.augment.mixup or config.augment.cutmix),
        bfloat16=config.precision == "bfloat16",
        loss=_loss_of_first_batch(prepared) if places else None,
    )


def _loss_of_first_batch(prepared: Prepared) -> TrialLoss:
    """The loss of the run's first step."""
    batch = next(prepared.loader("train", workers=0).epoch(0))
    images = prepared.preprocess.normalise(runtime.to_device(batch.images, prepared.device))
    targets = targets_on(batch.labels, prepared.device)
    step_loss = step_loss_of(prepared.task, trained_aux=(), mixup=0.0, cutmix=0.0)

    def loss(network: nn.Module) -> torch.Tensor:
        return step_loss(network, images, targets, (prepared.config.seed, 0))[0]

    return loss


def _fit(prepared: Prepared, folder: RunFolder, log: LoggingReporter, stop: StopRequest) -> Fit:
    config = prepared.config
    phases = config.phases or ()

    def save_best(tensors: Mapping[str, torch.Tensor], validation: Metrics | None) -> None:
        known = {} if validation is None else {"validation": validation.to_dict()}
        save_bundle(folder.bundle, bundle_of(prepared, known, prepared.task), tensors)

    def write_history(rows: list[dict[str, Any]], kept: nn.Module) -> None:
        folder.write_history(rows)
        if isinstance(prepared.task, GenerationTask) and is_due(len(rows), sum(phase.epochs for phase in phases)):
            pictures = samples_of_prior(autoencoding(kept), config.seed)
            write_sheet(folder.path / FOLDER, len(rows), pictures)

    return Fit(
        prepared.network,
        prepared.task,
        prepared.preprocess,
        prepared.loader("train"),
        prepared.loader("validation") if "validation" in prepared.stores else None,
        FitSettings(
            phases=phases,
            optimizer=config.optimizer,
            transfer=config.transfer,
            seed=config.seed,
            patience=config.patience,
            checkpoint=folder.checkpoint,
            checkpoint_seconds=config.checkpoint_seconds,
            average_decay=config.average_decay or 0.0,
            mixup=config.augment.mixup,
            cutmix=config.augment.cutmix,
            bfloat16=config.precision == "bfloat16",
        ),
        save_best=save_best,
        load_best=lambda: load_tensors(folder.bundle),
        write_history=write_history,
        reporter=log,
        stop=stop,
    )
