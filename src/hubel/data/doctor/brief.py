"""The doctor in brief, before a run: what would make its figures wrong and has not been told yet."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from hubel.data.division.splits import DataSplits
from hubel.data.duplicates.near_duplicates import find_near_duplicates
from hubel.data.sources import SPLITS, Sample
from hubel.results.naming import counted


def examine_in_brief(
    splits: DataSplits, most_searched: int, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Near duplicates in several splits, and those whose labels differ, in a line each.

    Identical files, unreadable pictures and missing classes are told by those who find them on the way. Pictures are
    opened once, which takes about a millisecond each, and remembered.

    Args:
        splits: The division.
        most_searched: In more pictures than that, near duplicates are not looked for.
        progress: Called with how many pictures have been opened and how many there are.
    """
    placed = {sample.digest: (split, sample) for split in SPLITS for sample in splits.split(split)}
    if len(placed) > most_searched:
        return []
    samples = [sample for _, sample in placed.values()]
    apart, contradicting = [], []
    for pair in find_near_duplicates(samples, splits.classes, progress):
        (first_split, first), (second_split, second) = placed[pair.first], placed[pair.second]
        if first_split != second_split:
            apart.append((first, second))
        if splits.labelling == "class" and first.label != second.label:  # frames of a film may differ in numbers
            contradicting.append((first, second))
    told = []
    if apart:
        told.append(f"near duplicates in different splits, so that figures are too good: {_such(apart, splits)}")
    if contradicting:
        told.append(f"near duplicates with different labels, of which one is wrong: {_such(contradicting, splits)}")
    return told


def _such(pairs: list[tuple[Sample, Sample]], splits: DataSplits) -> str:
    first, second = pairs[0]
    shown = f"`hubel data {shlex.quote(str(splits.root))}` shows all"
    return f"{counted(len(pairs), 'pair')}, such as {first.name} and {second.name} ({shown})"
