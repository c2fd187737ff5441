"""What must not come apart when pictures are divided: those of a group, copies, and near duplicates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hubel.data.collecting import Collected
from hubel.data.division.by_hash import deal_folds, divide, unit_keys
from hubel.data.division.groups import Grouping
from hubel.data.labels import Labelling
from hubel.data.sources import Sample, Split
from hubel.errors import DataError

MOST_SEARCHED = 20_000  # pictures in which near duplicates are looked for, unless more are wanted

_WORTH_TELLING = 2_000  # pictures
_APART = "near duplicates come apart, for a class has too few other pictures to be in every part"


@dataclass(frozen=True)
class Units:
    """Which pictures belong together.

    Attributes:
        classes: The classes' names.
        labelling: Where every picture has one class, each class must be in every part; otherwise, it need not.
        groups: The group of each picture by its name; empty without groups.
        alike: What stands for a picture and its near duplicates, by its digest; pictures without any are missing.
    """

    classes: tuple[str, ...]
    labelling: Labelling
    groups: Mapping[str, str]
    alike: Mapping[str, str]

    def divide(
        self, samples: Sequence[Sample], fractions: Mapping[Split, float], notes: list[str]
    ) -> dict[Split, list[Sample]]:
        """Divide pictures into splits (see `hubel.data.division.by_hash.divide`).

        Where a class would miss a split, near duplicates may come apart, which is added to the notes.

        Raises:
            DataError: A class has too few units all the same.
        """
        keys, every_class = unit_keys(samples, self.groups, self.alike), self.labelling == "class"
        try:
            return divide(samples, fractions, self.classes, keys, grouped=bool(self.groups), every_class=every_class)
        except DataError as error:
            return self._without_alike(error, notes).divide(samples, fractions, notes)

    def deal(self, samples: Sequence[Sample], count: int, notes: list[str]) -> dict[str, int]:
        """Deal pictures to folds (see `hubel.data.division.by_hash.deal_folds`); otherwise as `divide`.

        Raises:
            DataError: A class has too few units all the same.
        """
        keys, every_class = unit_keys(samples, self.groups, self.alike), self.labelling == "class"
        try:
            return deal_folds(samples, count, self.classes, keys, grouped=bool(self.groups), every_class=every_class)
        except DataError as error:
            return self._without_alike(error, notes).deal(samples, count, notes)

    def _without_alike(self, error: DataError, notes: list[str]) -> Units:
        """The same with near duplicates that may come apart; without any, they are not to blame."""
        if not self.alike:
            raise error
        notes.append(_APART)
        return replace(self, alike={})


def find_units(
    found: Collected,
    samples: Sequence[Sample],
    grouping: Grouping | None,
    near_duplicates: int,
    tell: Callable[[str], None] | None,
    notes: list[str],
) -> Units:
    """Find out which pictures belong together.

    Args:
        found: Their data set.
        samples: The pictures that are divided.
        grouping: Which ones were asked to stay together; None: those that the source says, if it does.
        near_duplicates: Up to how many pictures are searched for near duplicates; 0: none.
        tell: Hears of what takes a while.
        notes: What was found is added.

    Raises:
        DataError: A picture has no group.
    """
    groups: Mapping[str, str] = {}
    if grouping:
        groups = grouping.groups_of([sample.name for sample in samples])
    elif found.groups:
        groups = {sample.name: found.groups[sample.name] for sample in samples}
    alike: Mapping[str, str] = {}
    if len(samples) <= near_duplicates:
        alike = _find_alike(samples, found.classes, tell)
        if together := sum(sample.digest in alike for sample in samples):
            notes.append(f"near duplicates, which stay together: {together:,} pictures")
    elif near_duplicates:
        notes.append(
            f"near duplicates may come apart: they are not looked for among more than {near_duplicates:,} pictures "
            "(--set data.near_duplicates=N)"
        )
    return Units(found.classes, found.labelling, groups, alike)


def _find_alike(
    samples: Sequence[Sample], classes: Sequence[str], tell: Callable[[str], None] | None
) -> dict[str, str]:
    from hubel.data.duplicates.near_duplicates import (  # what it needs takes its time
        find_near_duplicates,
        near_duplicate_units,
    )

    told = tell is None or len(samples) < _WORTH_TELLING

    def opened(done: int, total: int) -> None:
        nonlocal told
        if not told and tell is not None:
            tell(f"{total:,} pictures are searched for near duplicates, once")
            told = True

    return near_duplicate_units(find_near_duplicates(samples, classes, opened))
