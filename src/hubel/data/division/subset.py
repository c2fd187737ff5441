"""Training on a part of the training pictures, class by class: what would fewer labels do?

Pictures are ordered by a hash of the seed and of their content, and the first ones of each class are taken. So a part
does not depend on what the folder is called or on the order of its files, a smaller part lies in every larger one of
the same seed, and another seed draws another part.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hubel.data.division.splits import DataSplits
from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.labels import Labelling
from hubel.data.sources import Sample
from hubel.errors import ConfigError

_FEWEST = 2  # pictures: BatchNorm needs two


@dataclass(frozen=True)
class Subset:
    """Which part of the training pictures is used.

    Attributes:
        fraction: Their share; where pictures have one class each, of every class, and at least one picture of it.
        per_class: How many of each class; all of a class that has no more.
        seed: What draws them.
    """

    fraction: float | None = None
    per_class: int | None = None
    seed: int = 0

    def of(self, splits: DataSplits) -> DataSplits:
        """The splits with that part of the training pictures; validation and test pictures stay as they are.

        Raises:
            ConfigError: So many of each class are asked for, but the pictures have other labels than one class.
        """
        if self.fraction is None and self.per_class is None:
            return splits
        train = self._drawn(splits.train, splits.labelling)
        names = {sample.name for sample in train}
        setting = f"data.fraction={self.fraction}" if self.per_class is None else f"data.per_class={self.per_class}"
        note = f"{len(train):,} of {len(splits.train):,} training pictures are used ({setting}, seed {self.seed})"
        return replace(
            splits,
            train=tuple(sample for sample in splits.train if sample.name in names),
            notes=(*splits.notes, note),
        )

    def _drawn(self, samples: Sequence[Sample], labelling: Labelling) -> list[Sample]:
        ordered = sorted(samples, key=lambda sample: (_place(self.seed, sample.digest), sample.name))
        if labelling != "class":
            if self.per_class is not None:
                raise ConfigError(
                    f"data.per_class is {self.per_class}, but a picture has no class, or may have several: set "
                    "data.fraction"
                )
            return ordered[: self._count(len(ordered), _FEWEST)]
        of_class: defaultdict[object, list[Sample]] = defaultdict(list)
        for sample in ordered:
            of_class[sample.label].append(sample)
        return [sample for own in of_class.values() for sample in own[: self._count(len(own), 1)]]

    def _count(self, there: int, fewest: int) -> int:
        """How many of so many pictures are used."""
        return max(fewest, round(self.fraction * there)) if self.fraction is not None else self.per_class or there


def _place(seed: int, digest: str) -> str:
    return hashlib.blake2b(f"{seed} {digest}".encode(), digest_size=DIGEST_BYTES).hexdigest()
