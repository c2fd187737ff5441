"""`hubel.cross_validate`: the same training once for every fold, which is then tested on what it has not seen.

Stone 1974, JRSS B 36:111. Every picture is predicted once, by the one network that was neither trained nor stopped on
it; the figures over all of these predictions are the out-of-fold ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubel import runtime
from hubel.config import TrainConfig
from hubel.data.division.groups import Grouping, is_table
from hubel.data.division.splits import Folds, open_folds
from hubel.data.labels import classes_of, label_text
from hubel.errors import ConfigError, TrainingError
from hubel.evaluation.out_of_fold import measure_folds, out_of_fold_table, predict_held_out
from hubel.files import write_json, write_whole
from hubel.results.naming import headline
from hubel.tasks.task import label_task
from hubel.training.api import telling_the_way_on, whole_configuration
from hubel.training.folder import RunFolder, claim_folder, find_folder, refuse_taken
from hubel.training.interruption import Interrupted
from hubel.training.pictures import wanted_labelling
from hubel.training.progress import Reporter
from hubel.training.run import finished_run, make_ready, refuse_no_data, resume, with_absolute_paths


@dataclass(frozen=True)
class CrossValidation:
    """A finished cross-validation.

    Attributes:
        dir: Its folder, with a run's folder for each fold.
        metrics: What its `metrics.json` says: `folds`, `mean`, `standard_deviation`, `out_of_fold`,
            `baselines`.
        predictions: The table of every picture's out-of-fold prediction.
    """

    dir: Path
    metrics: dict[str, Any]
    predictions: Path

    def __repr__(self) -> str:
        """The folder and the headline; `metrics` has all figures."""
        return f"CrossValidation({self.dir}, out of fold {headline(self.metrics['out_of_fold'])})"


def cross_validate(
    data: str | Path | None = None,
    *,
    folds: int | None = None,
    group: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> CrossValidation:
    """Train and test once for each of several folds of a folder of pictures.

    Args:
        data: As for `hubel.train`.
        folds: How many; None: the configuration's.
        group: Which pictures belong together and are never in two folds: a regular expression for the files' names, or
            the path of a CSV file (`.csv`) with the columns `path` and `group`; None: the configuration's.
        out: The folder; None: `runs/<data's name>`.
        resume: Go on with the cross-validation in `out`, or with the newest one of `data`; folds that are finished are
            not repeated.
        reporter: Hears what happens; None: silence.
        options: As for `hubel.train`: `model`, `weights`, `recipe`, `epochs`, `config`, `settings`, ...

    Raises:
        HubelError: Something that came is wrong; the text says what, what was expected, what to do.
        Interrupted: Ctrl-C or SIGTERM; everything is saved.
    """
    target = Path(out) if out is not None else None
    with runtime.torch_as_before(), telling_the_way_on("hubel.cross_validate"):
        if resume:
            folder, config = find_folder(str(data or ""), target)
            return resume_folds(folder, config, reporter=reporter)
        settings = fold_settings(folds, group) | dict(options.pop("settings", None) or {})
        return run_folds(whole_configuration(data, settings=settings, **options), out=target, reporter=reporter)


def fold_settings(folds: int | None, group: str | None) -> dict[str, Any]:
    """The settings that the arguments `folds` and `group` stand for."""
    settings: dict[str, Any] = {}
    if folds is not None:
        settings |= {"data.folds": folds, "data.fold": None}
    if group is not None:
        settings |= {"data.groups" if is_table(group) else "data.group": group}
    return settings


def is_cross_validation(config: TrainConfig) -> bool:
    """Whether a configuration is of all folds, not of one run."""
    return config.data.folds is not None and config.data.fold is None


def run_folds(config: TrainConfig, *, out: Path | None = None, reporter: Reporter | None = None) -> CrossValidation:
    """Begin a cross-validation.

    Raises:
        HubelError: Something of the user's is wrong; earlier files are whole.
        Interrupted: Stopped; everything is saved.
    """
    if not is_cross_validation(config):
        raise ConfigError("a cross-validation needs to know how many folds: give folds (--folds 5), at least 2")
    refuse_no_data(config)
    if out is not None:
        refuse_taken(out)
    reporter = reporter or Reporter()
    config = with_absolute_paths(config)
    folds = _open(config)
    for fold in range(1, len(folds.folds) + 1):  # what cannot be divided is found before hours have passed
        folds.hold_out(fold, config.data.validation_fraction)
    first = make_ready(_of_fold(config, 1), reporter)
    label_task(first.prepared.task, "a cross-validation")
    folder = claim_folder(config.data.path, out)
    write_json(folder.path / "folds.json", _described(folds, config))
    write_whole(folder.config, config.to_yaml())  # last: a folder with a config.yaml can be resumed
    _tell(folder, reporter, f"fold 1 of {len(folds.folds)}")
    with _Stopped(folder):
        first.begin(folder.path / "fold1")
    return _go_on(folder, config, folds, reporter)


def resume_folds(
    folder: RunFolder, config: TrainConfig, *, device: str | None = None, reporter: Reporter | None = None
) -> CrossValidation:
    """Go on with a cross-validation that was stopped; finished folds are not repeated.

    Args:
        folder: Its folder.
        config: Its configuration.
        device: Another device than it began on; None: the same.
        reporter: Hears what happens.

    Raises:
        TrainingError: The folder holds no cross-validation, or the pictures have changed.
        Interrupted: Stopped again.
    """
    reporter = reporter or Reporter()
    if not is_cross_validation(config):
        raise TrainingError(f"{folder.path} holds one run, no cross-validation: hubel.train goes on with it")
    if folder.metrics.is_file():
        _tell(folder, reporter, f"{folder.path} is finished already: nothing is left to do")
        return _finished(folder)
    if device is not None:
        config = config.model_copy(update={"device": device})
    folds = _open(config)
    before = json.loads((folder.path / "folds.json").read_text(encoding="utf-8"))
    if before["fingerprint"] != _fingerprint(folds):
        raise TrainingError(
            f"the pictures in {folds.root} (or their groups) have changed since the cross-validation began: "
            "put them back, or start a new one without --resume"
        )
    return _go_on(folder, config, folds, reporter)


def _open(config: TrainConfig) -> Folds:
    data = config.data
    grouping = Grouping(data.group, Path(data.groups) if data.groups else None)
    return open_folds(
        data.path,
        data.folds or 2,
        grouping,
        labelling=wanted_labelling(config),
        near_duplicates=data.near_duplicates,
    )


def _of_fold(config: TrainConfig, fold: int) -> TrainConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"fold": fold})})


def _tell(folder: RunFolder, reporter: Reporter, text: str) -> None:
    reporter.message(text)
    folder.append_log(text)


class _Stopped:
    """Makes an interruption name the folder of the whole cross-validation, which is what can be resumed."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Interrupted):
            error.run = self.folder.path


def _go_on(folder: RunFolder, config: TrainConfig, folds: Folds, reporter: Reporter) -> CrossValidation:
    """Train what is not trained yet, predict, measure and write."""
    runs, predictions = [], []
    for fold in range(1, len(folds.folds) + 1):
        own = RunFolder(folder.path / f"fold{fold}")
        if own.metrics.is_file():
            run = finished_run(own)
        else:
            _tell(folder, reporter, f"fold {fold} of {len(folds.folds)}")
            with _Stopped(folder):
                if own.config.is_file():
                    run = resume(out=own.path, device=config.device, reporter=reporter)
                else:
                    run = make_ready(_of_fold(config, fold), reporter).begin(own.path)
        runs.append(run)
        predictions.append(predict_held_out(run, folds.folds[fold - 1], fold, config))
    table = folder.path / "out_of_fold.csv"
    write_whole(table, out_of_fold_table(predictions, folds))
    metrics = measure_folds(runs, predictions, folds)
    _tell(folder, reporter, f"out of fold: {headline(metrics['out_of_fold'])}")
    folder.write_metrics(metrics)  # last: a folder with a metrics.json is finished
    return _finished(folder)


def _finished(folder: RunFolder) -> CrossValidation:
    metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
    return CrossValidation(folder.path, metrics, folder.path / "out_of_fold.csv")


def _described(folds: Folds, config: TrainConfig) -> dict[str, Any]:
    """What `folds.json` says: who is in which fold."""
    numbered = list(enumerate(folds.folds, start=1))
    return {
        "folds": len(folds.folds),
        "grouped_by": config.data.group or config.data.groups,
        "groups": len(set(folds.groups.values())) or None,
        "pictures": {
            str(fold): {
                name: sum(label in classes_of(sample.label) for sample in samples)
                for label, name in enumerate(folds.classes)
            }
            or len(samples)
            for fold, samples in numbered
        },
        "fold_of": {sample.name: fold for fold, samples in numbered for sample in samples},
        "fingerprint": _fingerprint(folds),
    }


def _fingerprint(folds: Folds) -> str:
    """BLAKE2b over names, classes, contents and folds; the same wherever the data set lies."""
    rows = [
        f"{fold}\t{sample.name}\t{label_text(sample.label, folds.classes)}\t{sample.digest}"
        for fold, samples in enumerate(folds.folds, start=1)
        for sample in samples
    ]
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest()
