"""Which pictures train a network, which choose its epoch, which test it: decided once, from content, and written down.

A folder without split folders is divided by a hash of each file's bytes, so a picture's split does not depend on
what else lies in the folder, and identical files never come apart.
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

from hubel.data.digests import DIGEST_BYTES, digest_files
from hubel.data.sources import SPLITS, ClassFolders, Sample, Split, find_class_folders
from hubel.errors import ConfigError, DataError

_DIGESTS = 16 ** (2 * DIGEST_BYTES)  # how many there are
_EMPTY = hashlib.blake2b(b"", digest_size=DIGEST_BYTES).hexdigest()
_COLUMNS = ("name", "split", "label", "digest")


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
        classes: Class names, sorted; a sample's label is an index into them.
        train: Pictures that train the network.
        validation: Pictures that choose the epoch.
        test: Pictures that are touched once, at the end; may be empty.
        notes: One line for each thing that was decided, and why.
        excluded: Pictures in no split.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = field(default=())

    def split(self, name: str) -> tuple[Sample, ...]:
        """The pictures of `train`, `validation` or `test`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many pictures each split has of each class."""
        counted = {split: Counter(sample.label for sample in self.split(split)) for split in SPLITS}
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
        """The division as CSV: a row per picture with its name, split, label (the class's name) and digest."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for split in SPLITS:
            for sample in self.split(split):
                writer.writerow((sample.name, split, self.classes[sample.label], sample.digest))
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str, root: Path) -> DataSplits:
        """The division that `to_csv` wrote, for pictures under a root that may have moved.

        Raises:
            DataError: The text is no such division.
        """
        rows = list(csv.reader(io.StringIO(text)))
        if not rows or tuple(rows[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
            raise DataError(f"this is no table of splits: expected the columns {', '.join(_COLUMNS)}")
        classes = tuple(sorted({label for _, _, label, _ in rows[1:]}))
        samples: dict[str, list[Sample]] = {split: [] for split in SPLITS}
        for name, split, label, digest in rows[1:]:
            if split not in samples:
                raise DataError(f"'{split}' is no split: expected {', '.join(SPLITS)} (picture {name})")
            samples[split].append(Sample(root / name, name, classes.index(label), digest))
        train, validation, test = (tuple(samples[split]) for split in SPLITS)
        return cls(root, classes, train, validation, test)


def open_splits(root: Path, *, validation_fraction: float = 0.15, test_fraction: float = 0.15) -> DataSplits:
    """Find a data set's pictures and divide them into splits.

    Split folders are kept as they are. Without a validation folder, validation is taken from train; without a test
    folder beside a validation folder, there is no test split; with neither, everything is divided. A picture that is
    in several splits stays in test before validation before train.

    Args:
        root: A folder of class folders, with or without split folders above them.
        validation_fraction: Share of the divided pictures that goes to validation.
        test_fraction: Share that goes to test, where everything is divided.

    Raises:
        DataError: There is nothing at `root` that can be divided so that every split has every class.
        ConfigError: The fractions leave nothing to one of the splits.
    """
    if validation_fraction <= 0 or test_fraction <= 0 or validation_fraction + test_fraction >= 1:
        raise ConfigError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction}: "
            "expected two numbers above 0 that leave something to train"
        )
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

    whole = of_split.pop(None, None) or (of_split.pop("train") if set(of_split) == {"train"} else None)
    if whole is not None:
        fractions: dict[Split, float] = {"test": test_fraction, "validation": validation_fraction}
        divided = _divide(whole, fractions, found.classes)
        why = "no split folders" if None in found.splits else "only a train folder"
        notes.append(f"{why}: divided by content, {_shares(fractions)}")
    elif "validation" not in of_split:
        fractions = {"validation": validation_fraction}
        divided = _divide(of_split["train"], fractions, found.classes) | {"test": of_split["test"]}
        notes.append(f"no validation folder: taken from train by content, {_shares(fractions)}; test is left alone")
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
        excluded=tuple(excluded),
    )
    _check_complete(splits)
    return splits


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
    alike: dict[str, dict[int, Sample]] = defaultdict(dict)
    for samples in of_split.values():
        for sample in samples:
            alike[sample.digest].setdefault(sample.label, sample)
    pairs = [list(of_label.values()) for digest, of_label in alike.items() if len(of_label) > 1 and digest != _EMPTY]
    if pairs:
        names = " and ".join(sample.name for sample in pairs[0])
        labels = " and ".join(f"'{classes[sample.label]}'" for sample in pairs[0])
        notes.append(
            f"{len(pairs)} pictures have more than one label (such as {names}, identical but labelled {labels}): "
            "kept, but one of the labels is wrong"
        )


def _divide(
    samples: Sequence[Sample], fractions: Mapping[Split, float], classes: Sequence[str]
) -> dict[Split, list[Sample]]:
    """Divide pictures by their digests, so that each class is in every split.

    A digest, read as a number between 0 and 1, falls into the share of a split, or else into train. Where a class
    misses a split, its picture with the smallest digest moves there.
    """
    split_of: dict[str, Split] = {sample.digest: _drawn(sample.digest, fractions) for sample in samples}
    labels_of: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        labels_of[sample.digest].add(sample.label)
    digests_of: dict[int, list[str]] = defaultdict(list)
    for digest in sorted(labels_of, key=lambda digest: (len(labels_of[digest]), digest)):
        for label in labels_of[digest]:
            digests_of[label].append(digest)
    wanted: tuple[Split, ...] = (*fractions, "train")
    for label, name in enumerate(classes):
        digests = digests_of[label]
        if len(digests) < len(wanted):
            raise DataError(
                f"class '{name}' has {len(digests)} different pictures: a division into "
                f"{', '.join(reversed(wanted))} needs at least {len(wanted)} of each class: add some"
            )
        for split in wanted:
            held = Counter(split_of[digest] for digest in digests)
            if not held[split]:
                giver = "train" if held["train"] > 1 else held.most_common(1)[0][0]
                split_of[next(digest for digest in digests if split_of[digest] == giver)] = split
    return {split: [sample for sample in samples if split_of[sample.digest] == split] for split in wanted}


def _drawn(digest: str, fractions: Mapping[Split, float]) -> Split:
    position, end = int(digest, 16) / _DIGESTS, 0.0
    for split, fraction in fractions.items():
        end += fraction
        if position < end:
            return split
    return "train"


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
