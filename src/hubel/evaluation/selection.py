"""Which pictures of a folder are measured: never, unasked, those that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hubel.data.digests import digest_files
from hubel.data.sources import SPLITS, ClassFolders, Sample, find_class_folders
from hubel.data.splits import DataSplits, open_splits
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
    classes = predictors[0].classes
    if unknown := [name for name in folders.classes if name not in classes]:
        raise DataError(
            f"{root} has the class{'es' * (len(unknown) > 1)} {', '.join(unknown[:5])}, which the model does not know: "
            f"expected folders among {', '.join(classes[:20])}{', ...' if len(classes) > 20 else ''}"
        )
    divided = None not in folders.splits
    if split == "auto" and divided:
        split = next(name for name in ("test", "validation", "train") if name in folders.splits)
    elif split == "auto":
        splits = _splits_of_training(root, folders, predictors[0])
        if splits is not None and splits.test:
            note = "the model was trained on pictures of this folder: its held-out test split is measured"
            return Selection(_relabelled(splits.test, splits.classes, classes), "test", (note,))
        return _leave_out_trained(_all_samples(folders, classes), predictors)
    elif split != "all" and not divided:
        splits = _splits_of_training(root, folders, predictors[0])
        if splits is None:
            raise DataError(f"{root} has no {split} folder, nor is it what the model was trained on: use --split all")
        return Selection(_relabelled(splits.split(split), splits.classes, classes), split, ())
    if split != "all" and split not in folders.splits:
        there = ", ".join(str(name) for name in folders.splits)
        raise DataError(f"{root} has no {split} folder: expected --split {there} or all")
    return Selection(_all_samples(folders, classes, None if split == "all" else split), split, ())


def _all_samples(folders: ClassFolders, classes: Sequence[str], split: str | None = None) -> tuple[Sample, ...]:
    """The pictures of one split, or of all, with labels in the model's order."""
    chosen = [by_class for name, by_class in folders.splits.items() if split in (None, name)]
    digests = digest_files(folders.root, [f for by_class in chosen for files in by_class.values() for f in files])
    return tuple(
        Sample(folders.root / PurePosixPath(file.name), file.name, classes.index(name), digests[file.name])
        for by_class in chosen
        for name, files in by_class.items()
        for file in files
    )


def _splits_of_training(root: Path, folders: ClassFolders, predictor: Predictor) -> DataSplits | None:
    """The division of a folder that the model was trained on; None for any other folder."""
    if folders.classes != tuple(sorted(predictor.classes)):
        return None
    fractions = predictor.bundle.config.get("data", {})
    splits = open_splits(
        root,
        validation_fraction=fractions.get("validation_fraction", 0.15),
        test_fraction=fractions.get("test_fraction", 0.15),
    )
    return splits if splits.fingerprint == predictor.bundle.fingerprint else None


def _relabelled(samples: Sequence[Sample], own: Sequence[str], classes: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(replace(sample, label=classes.index(own[sample.label])) for sample in samples)


def _leave_out_trained(samples: tuple[Sample, ...], predictors: Sequence[Predictor]) -> Selection:
    """Leave out what a model's run lists among its training or validation pictures."""
    trained: set[str] = set()
    for predictor in predictors:
        listing = predictor.path.parent / "splits.csv" if predictor.path else None
        if listing is not None and listing.is_file():
            seen = DataSplits.from_csv(listing.read_text(encoding="utf-8"), listing.parent)
            trained |= {sample.digest for sample in (*seen.train, *seen.validation)}
    kept = tuple(sample for sample in samples if sample.digest not in trained)
    if len(kept) == len(samples):
        return Selection(samples, "all", ())
    if not kept:
        raise DataError(
            f"all {len(samples)} pictures are ones it was trained or validated on: give others, or use --split all"
        )
    left_out = len(samples) - len(kept)
    note = f"{left_out:,} pictures that the model was trained or validated on were left out; --split all keeps them"
    return Selection(kept, "all", (note,))
