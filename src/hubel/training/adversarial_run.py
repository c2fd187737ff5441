"""A prepared GAN in its folder: trained, written and reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from hubel.bundle import save_bundle
from hubel.data.decoded.store import PictureStore
from hubel.data.drawing.thumbnails import thumbnail
from hubel.data.sources import Sample
from hubel.errors import DataError
from hubel.files import write_whole
from hubel.models.generative import DCGAN
from hubel.pages import render_page
from hubel.results.naming import TITLES, counted
from hubel.tasks.generative.tips import Check, check_tips
from hubel.training.adversarial import COMPARED, AdversarialFit, AdversarialSettings
from hubel.training.charts import draw_figures
from hubel.training.folder import RunFolder
from hubel.training.interruption import Interrupted, StopRequest
from hubel.training.preparation import Prepared, bundle_of
from hubel.training.run_log import LoggingReporter
from hubel.training.sheets import FOLDER, read_sheets

_TRAINING_PICTURES = 16


def play_and_finish(prepared: Prepared, folder: RunFolder, log: LoggingReporter) -> None:
    """Train from the folder's checkpoint, or from the beginning, and write all that a finished run has.

    Raises:
        HubelError: Something goes wrong on the way; earlier files are whole.
        Interrupted: Stopped; everything is saved.
    """
    config, network, validation = prepared.config, prepared.network, prepared.stores["validation"]
    assert isinstance(network, DCGAN)
    _check_differ(validation)
    (phase,) = config.phases or ()
    log.message(
        f"{config.model.name} on {prepared.device}: {len(prepared.stores['train']):,} training pictures without "
        f"labels, {counted(phase.epochs, 'epoch')} of {counted(len(prepared.loader('train')), 'step')}, game "
        f"{config.generative.game}"
    )

    def save(tensors: Mapping[str, Tensor], row: Mapping[str, Any]) -> None:
        save_bundle(folder.bundle, bundle_of(prepared, {"train": _figures(row)}, prepared.task), tensors)

    settings = AdversarialSettings(
        phase=phase,
        generative=config.generative,
        seed=config.seed,
        checkpoint=folder.checkpoint,
        checkpoint_seconds=config.checkpoint_seconds,
        bfloat16=config.precision == "bfloat16",
        sheets=folder.path / FOLDER,
    )
    with StopRequest() as stop:
        fit = AdversarialFit(
            network,
            prepared.preprocess,
            prepared.loader("train"),
            validation,
            settings,
            save=save,
            write_history=folder.write_history,
            reporter=log,
            stop=stop,
        )
        try:
            progress = fit.run(resume=folder.checkpoint.is_file())
        except Interrupted as stopped:
            stopped.run = folder.path
            raise
    last = progress.history[-1]
    metrics: dict[str, Any] = {
        "train": _figures(last),
        "collapse": list(fit.alarms),
        "seconds": round(sum(row["seconds"] for row in progress.history), 1),
        "epochs": progress.total_epochs,
        "parameters": sum(p.numel() for p in network.parameters()),
        "device": str(prepared.device),
    }
    log.message(f"the samples differ {last['validation_diversity']:.0%} as much as real pictures")
    checks = check_tips(network, config.generative, progress.history)
    for check in checks:
        if check.measured and check.kept is False:
            log.message(f"a sign of failure, against the tip that {check.tip}: {check.found}")
    _write_page(folder, prepared, progress.history, metrics, checks)
    folder.write_metrics(metrics)  # last: a folder with a metrics.json is finished


def _check_differ(validation: PictureStore) -> None:
    """Raise a DataError where there is nothing to compare the diversity of samples with."""
    if len({validation.array(at).tobytes() for at in range(min(len(validation), COMPARED))}) < 2:
        raise DataError(
            f"the validation split has {counted(len(validation), 'picture')}, none of which differs "
            "from another: expected two that do, with which the samples are compared"
        )


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    told = ("train_loss", "train_generator_loss", "train_discriminator_accuracy", "validation_diversity")
    return {name.partition("_")[2]: row[name] for name in told}


def _write_page(
    folder: RunFolder,
    prepared: Prepared,
    history: Sequence[dict[str, Any]],
    metrics: Mapping[str, Any],
    checks: Sequence[Check],
) -> None:
    drawn = {
        "Losses": {
            TITLES["loss"]: "train_loss",
            TITLES["generator_loss"]: "train_generator_loss",
        },
        "Who wins": {
            TITLES["discriminator_accuracy"]: "train_discriminator_accuracy",
            TITLES["diversity"]: "validation_diversity",
        },
    }
    text = render_page(
        "hubel.training",
        "adversarial.html.j2",
        name=folder.path.name,
        network=prepared.config.model.name,
        metrics=metrics,
        game=prepared.config.generative.game,
        curves=draw_figures(history, drawn),
        checks=checks,
        sheets=read_sheets(folder.path / FOLDER),
        pictures=_some(prepared.stores["train"].samples),
        size=prepared.preprocess.size,
        config=prepared.config.to_yaml(),
    )
    write_whole(folder.report, text)


def _some(samples: Sequence[Sample]) -> list[str]:
    """Some pictures, evenly spaced, for those of a class lie side by side."""
    places = np.linspace(0, len(samples) - 1, min(_TRAINING_PICTURES, len(samples))).astype(int)
    return [shown for at in places if (shown := thumbnail(samples[at]))]
