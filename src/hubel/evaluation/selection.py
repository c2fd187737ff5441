"""Which pictures of a folder are measured: never, unasked, those that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubel.data.sources import SPLITS, ClassFolders, Sample, find_class_folders
from hubel.data.splits import DataSplits, labelled_splits, open_splits
from hubel.errors import DataError, unknown_name
from hubel.inference.predictor import Predictor


@dataclass(frozen=True)
class Selection:
    """The pictures to measure.

    Attributes:
        samples: With labels in the model's order.
        split: `train`, `validation`, `test` or `all`.
        notes: What a reader should know of the choice.
    """

    samples: tuple[Sample, ...]
    split: str
    notes: tuple[str, ...]


def select_samples(root: Path, predictors: Sequence[Predictor], split: str) -> Selection:
    """Choose the pictures of a folder.

    Args:
        root: Class folders, with or without split folders above them.
        predictors: The models; their classes are the same.
        split: `train`, `validation`, `test`, `all`, or `auto`: the test split of a folder that has one or that the
            first model was trained on; else all pictures but those that a model's run is known to have trained on.

    Raises:
        DataError: The path does not exist, has no images, has classes that the models do not know, lacks the split.
    """
    if split not in ("auto", "all", *SPLITS):
        raise unknown_name("split", split, ("auto", "all", *SPLITS))
    folders = find_class_folders(root)
    of_split, excluded = labelled_splits(folders, predictors[0].classes)
    notes = [f"left out {item.sample.name}: {item.reason}" for item in excluded]
    division = None if split == "all" else _division_in_training(root, folders, predictors[0])
    if division is not None:
        if split == "auto":
            split = "test" if division.test else "validation"
            notes.append(f"the model was trained on pictures of this folder: its held-out {split} split is measured")
        of_split = {name: division.split(name) for name in SPLITS if division.split(name)}
    elif split == "auto":
        present = [name for name in ("test", "validation", "train") if name in of_split]
        split = present[0] if present else "all"
        samples = of_split[present[0]] if present else of_split[None]
        return _leave_out_trained(samples, split, notes, predictors)
    if split == "all":
        samples = tuple(sample for of_one in of_split.values() for sample in of_one)
    elif split in of_split:
        samples = of_split[split]
    else:
        there = ", ".join(str(name) for name in of_split if name is not None)
        raise DataError(f"{root} has no {split} split: expected --split {there + ', ' if there else ''}auto or all")
    return Selection(samples, split, tuple(notes))


def _division_in_training(root: Path, folders: ClassFolders, predictor: Predictor) -> DataSplits | None:
    """The division of a folder that the model was trained on; None for any other folder."""
    if folders.classes != predictor.classes:
        return None
    fractions = predictor.bundle.config.get("data", {})
    try:
        division = open_splits(
            root,
            validation_fraction=fractions.get("validation_fraction", 0.15),
            test_fraction=fractions.get("test_fraction", 0.15),
        )
    except DataError:  # nobody could train on it
        return None
    return division if division.fingerprint == predictor.bundle.fingerprint else None


def _leave_out_trained(
    samples: tuple[Sample, ...], split: str, notes: list[str], predictors: Sequence[Predictor]
) -> Selection:
    """Leave out what a model's run lists among its training or validation pictures."""
    trained: set[str] = set()
    for predictor in predictors:
        listing = predictor.path.parent / "splits.csv" if predictor.path else None
        if listing is not None and listing.is_file():
            seen = DataSplits.from_csv(listing.read_text(encoding="utf-8"), listing.parent)
            trained |= {sample.digest for sample in (*seen.train, *seen.validation)}
    kept = tuple(sample for sample in samples if sample.digest not in trained)
    if samples and not kept:
        raise DataError(
            f"all {len(samples)} pictures are ones it was trained or validated on: give others, or use --split all"
        )
    if left_out := len(samples) - len(kept):
        notes.append(
            f"{left_out:,} pictures that the model was trained or validated on were left out; --split all keeps them"
        )
    return Selection(kept, split, tuple(notes))
