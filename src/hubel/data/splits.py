"""Which pictures train a network, which choose its epoch, which test it: decided once, from content, and written down.

A folder without split folders is divided by a hash of each file's bytes, so a picture's split does not depend on
what else lies in the folder, and identical files never come apart. Where pictures belong to groups, such as patients,
the hash is of the group's name, and groups never come apart.
"""

from __future__ import annotations

import csv
import gc
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from hubel.data.digests import DIGEST_BYTES, digest_files
from hubel.data.division import deal_folds, divide, unit_keys
from hubel.data.groups import Grouping
from hubel.data.labels import COLUMN_OF, LABELLING_OF, Label, Labelling, classes_of, label_text, names_in, read_label
from hubel.data.sources import SPLITS, ClassFolders, Sample, Split, find_class_folders
from hubel.errors import ConfigError, DataError

_EMPTY = hashlib.blake2b(b"", digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True)
class Excluded:
    """A picture that no split has, with the reason.

    Attributes:
        sample: The picture.
        reason: Why.
        unusable: Whether the file itself cannot be used; otherwise it is in another split, too.
    """

    sample: Sample
    reason: str
    unusable: bool = False


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
        labelling: Whether every picture has one class, several classes or a number.
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
    def from_csv(cls, text: str, root: Path) -> DataSplits:
        """The division that `to_csv` wrote, for a folder of pictures that may have moved.

        Raises:
            DataError: The text is no such division.
        """
        rows = list(csv.reader(io.StringIO(text)))
        labelling = next((LABELLING_OF[name] for name in rows[0] if name in LABELLING_OF), None) if rows else None
        columns = ["name", "split", COLUMN_OF[labelling or "class"], "digest"]
        if labelling is None or rows[0] != columns or any(len(row) != len(columns) for row in rows):
            raise DataError(f"this is no table of splits: expected the columns {', '.join(columns)}")
        classes = tuple(sorted({name for row in rows[1:] for name in names_in(row[2], labelling)}))
        index_of = {name: index for index, name in enumerate(classes)}
        samples: dict[str, list[Sample]] = {split: [] for split in SPLITS}
        for name, split, label, digest in rows[1:]:
            if split not in samples:
                raise DataError(f"'{split}' is no split: expected {', '.join(SPLITS)} (picture {name})")
            samples[split].append(Sample(root / name, name, read_label(label, labelling, index_of), digest))
        train, validation, test = (tuple(samples[split]) for split in SPLITS)
        return cls(root, classes, train, validation, test, labelling=labelling)


@dataclass(frozen=True)
class Folds:
    """A data set dealt to the folds of a cross-validation.

    Attributes:
        root: Its folder.
        classes: Class names, sorted; a sample's label is an index into them.
        folds: The pictures of each fold.
        groups: The group of each picture by its name; empty without groups.
        notes: One line for each thing that was decided, and why.
        excluded: Pictures in no fold.
    """

    root: Path
    classes: tuple[str, ...]
    folds: tuple[tuple[Sample, ...], ...]
    groups: Mapping[str, str]
    notes: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = field(default=())

    def hold_out(self, fold: int, validation_fraction: float) -> DataSplits:
        """The splits in which a fold, from 1, is the test split, and validation is taken from the others.

        Raises:
            DataError: A class has too few pictures (or groups) for that.
        """
        rest = sorted(
            (sample for number, of_fold in enumerate(self.folds, start=1) if number != fold for sample in of_fold),
            key=lambda sample: sample.name,
        )
        fractions: dict[Split, float] = {"validation": validation_fraction}
        divided = divide(rest, fractions, self.classes, unit_keys(rest, self.groups), grouped=bool(self.groups))
        held = self.folds[fold - 1]
        note = f"fold {fold} of {len(self.folds)}: {len(held):,} pictures are held out for the test; of the others,"
        return DataSplits(
            root=self.root,
            classes=self.classes,
            train=tuple(divided["train"]),
            validation=tuple(divided["validation"]),
            test=held,
            notes=(*self.notes, f"{note} {_shares(fractions)}"),
            excluded=self.excluded,
        )


def open_folds(root: Path, count: int, grouping: Grouping | None = None) -> Folds:
    """Find a data set's pictures and deal them to folds.

    Of a folder with split folders, the pictures of train and validation are dealt; those of test are left alone.

    Args:
        root: A folder of class folders, with or without split folders above them.
        count: How many folds.
        grouping: Which pictures belong together; None: every picture is alone.

    Raises:
        DataError: There is nothing at `root` that can be dealt so that every fold has every class.
    """
    found = _open(root)
    samples = [sample for split, of_split in found.of_split.items() if split != "test" for sample in of_split]
    samples.sort(key=lambda sample: sample.name)
    groups = (grouping or Grouping()).groups_of([sample.name for sample in samples])
    keys = unit_keys(samples, groups)
    fold_of = deal_folds(samples, count, found.classes, keys, grouped=bool(groups))
    by = f"by the {len(set(groups.values())):,} groups' names" if groups else "by content"
    note = f"dealt to {count} folds {by}, the classes evenly"
    if "test" in found.of_split:
        note += "; the pictures of the test folder are left alone"
    return Folds(
        root=root,
        classes=found.classes,
        folds=tuple(
            tuple(sample for sample in samples if fold_of[sample.name] == fold) for fold in range(1, count + 1)
        ),
        groups=groups,
        notes=(*found.notes, note),
        excluded=tuple(found.excluded),
    )


def open_splits(
    root: Path,
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    grouping: Grouping | None = None,
) -> DataSplits:
    """Find a data set's pictures and divide them into splits.

    Split folders are kept as they are. Without a validation folder, validation is taken from train; without a test
    folder beside a validation folder, there is no test split; with neither, everything is divided. A picture that is
    in several splits stays in test before validation before train.

    Args:
        root: A folder of class folders, with or without split folders above them.
        validation_fraction: Share of the divided pictures that goes to validation.
        test_fraction: Share that goes to test, where everything is divided.
        grouping: Which pictures belong together: they are divided by their group's name and never come apart, except
            where split folders have them apart already. None: every picture is alone.

    Raises:
        DataError: There is nothing at `root` that can be divided so that every split has every class.
        ConfigError: The fractions leave nothing to one of the splits.
    """
    if validation_fraction <= 0 or test_fraction <= 0 or validation_fraction + test_fraction >= 1:
        raise ConfigError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction}: "
            "expected two numbers above 0 that leave something to train"
        )
    found = _open(root)
    of_split, notes = found.of_split, found.notes
    everything = [sample for samples in of_split.values() for sample in samples]
    groups = (grouping or Grouping()).groups_of([sample.name for sample in everything])
    keys = unit_keys(everything, groups)
    how = "by group" if groups else "by content"
    whole = of_split.pop(None, None) or (of_split.pop("train") if set(of_split) == {"train"} else None)
    if whole is not None:
        fractions: dict[Split, float] = {"test": test_fraction, "validation": validation_fraction}
        divided = divide(whole, fractions, found.classes, keys, grouped=bool(groups))
        why = "no split folders" if found.unsplit else "only a train folder"
        notes.append(f"{why}: divided {how}, {_shares(fractions)}")
    elif "validation" not in of_split:
        fractions = {"validation": validation_fraction}
        divided = divide(of_split["train"], fractions, found.classes, keys, grouped=bool(groups))
        divided |= {"test": of_split["test"]}
        notes.append(f"no validation folder: taken from train {how}, {_shares(fractions)}; test is left alone")
    else:
        divided = {
            "train": of_split["train"],
            "validation": of_split["validation"],
            "test": of_split.get("test", []),
        }
        if "test" not in of_split:
            notes.append("no test folder: nothing is left for a test at the end; figures come from validation")
    splits = DataSplits(
        root=root,
        classes=found.classes,
        train=tuple(divided["train"]),
        validation=tuple(divided["validation"]),
        test=tuple(divided["test"]),
        notes=tuple(notes),
        excluded=tuple(found.excluded),
    )
    _check_complete(splits)
    return splits


def open_division(
    root: Path,
    *,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    grouping: Grouping | None = None,
    folds: int | None = None,
    fold: int | None = None,
) -> DataSplits:
    """The splits of a run: those of `open_splits`, or, in a cross-validation, those that hold out one of the folds.

    Raises:
        DataError: There is nothing at `root` that can be divided so that every split has every class.
        ConfigError: The fractions leave nothing to one of the splits.
    """
    if folds is not None and fold is not None:
        return open_folds(root, folds, grouping).hold_out(fold, validation_fraction)
    return open_splits(root, validation_fraction=validation_fraction, test_fraction=test_fraction, grouping=grouping)


class _Opened(NamedTuple):
    """The pictures of a folder by its split folders (None: it has none), each in one of them only."""

    classes: tuple[str, ...]
    of_split: dict[Split | None, list[Sample]]
    unsplit: bool
    notes: list[str]
    excluded: list[Excluded]


def _open(root: Path) -> _Opened:
    excluded: list[Excluded] = []
    with _without_collecting():
        found = find_class_folders(root)
        of_split = _samples(found, excluded)
    notes = list(found.notes)
    if excluded:
        first = excluded[0]
        notes.append(f"files left out: {len(excluded)} (such as {first.sample.name}: {first.reason})")
    if "train" not in of_split and None not in of_split:
        present = " and ".join(split for split in SPLITS if split in of_split)
        raise DataError(f"{root} has folders for {present} but none for train: add one, or remove the split folders")
    _check_classes(found)
    _exclude_repeated(of_split, excluded, notes)
    _note_contradictions(of_split, found.classes, notes)
    return _Opened(found.classes, of_split, None in found.splits, notes, excluded)


def labelled_splits(
    found: ClassFolders, classes: Sequence[str]
) -> tuple[dict[Split | None, tuple[Sample, ...]], tuple[Excluded, ...]]:
    """The pictures of class folders with the labels of a model; classes without pictures are allowed.

    Args:
        found: The folders.
        classes: The model's class names, in its order.

    Returns:
        The pictures of each split (a folder without split folders has the key None alone), and those that cannot be
        used.

    Raises:
        DataError: A folder's class is not among the model's.
    """
    if unknown := [name for name in found.classes if name not in classes]:
        raise DataError(
            f"{found.root} has a class '{unknown[0]}' that the model does not know: expected {_some(classes)}; "
            "give a folder with the model's classes"
        )
    excluded: list[Excluded] = []
    of_split = _samples(found, excluded, {name: label for label, name in enumerate(classes)})
    return {split: tuple(samples) for split, samples in of_split.items()}, tuple(excluded)


def _samples(
    found: ClassFolders, excluded: list[Excluded], labels: Mapping[str, int] | None = None
) -> dict[Split | None, list[Sample]]:
    """The pictures of each split, sorted by name; files that cannot be read are appended to `excluded`."""
    files = [file for by_class in found.splits.values() for files in by_class.values() for file in files]
    digests = digest_files(found.root, files)
    labels = labels or {name: label for label, name in enumerate(found.classes)}
    samples: dict[Split | None, list[Sample]] = {}
    for split, by_class in found.splits.items():
        samples[split] = []
        for name, files_of_class in by_class.items():
            for file in files_of_class:
                path = found.root / file.name
                sample = Sample(path, file.name, labels[name], digests.get(file.name, ""))
                if not sample.digest:
                    excluded.append(Excluded(sample, "the file cannot be opened", unusable=True))
                elif not _is_text(file.name):
                    excluded.append(Excluded(sample, "its name is not valid text", unusable=True))
                else:
                    samples[split].append(sample)
        samples[split].sort(key=lambda sample: sample.name)
    return samples


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Make many objects without Python's search for cycles, which takes 40 % of the time and finds none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_classes(found: ClassFolders) -> None:
    """Make sure that every split has a folder for every class of train, and no other."""
    if len(found.classes) == 1:
        raise DataError(f"{found.root} has one class only, '{found.classes[0]}': expected at least two class folders")
    train = found.splits.get("train", {})
    for split, by_class in found.splits.items():
        if split in (None, "train"):
            continue
        if unknown := sorted(by_class.keys() - train.keys()):
            alike = [name for name in train if name.casefold() == unknown[0].casefold()]
            hint = f"train has '{alike[0]}'" if alike else f"train has {_some(sorted(train))}"
            raise DataError(
                f"class '{unknown[0]}' is in {split} but not in train ({hint}): add it to train or rename it"
            )
        if missing := sorted(train.keys() - by_class.keys()):
            raise DataError(f"{split} has no pictures of class '{missing[0]}', which train has: add some to {split}")


def _exclude_repeated(of_split: dict[Split | None, list[Sample]], excluded: list[Excluded], notes: list[str]) -> None:
    """Leave a picture that several splits have to test before validation before train; the lists are changed."""
    holder: dict[str, Sample] = {}
    for split in (*reversed(SPLITS), None):
        if split not in of_split:
            continue
        repeated = [s for s in of_split[split] if s.digest in holder and s.digest != _EMPTY]
        if repeated:
            names = {sample.name for sample in repeated}
            of_split[split] = [sample for sample in of_split[split] if sample.name not in names]
            excluded += [Excluded(s, f"identical to {holder[s.digest].name}") for s in repeated]
            first = repeated[0]
            notes.append(
                f"{len(repeated)} pictures of {split} are in a later split, too, and were left out of {split} "
                f"(such as {first.name}, identical to {holder[first.digest].name})"
            )
        holder.update((sample.digest, sample) for sample in of_split[split])


def _note_contradictions(
    of_split: Mapping[Split | None, Iterable[Sample]], classes: Sequence[str], notes: list[str]
) -> None:
    """Note identical pictures that have different labels; both are kept."""
    alike: dict[str, dict[Label, Sample]] = defaultdict(dict)
    for samples in of_split.values():
        for sample in samples:
            alike[sample.digest].setdefault(sample.label, sample)
    pairs = [list(of_label.values()) for digest, of_label in alike.items() if len(of_label) > 1 and digest != _EMPTY]
    if pairs:
        names = " and ".join(sample.name for sample in pairs[0])
        labels = " and ".join(f"'{label_text(sample.label, classes)}'" for sample in pairs[0])
        notes.append(
            f"{len(pairs)} pictures have more than one label (such as {names}, identical but labelled {labels}): "
            "kept, but one of the labels is wrong"
        )


def _check_complete(splits: DataSplits) -> None:
    """Make sure that no split lost a class to the pictures that were left out."""
    for split, of_class in splits.counts().items():
        for name, count in of_class.items():
            if not count:
                raise DataError(
                    f"{split} has no pictures of class '{name}' left: its pictures are identical to others, "
                    "or cannot be opened; add different ones"
                )


def _shares(fractions: Mapping[Split, float]) -> str:
    return ", ".join(f"{fraction:.0%} {split}" for split, fraction in reversed(list(fractions.items())))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
