"""Dividing pictures into splits or folds by a hash: of a picture's bytes, or of its group's name.

What must not come apart is a unit: copies and near duplicates of a picture, or the pictures of a group. Every unit
has a key of 32 hexadecimal digits, which are as good as random and depend on nothing else; divisions are functions of
the keys.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate

from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.labels import classes_of
from hubel.data.sources import Sample, Split
from hubel.errors import DataError
from hubel.results.naming import counted
from hubel.runtime import without_collecting

_DIGITS = 2 * DIGEST_BYTES  # of a key


def unit_keys(
    samples: Sequence[Sample], groups: Mapping[str, str], alike: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The key of each picture's unit, by the picture's name.

    Args:
        samples: The pictures.
        groups: The group of each by its name; empty: there are none, and a unit is a picture with its copies, its key
            their digest. Groups that share a picture are one unit.
        alike: Near duplicates: by a picture's digest, the digest that stands for all of them; None: there are none.
    """
    alike = alike or {}
    if not groups:
        return {sample.name: alike.get(sample.digest, sample.digest) for sample in samples}
    united: dict[str, str] = {}  # a group's name to that of another one of its unit, until there is none

    def first_of(group: str) -> str:
        while (other := united.get(group, group)) != group:
            group = other
        return group

    holder: dict[str, str] = {}
    for sample in samples:
        own, copies = groups[sample.name], alike.get(sample.digest, sample.digest)
        ends = {first_of(own), first_of(holder.setdefault(copies, own))}
        united.update(dict.fromkeys(ends, min(ends)))
    return {sample.name: _key(first_of(groups[sample.name])) for sample in samples}


def _key(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


@without_collecting()
def divide(
    samples: Sequence[Sample],
    fractions: Mapping[Split, float],
    classes: Sequence[str],
    keys: Mapping[str, str],
    *,
    grouped: bool = False,
    every_class: bool = True,
) -> dict[Split, list[Sample]]:
    """Divide pictures so that each class is in every split.

    A unit's key, read as a number between 0 and 1, falls into the share of a split, or else into train. Where a class
    misses a split, its unit with the smallest key moves there; likewise where a split has no pictures at all.

    Args:
        samples: The pictures.
        fractions: The share of each split but train.
        classes: The classes' names.
        keys: Of each picture's unit, by its name.
        grouped: Whether units are groups, for messages.
        every_class: Whether a class must be in every split. Where pictures have several classes, rare ones may not be.

    Raises:
        DataError: A class has too few units, or there are too few in all.
    """
    labels_of: dict[str, tuple[int, ...]] = {}
    for sample in samples:
        key, labels = keys[sample.name], classes_of(sample.label)
        if labels_of.setdefault(key, labels) != labels:
            labels_of[key] = tuple({*labels_of[key], *labels})
    bounds = _bounds(fractions)
    split_of: dict[str, Split] = {key: _drawn(key, bounds) for key in labels_of}
    keys_of: dict[int, list[str]] = defaultdict(list)
    for key in sorted(sorted(labels_of), key=lambda key: len(labels_of[key])):
        for label in labels_of[key]:
            keys_of[label].append(key)
    wanted: tuple[Split, ...] = (*fractions, "train")
    for label, name in enumerate(classes):
        own = keys_of[label]
        if len(own) < len(wanted) and not every_class:
            continue
        if len(own) < len(wanted):
            raise DataError(
                f"class '{name}' {_has(len(own), grouped)}: a division into "
                f"{', '.join(reversed(wanted))} needs at least {len(wanted)} of each class: add some"
            )
        held = Counter(map(split_of.__getitem__, own))
        for split in wanted:
            if not held[split]:
                giver = "train" if held["train"] > 1 else held.most_common(1)[0][0]
                split_of[next(key for key in own if split_of[key] == giver)] = split
                held[giver], held[split] = held[giver] - 1, 1
    _fill_empty(split_of, wanted, grouped)
    divided: dict[Split, list[Sample]] = {split: [] for split in wanted}
    for sample in samples:
        divided[split_of[keys[sample.name]]].append(sample)
    for split, of_split in divided.items() if grouped and every_class else ():
        if lost := set(range(len(classes))) - {index for sample in of_split for index in classes_of(sample.label)}:
            raise DataError(
                f"the groups cannot be divided so that {split} has class '{classes[min(lost)]}', too: "
                "its groups have other classes with them; add some"
            )
    return divided


def _fill_empty(split_of: dict[str, Split], wanted: Sequence[Split], grouped: bool) -> None:
    """Move the unit with the smallest key to each split that has none; the mapping is changed."""
    if len(split_of) < len(wanted):
        units = counted(len(split_of), "group" if grouped else "different picture")
        raise DataError(
            f"there {'is' if len(split_of) == 1 else 'are'} {units}: a division into {', '.join(reversed(wanted))} "
            f"needs at least {len(wanted)}, so add some"
        )
    held = Counter(split_of.values())
    for split in wanted:
        if not held[split]:
            giver = max(wanted, key=lambda other: held[other])
            split_of[min(key for key, drawn in split_of.items() if drawn == giver)] = split
            held[giver], held[split] = held[giver] - 1, 1


def _bounds(fractions: Mapping[Split, float]) -> list[tuple[str, Split]]:
    """Below which key the share of each split ends; train has the rest."""
    ends = accumulate(fractions.values())
    return [(f"{int(end * 16**_DIGITS):0{_DIGITS}x}", split) for end, split in zip(ends, fractions, strict=True)]


def _drawn(key: str, bounds: Sequence[tuple[str, Split]]) -> Split:
    for bound, split in bounds:
        if key < bound:  # as text, which is the order of the numbers
            return split
    return "train"


@without_collecting()
def deal_folds(
    samples: Sequence[Sample],
    count: int,
    classes: Sequence[str],
    keys: Mapping[str, str],
    *,
    grouped: bool = False,
    every_class: bool = True,
) -> dict[str, int]:
    """Deal pictures to folds so that each fold has nearly the same share of every class.

    Class by class, the one with the fewest pictures first (Sechidis, Tsoumakas and Vlahavas 2011, ECML PKDD, section
    3.3), the units that have it are dealt, those with most pictures of it first and otherwise in the order of their
    keys: each to the fold that has the fewest pictures of the class so far, of equals to that with the fewest pictures,
    of equals to the first. Without groups, the folds' numbers of pictures of a class differ by at most 1. Pictures of
    no class come last, to the folds with the fewest pictures; where labels are numbers, in the order of these, so that
    each fold has about the same share of small and of great ones.

    Args:
        samples: The pictures.
        count: How many folds.
        classes: The classes' names.
        keys: Of each picture's unit, by its name.
        grouped: Whether units are groups, for messages.
        every_class: Whether a class must be in every fold. Where pictures have several classes, rare ones may not be.

    Returns:
        The fold of each picture by its name, from 1.

    Raises:
        DataError: There are more folds than groups, or than units of a class.
    """
    units: dict[str, Counter[int]] = defaultdict(Counter)
    pictures, greatest = Counter[str](), dict[str, float]()
    for sample in samples:
        key = keys[sample.name]
        units[key].update(classes_of(sample.label))
        pictures[key] += 1
        if isinstance(sample.label, float):
            greatest[key] = max(sample.label, greatest.get(key, sample.label))
    if len(units) < count and (grouped or not every_class):
        what = "group" if grouped else "picture"
        raise DataError(
            f"{count} folds of {len(units)} {what}s: a fold has at least one {what}, so ask for fewer folds"
        )
    for label, name in enumerate(classes if every_class else ()):
        if (own := sum(label in labels for labels in units.values())) < count:
            raise DataError(
                f"class '{name}' {_has(own, grouped)}: {count} folds need at least {count} of each class; "
                "ask for fewer folds, or add some"
            )
    fold_of: dict[str, int] = {}
    held, sizes = [Counter[int]() for _ in range(count)], [0] * count

    def deal(key: str, fold: int) -> None:
        held[fold] += units[key]
        sizes[fold] += pictures[key]
        fold_of[key] = fold + 1

    total = sum(units.values(), Counter[int]())
    for label in sorted(total, key=lambda label: (total[label], label)):
        left = [key for key, labels in units.items() if label in labels and key not in fold_of]
        for key in sorted(left, key=lambda key: (-units[key][label], key)):
            deal(key, min(range(count), key=lambda fold: (held[fold][label], sizes[fold], fold)))
    for key in sorted(units.keys() - fold_of.keys(), key=lambda key: (greatest.get(key, 0.0), key)):
        deal(key, min(range(count), key=lambda fold: (sizes[fold], fold)))
    for number, labels in enumerate(held if every_class else (), start=1):
        if lost := set(range(len(classes))) - set(labels):
            raise DataError(
                f"the pictures cannot be dealt to {count} folds so that fold {number} has class "
                f"'{classes[min(lost)]}', too: ask for fewer folds"
            )
    return {sample.name: fold_of[keys[sample.name]] for sample in samples}


def _has(units: int, grouped: bool) -> str:
    if grouped:
        return f"is in {counted(units, 'group')}"
    return f"has {counted(units, 'different picture')}"
