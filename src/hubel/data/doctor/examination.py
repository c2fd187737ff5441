"""Every picture of a data set, opened once: where it is, what its file says, which others it is a copy of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hubel.data.annotated_pictures import Problem
from hubel.data.collecting import labelled_splits
from hubel.data.division.groups import Grouping
from hubel.data.duplicates.facts import PictureFacts, Progress, gather_facts
from hubel.data.duplicates.near_duplicates import NearDuplicate, find_near_duplicates, near_duplicate_units
from hubel.data.labels import Labelling, MaskLabel, classes_of, label_summary
from hubel.data.layouts.finding import find_source
from hubel.data.masks.labels import pixel_counts
from hubel.data.relabelling import relabelled
from hubel.data.sources import SPLITS, Sample, Split

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

WHOLE = "all"  # what the pictures of a data set without splits are called


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the doctor sees it.

    Attributes:
        sample: The picture.
        split: Its split; None where the data set has none.
        facts: What its file says; with a reason where it cannot be used.
        group: Its group; None where there are none.
    """

    sample: Sample
    split: Split | None
    facts: PictureFacts
    group: str | None = None

    @property
    def name(self) -> str:
        """Its path relative to the data set's root."""
        return self.sample.name

    @property
    def readable(self) -> bool:
        """Whether it can be decoded."""
        return not self.facts.reason


@dataclass(frozen=True)
class Examination:
    """A data set as the doctor sees it.

    Attributes:
        root: Where it lies.
        classes: The classes' names; none where labels are numbers.
        labelling: Which kind of label a picture has.
        pictures: All of them, train before validation before test, each split by name.
        near_duplicates: The pairs of pictures that are copies of one another, but not the same file.
        notes: What was passed over.
        problems: What is wrong with annotations.
    """

    root: Path
    classes: tuple[str, ...]
    labelling: Labelling
    pictures: tuple[Picture, ...]
    near_duplicates: tuple[NearDuplicate, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @cached_property
    def readable(self) -> tuple[Picture, ...]:
        """The pictures that can be decoded."""
        return tuple(picture for picture in self.pictures if picture.readable)

    @cached_property
    def splits(self) -> tuple[Split | None, ...]:
        """The splits that there are; None alone where the data set has none."""
        present = {picture.split for picture in self.pictures}
        return tuple(split for split in (*SPLITS, None) if split in present)

    @cached_property
    def grouped(self) -> bool:
        """Whether pictures belong to groups."""
        return any(picture.group is not None for picture in self.pictures)

    def counts(self) -> dict[Split | None, dict[str, int]]:
        """How many readable pictures each split has of each class; a picture of several classes counts for each."""
        counted = {split: Counter[int]() for split in self.splits}
        for picture in self.readable:
            counted[picture.split].update(classes_of(picture.sample.label))
        return {
            split: {name: of_class[index] for index, name in enumerate(self.classes)}
            for split, of_class in counted.items()
        }

    @cached_property
    def pixel_counts(self) -> npt.NDArray[np.int64]:
        """How many pixels of the mask of each readable picture have each class: (N, classes)."""
        masks = [picture.sample.label for picture in self.readable]
        return pixel_counts([mask for mask in masks if isinstance(mask, MaskLabel)], len(self.classes))

    def label_of(self, picture: Picture) -> str:
        """A picture's label as text: the names of its classes, its number, its objects; empty if no picture has any."""
        return label_summary(picture.sample.label, self.classes) or ("" if self.labelling == "none" else "no class")

    @cached_property
    def copies(self) -> tuple[tuple[Picture, ...], ...]:
        """The readable pictures whose files are identical, two or more together."""
        alike: dict[str, list[Picture]] = defaultdict(list)
        for picture in self.readable:
            alike[picture.sample.digest].append(picture)
        return tuple(tuple(pictures) for pictures in alike.values() if len(pictures) > 1)

    @cached_property
    def likenesses(self) -> tuple[tuple[Picture, ...], ...]:
        """The readable pictures that hang together as near duplicates, with those identical to them."""
        unit_of = near_duplicate_units(self.near_duplicates)
        alike: dict[str, list[Picture]] = defaultdict(list)
        for picture in self.readable:
            if (unit := unit_of.get(picture.sample.digest)) is not None:
                alike[unit].append(picture)
        return tuple(tuple(pictures) for pictures in alike.values())


def examine(
    data: Path | str,
    *,
    grouping: Grouping | None = None,
    labelling: Labelling | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Examination:
    """Open every picture of a data set and find copies.

    Args:
        data: What `hubel.data.layouts.finding.find_source` takes.
        grouping: Which pictures belong together; None: those that the source says, if it does.
        labelling: The kind of labels that is wanted; None: as the source has them.
        progress: Called with how many pictures have been opened and how many there are.
        tell: Hears of what else takes a while.

    Raises:
        DataError: There is no data set.
        ConfigError: The grouping is wrong.
    """
    source = relabelled(find_source(data, tell, labelling), labelling)
    of_split, excluded = labelled_splits(source, source.classes)
    samples = [sample for split in (*SPLITS, None) for sample in of_split.get(split, ())]
    groups = grouping.groups_of([sample.name for sample in samples]) if grouping else source.groups
    facts = gather_facts(samples, progress)
    pictures = [
        Picture(sample, split, facts[sample.digest], groups.get(sample.name))
        for split in (*SPLITS, None)
        for sample in of_split.get(split, ())
    ]
    split_of = {entry.file.name: split for split, entries in source.splits.items() for entry in entries}
    pictures += [
        Picture(item.sample, split_of[item.sample.name], PictureFacts(reason=item.reason)) for item in excluded
    ]
    return Examination(
        root=source.root,
        classes=source.classes,
        labelling=source.labelling,
        pictures=tuple(pictures),
        near_duplicates=tuple(find_near_duplicates(samples, source.classes)),
        notes=source.notes,
        problems=source.problems,
    )
