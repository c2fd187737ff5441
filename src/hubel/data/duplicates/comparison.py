"""Whether two pictures that may be copies are: what they show is laid on one another and compared in detail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.duplicates.alignment import Thumbnails, align, clipped, correlation, detail
from hubel.data.duplicates.perceptual_hash import SIDE, Window, cut_out
from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.sources import Sample

# Correlations of the details of two pictures from which on the next, costlier measure is taken; the last one decides.
_LEAST_UNALIGNED, _LEAST_ALIGNED = 0.2, 0.65
# Of larger thumbnails, halved and whole. Among 3,781 photos of clothes the nearest that are no copies have 0.94 and
# 0.78; of their copies, cropped by up to 5 % of each side, all but 3 in 100 have more than 0.95 and 0.6.
_LEAST_ALIKE, _LEAST_ALIKE_OVERALL, _LEAST_ALIKE_IN_DETAIL = 0.95, 0.85, 0.6
_LARGER_SIDE = 2 * SIDE
# Pictures of hardly more pixels than a thumbnail have no finer details, and coding changes a larger part of them. Among
# the same photos at 32 pixels the nearest that are no copies have 0.88; docs/data.md tells what is found in CIFAR-10.
_LEAST_ALIKE_IF_SMALL = 0.9
_LEAST_SHOWN = 0.7  # the share of a picture that both show; the rest may have been cut off


@dataclass(frozen=True)
class Candidates:
    """Pairs of pictures that may be copies.

    Attributes:
        first: Positions of pictures, int64 of shape (P,).
        second: The same.
        window: The part of the first that is looked at.
        mirrored: Whether the first is turned round.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    window: Window
    mirrored: bool

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, wanted: slice | npt.NDArray[Any]) -> Candidates:
        """Some of the pairs."""
        return Candidates(self.first[wanted], self.second[wanted], self.window, self.mirrored)

    def floats(self, thumbnails: npt.NDArray[np.uint8]) -> tuple[Thumbnails, Thumbnails]:
        """The first and the second picture of each pair as they face one another: float32 (P, S, S)."""
        first = thumbnails[self.first, :, ::-1] if self.mirrored else thumbnails[self.first]
        return first.astype(np.float32), thumbnails[self.second].astype(np.float32)


class Comparison:
    """Tells how alike pictures are; threads may ask at once.

    Args:
        samples: The pictures.
        thumbnails: Of them, uint8 of shape (N, 32, 32).
        small: Which of them have hardly more pixels than that, (N,).

    Attributes:
        looks: Of each picture the first one that has the same thumbnail, int64 (N,).
    """

    def __init__(
        self, samples: Sequence[Sample], thumbnails: npt.NDArray[np.uint8], small: npt.NDArray[np.bool_]
    ) -> None:
        self._samples, self._thumbnails, self._small = samples, thumbnails, small
        self.looks = _looks(thumbnails)
        self._known_as_near: set[tuple[object, ...]] = set()
        # Larger thumbnails by their digests, and those of the pictures that were worth a closer look.
        self._larger: dict[bytes, npt.NDArray[np.uint8]] = {}
        self._closer_looks: dict[int, bytes] = {}
        self._known_similarities: dict[tuple[object, ...], float] = {}

    def similarities(self, pairs: Candidates) -> npt.NDArray[np.float32]:
        """The correlation of the details of each pair's pictures, (P,).

        It is 0 for those that are no copies, NaN for those that are none by their thumbnails already.
        """
        similarities = np.full(len(pairs), np.nan, dtype=np.float32)
        near = self._near(pairs)
        if len(near):
            similarities[near] = self._looked_at_closely(pairs[near])
        return similarities

    def _near(self, pairs: Candidates) -> npt.NDArray[np.int64]:
        """Those pairs whose small thumbnails are alike; pairs that look like others are known."""
        looks = zip(self.looks[pairs.first].tolist(), self.looks[pairs.second].tolist(), strict=True)
        keys = [(*pair, pairs.window, pairs.mirrored) for pair in looks]
        near = np.array([key in self._known_as_near for key in keys], dtype=np.bool_)
        if not near.all():
            new = np.flatnonzero(~near)
            found = new[self._alike_at_first_sight(pairs[new])]
            near[found] = True
            self._known_as_near.update(keys[place] for place in found.tolist())
        return np.flatnonzero(near)

    def _alike_at_first_sight(self, pairs: Candidates) -> npt.NDArray[np.int64]:
        """Those pairs whose small thumbnails are alike once they lie on one another."""
        first, second = pairs.floats(self._thumbnails)
        details = detail(second)
        part = first if pairs.window == Window() else cut_out(first, pairs.window)
        likely = np.flatnonzero(correlation(detail(part), details) >= _LEAST_UNALIGNED)
        moved, shown = align(first[likely], second[likely], pairs.window)
        return likely[correlation(detail(moved), details[likely], shown) >= _LEAST_ALIGNED]

    def _looked_at_closely(self, pairs: Candidates) -> npt.NDArray[np.floating[Any]]:
        """The correlation of the details of each of those; pairs that look like others are known here, too."""
        one_is_small = self._small[pairs.first] | self._small[pairs.second]
        first, second = (
            [self._closer_look(place) for place in places.tolist()] for places in (pairs.first, pairs.second)
        )
        keys = [(*key, pairs.window, pairs.mirrored) for key in zip(first, second, one_is_small.tolist(), strict=True)]
        new = {key: place for place, key in enumerate(keys) if key not in self._known_similarities}
        if new:
            places = np.fromiter(new.values(), dtype=np.int64)
            found = self._correlations(pairs[places], one_is_small[places])
            self._known_similarities.update(zip(new, found.tolist(), strict=True))
        return np.array([self._known_similarities[key] for key in keys], dtype=np.float32)

    def _correlations(self, pairs: Candidates, one_is_small: npt.NDArray[np.bool_]) -> npt.NDArray[np.floating[Any]]:
        first, second = (
            np.array([self._larger[self._closer_looks[place]] for place in places.tolist()], dtype=np.float32)
            for places in (pairs.first, pairs.second)
        )
        if pairs.mirrored:
            first = first[:, :, ::-1]
        moved, shown = align(first, second, pairs.window)
        in_detail = correlation(detail(moved), detail(second), shown)
        first, second, shown = detail(_halved(moved)), detail(_halved(second)), np.floor(_halved(shown))
        alike, overall = correlation(first, second, shown), correlation(clipped(first), clipped(second), shown)
        least_alike = np.where(one_is_small, _LEAST_ALIKE_IF_SMALL, _LEAST_ALIKE)
        same_in_detail = one_is_small | (in_detail >= _LEAST_ALIKE_IN_DETAIL)
        copies = (alike >= least_alike) & (overall >= _LEAST_ALIKE_OVERALL) & same_in_detail
        return np.where(copies & (shown.mean(axis=(1, 2)) >= _LEAST_SHOWN), alike, 0)

    def _closer_look(self, position: int) -> bytes:
        """What stands for a picture's larger thumbnail, which is made where it has not been yet."""
        if position not in self._closer_looks:
            larger = _larger_thumbnail(self._samples[position])
            look = hashlib.blake2b(larger.tobytes(), digest_size=DIGEST_BYTES).digest()
            self._larger[look] = larger
            self._closer_looks[position] = look
        return self._closer_looks[position]


def _looks(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Of each picture the first one that has the same thumbnail: those of the same pixels need no second comparison."""
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(thumbnail, digest_size=DIGEST_BYTES).digest() for thumbnail in thumbnails)
    return np.array([first.setdefault(digest, place) for place, digest in enumerate(digests)], dtype=np.int64)


def _larger_thumbnail(sample: Sample) -> npt.NDArray[np.uint8]:
    try:
        grey = load_image(sample, 1, shorter_side=_LARGER_SIDE)
    except UnreadableImage:  # it has vanished since: a black picture is like no other
        return np.zeros((_LARGER_SIDE, _LARGER_SIDE), dtype=np.uint8)
    return np.asarray(grey.resize((_LARGER_SIDE, _LARGER_SIDE), Image.Resampling.BOX))


def _halved(thumbnails: Thumbnails) -> Thumbnails:
    """Thumbnails (N, 2S, 2S) of half the side, by averaging."""
    rows = thumbnails[:, ::2] + thumbnails[:, 1::2]
    halves: Thumbnails = (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)
    return halves
