"""Which pictures train a network, which choose its epoch, which test it: decided once, from content, and written down.

A folder without split folders is divided by a hash of each file's bytes, so a picture's split does not depend on
what else lies in the folder, and identical files never come apart. Where pictures belong to groups, such as patients,
the hash is of the group's name, and groups never come apart.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hubel.data.collecting import Excluded, collect
from hubel.data.division.groups import Grouping
from hubel.data.division.units import MOST_SEARCHED, Units, find_units
from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.labels import COLUMN_OF, LABELLING_OF, Labelling, classes_of, label_text, names_in, read_label
from hubel.data.sources import SPLITS, Sample, Split
from hubel.errors import ConfigError, DataError
from hubel.results.naming import counted

_NO_VALIDATION = "no validation: all pictures but those of the test train, and the last epoch is kept"


@dataclass(frozen=True)
class DataSplits:
    """A data set divided into splits.

    Attributes:
        root: Its folder.
        classes: Class names, sorted; labels are indices into them. None where labels are numbers.
        train: Pictures that train the network.
        validation: Pictures that choose the epoch.
        test: Pictures that are touched once, at the end; may be empty.
        notes: One line for each thing that was decided, and why.
        excluded: Pictures in no split.
        labelling: Which kind of label every picture has.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = field(default=())
    labelling: Labelling = "class"

    def split(self, name: str) -> tuple[Sample, ...]:
        """The pictures of `train`, `validation` or `test`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many pictures each split has of each class; a picture of several classes counts for each."""
        counted = {
            split: Counter(label for sample in self.split(split) for label in classes_of(sample.label))
            for split in SPLITS
        }
        return {
            split: {name: of_label[label] for label, name in enumerate(self.classes)}
            for split, of_label in counted.items()
            if of_label
        }

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2b over classes, names, labels, digests and splits; the same wherever the folder lies."""
        content = "\n".join(self.classes) + "\n\n" + self.to_csv()
        return hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).hexdigest()

    def to_csv(self) -> str:
        """The division as CSV: a row per picture with its name, split, label (class names or a number) and digest."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", "split", COLUMN_OF[self.labelling], "digest"))
        for split in SPLITS:
            for sample in self.split(split):
                writer.writerow((sample.name, split, label_text(sample.label, self.classes), sample.digest))
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str, root: Path, classes: Sequence[str] | None = None) -> DataSplits:
        """The division that `to_csv` wrote, for a folder of pictures that may have moved.

        Of masks it has the digests only: they cannot be read.

        Args:
            text: Of the table.
            root: The folder.
            classes: The names of all classes that labels have, in their order; None: those in the table, sorted.

        Raises:
            DataError: The text is no such division.
        """
        rows = list(csv.reader(io.StringIO(text)))
        labelling = next((LABELLING_OF[name] for name in rows[0] if name in LABELLING_OF), None) if rows else None
        columns = ["name", "split", COLUMN_OF[labelling or "class"], "digest"]
        if labelling is None or rows[0] != columns or any(len(row) != len(columns) for row in rows):
            raise DataError(f"this is no table of splits: expected the columns {', '.join(columns)}")
        present = {name for row in rows[1:] for name in names_in(row[2], labelling)}
        known = tuple(classes) if classes is not None and present.issubset(classes) else tuple(sorted(present))
        index_of = {name: index for index, name in enumerate(known)}
        samples: dict[str, list[Sample]] = {split: [] for split in SPLITS}
        for name, split, label, digest in rows[1:]:
            if split not in samples:
                raise DataError(f"'{split}' is no split: expected {', '.join(SPLITS)} (picture {name})")
            samples[split].append(Sample(root, name, read_label(label, labelling, index_of), digest))
        train, validation, test = (tuple(samples[split]) for split in SPLITS)
        return cls(root, known, train, validation, test, labelling=labelling)


@dataclass(frozen=True)
class Folds:
    """A data set dealt to the folds of a cross-validation.

    Attributes:
        root: Its folder.
        classes: Class names, sorted; labels are indices into them. None where labels are numbers.
        folds: The pictures of each fold.
        units: Which pictures have not come apart.
        notes: One line for each thing that was decided, and why.
        excluded: Pictures in no fold.
        labelling: Which kind of label every picture has.
    """

    root: Path
    classes: tuple[str, ...]
    folds: tuple[tuple[Sample, ...], ...]
    units: Units
    notes: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = field(default=())
    labelling: Labelling = "class"

    @property
    def groups(self) -> Mapping[str, str]:
        """The group of each picture by its name; empty without groups."""
        return self.units.groups

    def hold_out(self, fold: int, validation_fraction: float) -> DataSplits:
        """The splits in which a fold, from 1, is the test split, and validation is taken from the others.

        Raises:
            DataError: A class has too few pictures (or groups) for that.
        """
        rest = sorted(
            (sample for number, of_fold in enumerate(self.folds, start=1) if number != fold for sample in of_fold),
            key=lambda sample: sample.name,
        )
        fractions: dict[Split, float] = {"validation": validation_fraction} if validation_fraction else {}
        notes = list(self.notes)
        divided = self.units.divide(rest, fractions, notes)
        held = self.folds[fold - 1]
        note = f"fold {fold} of {len(self.folds)}: {counted(len(held), 'picture')} held out for the test; "
        note += f"of the others, {_shares(fractions)}" if fractions else _NO_VALIDATION
        return DataSplits(
            root=self.root,
            classes=self.classes,
            train=tuple(divided["train"]),
            validation=tuple(divided.get("validation", ())),
            test=held,
            notes=(*notes, note),
            excluded=self.excluded,
            labelling=self.labelling,
        )


def open_folds(
    data: Path | str,
    count: int,
    grouping: Grouping | None = None,
    *,
    labelling: Labelling | None = None,
    near_duplicates: int = MOST_SEARCHED,
    tell: Callable[[str], None] | None = None,
) -> Folds:
    """Find a data set's pictures and deal them to folds.

    Of a data set with splits, the pictures of train and validation are dealt; those of test are left alone.

    Args:
        data: What `hubel.data.layouts.finding.find_source` takes.
        count: How many folds.
        grouping: Which pictures belong together; None: those that the source says, if it does.
        labelling: The kind of labels that is wanted; None: as the source has them.
        near_duplicates: Of up to so many pictures, near duplicates stay in one fold.
        tell: Hears of what takes a while.

    Raises:
        DataError: There is nothing at `data` that can be dealt so that every fold has every class.
    """
    found = collect(data, tell, labelling)
    samples = [sample for split, of_split in found.of_split.items() if split != "test" for sample in of_split]
    samples.sort(key=lambda sample: sample.name)
    notes = list(found.notes)
    units = find_units(found, samples, grouping, near_duplicates, tell, notes)
    fold_of = units.deal(samples, count, notes)
    by = f"by the {len(set(units.groups.values())):,} groups' names" if units.groups else "by content"
    what = {"class": "classes", "classes": "labels", "number": "numbers"}.get(found.labelling, "classes")
    note = f"dealt to {count} folds {by}, the {what} evenly"
    if "test" in found.of_split:
        note += "; the pictures of the test split are left alone"
    return Folds(
        root=found.root,
        classes=found.classes,
        folds=tuple(
            tuple(sample for sample in samples if fold_of[sample.name] == fold) for fold in range(1, count + 1)
        ),
        units=units,
        notes=(*notes, note),
        excluded=tuple(found.excluded),
        labelling=found.labelling,
    )


def open_splits(
    data: Path | str,
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    grouping: Grouping | None = None,
    labelling: Labelling | None = None,
    near_duplicates: int = MOST_SEARCHED,
    tell: Callable[[str], None] | None = None,
) -> DataSplits:
    """Find a data set's pictures and divide them into splits.

    Splits that the data set has are kept as they are. Without a validation split, validation is taken from train;
    without a test split beside a validation split, there is none; with neither, everything is divided. Where no
    validation is wanted, the pictures of a validation split train, too; without a test split, test is taken from both.
    A picture that is in several splits stays in test before validation before train.

    Args:
        data: What `hubel.data.layouts.finding.find_source` takes.
        validation_fraction: Share of the divided pictures that goes to validation; 0: there is no validation.
        test_fraction: Share that goes to test, where everything is divided.
        grouping: Which pictures belong together: they are divided by their group's name and never come apart, except
            where the data set has them apart already. None: those that the source says, if it does.
        labelling: The kind of labels that is wanted; None: as the source has them.
        near_duplicates: Of up to so many pictures that are divided, near duplicates never come apart; it takes about
            as long as opening them all, once.
        tell: Hears of what takes a while.

    Raises:
        DataError: There is nothing at `data` that can be divided so that every split has every class.
        ConfigError: The fractions leave nothing to the test or to train on.
    """
    if validation_fraction < 0 or test_fraction <= 0 or validation_fraction + test_fraction >= 1:
        raise ConfigError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction}: expected two numbers above "
            "0 (the first may be 0: no validation) that leave something to train"
        )
    found = collect(data, tell, labelling)
    of_split, notes = found.of_split, found.notes
    fractions: dict[Split, float] = {"test": test_fraction}
    left = "only a train split"
    if validation_fraction:
        fractions["validation"] = validation_fraction
    else:
        notes.append(_NO_VALIDATION)
        if "validation" in of_split:
            of_split["train"].extend(of_split.pop("validation"))
            left = "no test split"
    if ("validation" if validation_fraction else "test") in of_split:
        divided = {split: of_split.get(split, []) for split in SPLITS}
        if grouping:  # what is wrong with it is said even where it decides nothing
            grouping.groups_of([sample.name for samples in divided.values() for sample in samples])
        if "test" not in of_split:
            notes.append("no test split: nothing is left for a test at the end; figures come from validation")
    else:
        why = "no splits" if None in of_split else "no validation split" if "test" in of_split else left
        given = {split: samples for split, samples in of_split.items() if split == "test"}
        fractions = {split: share for split, share in fractions.items() if split not in given}
        samples = of_split[None] if None in of_split else of_split["train"]
        units = find_units(found, samples, grouping, near_duplicates, tell, notes)
        divided = units.divide(samples, fractions, notes) | given
        how = "by group" if units.groups else "by content"
        taken = f"taken from train {how}" if given else f"divided {how}"
        notes.append(f"{why}: {taken}, {_shares(fractions)}{'; test is left alone' if given else ''}")
    splits = DataSplits(
        root=found.root,
        classes=found.classes,
        train=tuple(divided["train"]),
        validation=tuple(divided.get("validation", ())),
        test=tuple(divided["test"]),
        notes=tuple(notes),
        excluded=tuple(found.excluded),
        labelling=found.labelling,
    )
    _check_complete(splits, ("train", "validation") if validation_fraction else ("train",))
    return splits


def open_division(
    data: Path | str,
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    grouping: Grouping | None = None,
    folds: int | None = None,
    fold: int | None = None,
    labelling: Labelling | None = None,
    near_duplicates: int = MOST_SEARCHED,
    tell: Callable[[str], None] | None = None,
) -> DataSplits:
    """The splits of a run: those of `open_splits`, or, in a cross-validation, those that hold out one of the folds.

    Raises:
        DataError: There is nothing at `data` that can be divided so that every split has every class.
        ConfigError: The fractions leave nothing to the test or to train on.
    """
    if folds is not None and fold is not None:
        dealt = open_folds(data, folds, grouping, labelling=labelling, near_duplicates=near_duplicates, tell=tell)
        return dealt.hold_out(fold, validation_fraction)
    return open_splits(
        data,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        grouping=grouping,
        labelling=labelling,
        near_duplicates=near_duplicates,
        tell=tell,
    )


def _check_complete(splits: DataSplits, needed: Sequence[Split]) -> None:
    """Make sure that no split lost a class, or all, to the pictures that were left out."""
    for each in needed:
        if not splits.split(each):
            raise DataError(
                f"{each} has no pictures left: they are identical to those of another split, or cannot be used; add "
                "different ones"
            )
    if splits.labelling != "class":
        return
    for split, of_class in splits.counts().items():
        for name, count in of_class.items():
            if not count:
                raise DataError(
                    f"{split} has no pictures of class '{name}' left: its pictures are identical to others, "
                    "or cannot be opened; add different ones"
                )


def _shares(fractions: Mapping[Split, float]) -> str:
    return ", ".join(f"{fraction:.0%} {split}" for split, fraction in reversed(list(fractions.items())))
