"""Which pictures of a folder are measured: never, unasked, those that the model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hubel.config import TrainConfig
from hubel.data.collecting import Excluded, labelled_splits
from hubel.data.decoded.store import Unreadable, refuse_share
from hubel.data.division.groups import Grouping
from hubel.data.division.splits import DataSplits, open_division
from hubel.data.division.subset import Subset
from hubel.data.labels import Label
from hubel.data.layouts.finding import find_source
from hubel.data.relabelling import relabelled
from hubel.data.sources import SPLITS, Sample, Source, Split
from hubel.errors import DataError, unknown_name
from hubel.inference.predictor import Predictor
from hubel.results.naming import counted


@dataclass(frozen=True)
class Selection:
    """The pictures to measure.

    Attributes:
        samples: With labels in the model's order.
        split: `train`, `validation`, `test` or `all`.
        notes: What a reader should know of the choice.
        training_labels: Those of the first model's training pictures, where they are known.
    """

    samples: tuple[Sample, ...]
    split: str
    notes: tuple[str, ...]
    training_labels: tuple[Label, ...] | None = None


def select_samples(
    root: Path,
    predictors: Sequence[Predictor],
    split: str,
    *,
    max_unreadable: float = 1.0,
    tell: Callable[[str], None] | None = None,
) -> Selection:
    """Choose the pictures of a folder.

    Args:
        root: Class folders, with or without split folders above them.
        predictors: The models; their classes are the same.
        split: `train`, `validation`, `test`, `all`, or `auto`: the test split of a folder that has one or that the
            first model was trained on; else all pictures but those that a model's run is known to have trained on.
        max_unreadable: Share of the pictures that may be unusable, labels included.
        tell: Hears of what takes a while.

    Raises:
        DataError: The path does not exist, has no images, has classes that the models do not know, or lacks the split;
            too many of its pictures cannot be used.
    """
    if split not in ("auto", "all", *SPLITS):
        raise unknown_name("split", split, ("auto", "all", *SPLITS))
    labelling = predictors[0].task.labelling
    source = relabelled(find_source(root, tell or (lambda text: None), labelling), labelling)
    # Without labels any classes will do: nothing is measured by them.
    own, excluded = labelled_splits(source, source.classes if labelling == "none" else predictors[0].classes)
    trained = listed_splits(predictors[0])
    labels = None
    if trained is not None and trained.classes == predictors[0].classes:
        labels = tuple(sample.label for sample in trained.train)
    division = None if split == "all" else _division_in_training(root, source, predictors[0])
    unasked, notes, of_split = split == "auto", list[str](), own
    if division is not None:
        labels = tuple(sample.label for sample in division.train)
        if unasked:
            split = "test" if division.test else "validation"
            notes.append(f"the model was trained on pictures of this folder: its held-out {split} split is measured")
        of_split = {name: division.split(name) for name in SPLITS if division.split(name)}
    elif unasked:
        split = next((name for name in ("test", "validation", "train") if name in own), "all")
    notes = [*_without_unusable(own, excluded, split, max_unreadable), *notes]
    if split == "all":
        samples = tuple(sample for of_one in of_split.values() for sample in of_one)
    elif split in of_split:
        samples = of_split[split]
    else:
        there = ", ".join(str(name) for name in of_split if name is not None)
        raise DataError(f"{root} has no {split} split: expected --split {there + ', ' if there else ''}auto or all")
    if not samples:
        raise DataError(f"{root} has no usable pictures in its {split} split: {'; '.join(notes) or 'it is empty'}")
    selection = Selection(samples, split, tuple(notes), labels)
    if not unasked:
        return selection
    return leave_out(selection, predictors) if division is None else leave_out(selection, predictors[1:], ("train",))


def _without_unusable(
    own: Mapping[Split | None, Sequence[Sample]], excluded: Sequence[Excluded], split: str, max_unreadable: float
) -> list[str]:
    """Name the pictures that cannot be used, of the split that is measured, or of the one that it was taken from.

    Args:
        own: The pictures of the folder's own splits.
        excluded: Those of them that cannot be used.
        split: What is measured.
        max_unreadable: Which share may be unusable.

    Raises:
        DataError: More are.
    """
    origin = set(own) if split == "all" else own.keys() & {split} or own.keys() & {None, "train"}
    unusable = [Unreadable(item.sample, item.reason) for item in excluded if item.split in origin]
    count = len(unusable) + sum(len(own[name]) for name in origin)
    refuse_share(unusable, count, max_unreadable, option="--max-unreadable ")
    return [f"left out {item}" for item in unusable]


def _division_in_training(root: Path, source: Source, predictor: Predictor) -> DataSplits | None:
    """The division of a folder that the model was trained on; None for any other folder."""
    if source.classes != predictor.classes and predictor.task.labelling != "none":
        return None
    settings = dict(predictor.bundle.config.get("data", {}))
    if settings.get("groups"):  # of the table's path, the bundle has the name alone
        settings |= {"groups": _table_of_run(predictor)}
    names = ("validation_fraction", "test_fraction", "folds", "fold")
    part = Subset(settings.get("fraction"), settings.get("per_class"), predictor.bundle.config.get("seed", 0))
    searched = {0}  # the search for near duplicates takes its time, and most pictures have none
    if settings.get("path") == source.root.name:
        searched.add(settings.get("near_duplicates", 0))
    for near_duplicates in sorted(searched):
        try:
            division = open_division(
                root,
                **{name: settings[name] for name in names if name in settings},
                grouping=Grouping(settings.get("group"), settings.get("groups")),
                labelling=predictor.task.labelling,
                near_duplicates=near_duplicates,
            )
        except DataError:  # nobody could train on it
            return None
        division = part.of(division)
        if division.fingerprint == predictor.bundle.fingerprint:
            return division
    return None


def leave_out(
    selection: Selection, predictors: Sequence[Predictor], splits: Sequence[str] = ("train", "validation")
) -> Selection:
    """Leave out what a model's run lists in some of its splits, with a note.

    Raises:
        DataError: Nothing is left.
    """
    known: set[str] = set()
    for predictor in predictors:
        listed = listed_splits(predictor)
        if listed is not None:
            known |= {sample.digest for split in splits for sample in listed.split(split)}
    kept = tuple(sample for sample in selection.samples if sample.digest not in known)
    if selection.samples and not kept:
        raise DataError(
            f"the model was trained or validated on all of {counted(len(selection.samples), 'picture')}: "
            "give others, or use --split all"
        )
    notes = list(selection.notes)
    if left_out := len(selection.samples) - len(kept):
        notes.append(
            f"pictures that the model was trained or validated on were left out: {left_out:,}; --split all keeps them"
        )
    return replace(selection, samples=kept, notes=tuple(notes))


def _table_of_run(predictor: Predictor) -> Path | None:
    """The table of groups that a model's run was divided by, if the bundle still lies in its folder."""
    file = predictor.path.parent / "config.yaml" if predictor.path else None
    if file is None or not file.is_file():
        return None
    path = TrainConfig.from_yaml(file).data.groups
    return Path(path) if path else None


def listed_splits(predictor: Predictor) -> DataSplits | None:
    """The division that a model's run wrote down, if the bundle still lies in its folder."""
    listing = predictor.path.parent / "splits.csv" if predictor.path else None
    if listing is None or not listing.is_file():
        return None
    return DataSplits.from_csv(listing.read_text(encoding="utf-8"), listing.parent)
