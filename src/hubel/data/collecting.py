"""From a source to samples: each picture with its digest and the index of its label.

What cannot be used, what is repeated and what contradicts itself is found here, before anything is divided.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hubel.data.annotated_pictures import AnnotatedPicture, in_brief
from hubel.data.files.digests import DIGEST_BYTES, digest_files
from hubel.data.labels import Label, Labelling, MaskLabel, ObjectsLabel, label_summary
from hubel.data.layouts.finding import find_source
from hubel.data.relabelling import relabelled
from hubel.data.sources import SPLITS, Entry, Sample, Source, Split, UnusableBytes
from hubel.errors import DataError
from hubel.results.naming import counted, some
from hubel.runtime import without_collecting

_EMPTY = hashlib.blake2b(b"", digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True)
class Excluded:
    """A picture that no split has, with the reason.

    Attributes:
        sample: The picture.
        reason: Why.
        unusable: Whether the file itself cannot be used; otherwise it is in another split, too.
        split: The one that the source has it in, if it has splits.
    """

    sample: Sample
    reason: str
    unusable: bool = False
    split: Split | None = None


class Collected(NamedTuple):
    """The pictures of a source by its own splits (None: it has none), each in one of them only."""

    root: Path
    classes: tuple[str, ...]
    labelling: Labelling
    of_split: dict[Split | None, list[Sample]]
    groups: Mapping[str, str]
    notes: list[str]
    excluded: list[Excluded]


@without_collecting()
def collect(
    data: Path | str, tell: Callable[[str], None] | None = None, labelling: Labelling | None = None
) -> Collected:
    """Find a data set's pictures, hash them and check that its splits belong together.

    Args:
        data: What `find_source` takes.
        tell: Hears of what takes a while.
        labelling: The kind of labels that is wanted; None: as the source has them.

    Raises:
        DataError: There is nothing that a network could be trained on.
    """
    excluded: list[Excluded] = []
    source = relabelled(find_source(data, tell or (lambda text: None), labelling), labelling)
    of_split = _samples(source, source.classes, excluded)
    notes = [*source.notes, *in_brief(source.problems)]
    if excluded:
        first = excluded[0]
        notes.append(f"files left out: {len(excluded)} (such as {first.sample.name}: {first.reason})")
        if not any(of_split.values()):
            raise DataError(
                f"none of {counted(len(excluded), 'picture')} in {source.root} can be used (such as "
                f"{first.sample.name}: {first.reason}): mend them, or give others"
            )
    if "train" not in of_split and None not in of_split:
        present = " and ".join(split for split in SPLITS if split in of_split)
        raise DataError(f"{source.root} has pictures for {present} but none for train: add some, or remove the splits")
    _check_classes(source, notes)
    _exclude_repeated(of_split, excluded, notes)
    _note_contradictions(of_split, source.classes, notes)
    return Collected(source.root, source.classes, source.labelling, of_split, source.groups, notes, excluded)


def labelled_splits(
    source: Source, classes: Sequence[str]
) -> tuple[dict[Split | None, tuple[Sample, ...]], tuple[Excluded, ...]]:
    """The pictures of a source with the labels of a model; classes without pictures are allowed.

    Args:
        source: The data set.
        classes: The model's class names, in its order.

    Returns:
        The pictures of each split (a source without splits has the key None alone), and those that cannot be used.

    Raises:
        DataError: One of the source's classes is not among the model's.
    """
    if unknown := [name for name in source.classes if name not in classes]:
        hint = "tell in legend.csv what the values of its masks mean, or " if source.labelling == "mask" else ""
        raise DataError(
            f"{source.root} has a class '{unknown[0]}' that the model does not know: expected {some(classes)}; "
            f"{hint}give pictures of the model's classes"
        )
    excluded: list[Excluded] = []
    of_split = _samples(source, classes, excluded)
    return {split: tuple(samples) for split, samples in of_split.items()}, tuple(excluded)


def _samples(source: Source, classes: Sequence[str], excluded: list[Excluded]) -> dict[Split | None, list[Sample]]:
    """The pictures of each split, sorted by name; files that cannot be read are appended to `excluded`."""
    files = [entry.file for entries in source.splits.values() for entry in entries]
    digests = digest_files(source.root, files, source.read)
    index_of = {name: index for index, name in enumerate(classes)}
    numbers = [index_of[name] for name in source.classes]
    numbers = [] if numbers == list(range(len(numbers))) else numbers  # most have the source's own order
    folder = source.base if source.container is None else None
    samples: dict[Split | None, list[Sample]] = {}
    for split, entries in source.splits.items():
        samples[split] = []
        for entry in entries:
            name = entry.file.name
            sample = Sample(folder, name, _label(entry, index_of, numbers), digests.get(name, ""), source.container)
            if name in source.unusable:
                excluded.append(Excluded(sample, source.unusable[name], unusable=True, split=split))
            elif not sample.digest:
                excluded.append(Excluded(sample, _why_unreadable(sample), unusable=True, split=split))
            elif not (name.isascii() or _is_text(name)):
                excluded.append(Excluded(sample, "its name is not valid text", unusable=True, split=split))
            else:
                samples[split].append(sample)
        samples[split].sort(key=lambda sample: sample.name)
    return samples


def _label(entry: Entry, index_of: Mapping[str, int], numbers: Sequence[int]) -> Label:
    """A label by the classes' indices; those of a mask by `numbers`, where they are others than the source's."""
    label = entry.label
    if isinstance(label, str):
        return index_of[label]
    if isinstance(label, tuple):
        return tuple(sorted({index_of[name] for name in label}))
    if isinstance(label, MaskLabel):
        return label.renumbered(numbers) if numbers else label
    if isinstance(label, AnnotatedPicture):
        assert label.size is not None, f"{entry.file.name} was listed without its size"
        return ObjectsLabel(
            size=label.size[::-1],
            boxes=tuple(box.box for box in label.boxes),
            classes=tuple(index_of[box.name] for box in label.boxes),
            ignored=tuple(box.difficult or box.crowd for box in label.boxes),
        )
    return label


def _why_unreadable(sample: Sample) -> str:
    """Why a picture's bytes cannot be had."""
    try:
        sample.read()
    except UnusableBytes as error:
        return str(error)
    except FileNotFoundError:
        return "it does not exist"
    except IsADirectoryError:
        return "it is a folder"
    except OSError:
        pass
    return "the file cannot be opened"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_classes(source: Source, notes: list[str]) -> None:
    """Make sure that every split has pictures of every class of train, and of no other.

    Where pictures may have several classes, rare ones may miss a split; that is noted.
    """
    if source.labelling in ("number", "none"):
        return
    if source.labelling in ("class", "mask") and len(source.classes) == 1:
        raise DataError(f"{source.root} has one class only, '{source.classes[0]}': expected at least two")
    present = set[str]().union(*(source.classes_in(split) for split in source.splits))
    if absent := [name for name in source.classes if name not in present]:  # annotations may name more than they mark
        notes.append(f"no picture has {some(absent)}: nothing of that can be learnt")
    train = source.classes_in("train") if "train" in source.splits else set()
    for split in source.splits:
        if split in (None, "train"):
            continue
        own = source.classes_in(split)
        unknown, missing = sorted(own - train), sorted(train - own)
        if source.labelling != "class":
            for names, place in ((unknown, "train"), (missing, split)):
                if names:
                    notes.append(f"{place} has no pictures of {some(names)}")
        elif unknown:
            alike = [name for name in sorted(train) if name.casefold() == unknown[0].casefold()]
            hint = f"train has '{alike[0]}'" if alike else f"train has {some(sorted(train))}"
            raise DataError(
                f"class '{unknown[0]}' is in {split} but not in train ({hint}): add it to train or rename it"
            )
        elif missing:
            raise DataError(f"{split} has no pictures of class '{missing[0]}', which train has: add some to {split}")


def _exclude_repeated(of_split: dict[Split | None, list[Sample]], excluded: list[Excluded], notes: list[str]) -> None:
    """Leave a picture that several splits have to test before validation before train; the lists are changed."""
    if len(of_split) == 1:
        return
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
                f"pictures of {split} that are in a later split, too, were left out of {split}: {len(repeated)} "
                f"(such as {first.name}, identical to {holder[first.digest].name})"
            )
        holder.update((sample.digest, sample) for sample in of_split[split])


def _note_contradictions(
    of_split: Mapping[Split | None, Iterable[Sample]], classes: Sequence[str], notes: list[str]
) -> None:
    """Note identical pictures that have different labels; both are kept."""
    first: dict[str, Sample] = {}
    alike: dict[str, dict[Label, Sample]] = defaultdict(dict)
    for samples in of_split.values():
        for sample in samples:
            other = first.setdefault(sample.digest, sample)
            if other.label != sample.label:
                alike[sample.digest].setdefault(other.label, other)
                alike[sample.digest].setdefault(sample.label, sample)
    pairs = [list(of_label.values()) for digest, of_label in alike.items() if digest != _EMPTY]
    if pairs:
        names = " and ".join(sample.name for sample in pairs[0])
        labels = " and ".join(f"'{label_summary(sample.label, classes)}'" for sample in pairs[0])
        notes.append(
            f"pictures with more than one label: {len(pairs)} (such as {names}, identical but labelled {labels}): "
            "kept, but one of the labels is wrong"
        )
