"""Which pictures a run trains on: found, labelled as its task wants it, divided, and the same when it is resumed."""

from __future__ import annotations

from pathlib import Path

from hubel.config import TrainConfig
from hubel.data.division.groups import Grouping
from hubel.data.division.splits import DataSplits, open_division
from hubel.data.division.subset import Subset
from hubel.data.labels import Labelling
from hubel.errors import DataError, TrainingError
from hubel.models.registry import model_entry
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.registry import TASKS
from hubel.training.progress import Reporter


def open_pictures(config: TrainConfig, reporter: Reporter) -> DataSplits:
    """The division of a run's pictures, with the labels that the task or else the network wants.

    Raises:
        HubelError: There is nothing to train on, or it has other labels.
    """
    data, wanted = config.data, wanted_labelling(config)
    part = Subset(data.fraction, data.per_class, config.seed)

    def divided(labelling: Labelling | None) -> DataSplits:
        division = open_division(
            Path(data.path),
            validation_fraction=data.validation_fraction,
            test_fraction=data.test_fraction,
            grouping=Grouping(data.group, Path(data.groups) if data.groups else None),
            folds=data.folds,
            fold=data.fold,
            labelling=labelling,
            near_duplicates=data.near_duplicates,
            tell=reporter.message,
        )
        return part.of(division)

    try:
        return divided(wanted)
    except DataError:
        if wanted is None or config.task is not None:
            raise
        return divided(None)  # where that works, `with_network` tells which networks suit the labels that there are


def wanted_labelling(config: TrainConfig) -> Labelling | None:
    """The labels that the configuration's task needs, or its network; None: those that the data has."""
    if config.task is not None:
        return TASKS[config.task].labelling
    kind = None if config.model.name is None else model_entry(config.model.name).task
    return TASKS[kind].labelling if kind in TASKS and kind != ClassificationTask.name else None


def check_same_data(splits: DataSplits, stored: str) -> None:
    """Make sure that a resumed run sees the pictures that it began with.

    Args:
        splits: As found now.
        stored: The text of the run's `splits.csv`.

    Raises:
        TrainingError: They differ; how many do is told.
    """
    now, before = set(splits.to_csv().splitlines()), set(stored.splitlines())
    if now != before:
        raise TrainingError(
            f"the pictures in {splits.root} have changed since the run began ({len(now - before)} new or changed, "
            f"{len(before - now)} gone): put them back, or start a new run without --resume"
        )
