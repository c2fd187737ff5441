"""Pictures that are copies of one another but for encoding, size, brightness, mirroring or a slight crop.

A perceptual hash finds pairs that may be (`hubel.data.duplicates.perceptual_hash`), without comparing all with all;
what they show, laid on one another and compared in detail, decides. Pictures of much the same thing, or flat ones, are
no copies. Colours are not looked at: a grey copy is a copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hubel.data.decoding import UnreadableImage, load_image
from hubel.data.division.disjoint_sets import DisjointSets
from hubel.data.duplicates.alignment import Thumbnails, align, overall_similarity, similarity, strength
from hubel.data.duplicates.facts import Progress, gather_facts, thumbnails_of
from hubel.data.duplicates.perceptual_hash import (
    SIDE,
    Hashes,
    Window,
    cut_out,
    hashes_of,
    mirrored,
    pairs_within_radius,
)
from hubel.data.files.digests import DIGEST_BYTES
from hubel.data.files.remembered import remember_near_duplicates, remembered_near_duplicates
from hubel.data.labels import are_characters
from hubel.data.sources import Sample
from hubel.runtime import available_cpus

_SEARCH_VERSION = 2

# A crop by up to 5 % of each side is near one of these windows of the whole picture.
_WINDOWS = (
    Window(),
    Window(0.025, 0.025, 0.025, 0.025),
    Window(0.05, 0.05, 0.05, 0.05),
    Window(0.05, 0.025, 0.0, 0.025),
    Window(0.025, 0.05, 0.025, 0.0),
    Window(0.0, 0.025, 0.05, 0.025),
    Window(0.025, 0.0, 0.025, 0.05),
)

# Flatter pictures, and those of fewer pixels on a side, show too little to tell a copy from a likeness.
_LEAST_STRENGTH = 1.5  # of details, in grey values
_LEAST_SIDE = 16

# Correlations of the details of two pictures from which on the next, costlier measure is taken; the last one decides.
_LEAST_UNALIGNED, _LEAST_ALIGNED = 0.2, 0.65
# Of larger thumbnails, halved and whole. Among 3,781 photos of clothes the nearest that are no copies have 0.94 and
# 0.78; of their copies, cropped by up to 5 % of each side, all but 3 in 100 have more than 0.95 and 0.6.
_LEAST_ALIKE, _LEAST_ALIKE_OVERALL, _LEAST_ALIKE_IN_DETAIL = 0.95, 0.85, 0.6
_LARGER_SIDE = 2 * SIDE
# Pictures of hardly more pixels than a thumbnail have no finer details, and coding changes a larger part of them. Among
# the same photos at 32 pixels the nearest that are no copies have 0.88; docs/data.md tells what is found in CIFAR-10.
_SMALL_SIDE, _LEAST_ALIKE_IF_SMALL = 40, 0.9
_LEAST_SHOWN = 0.7  # the share of a picture that both show; the rest may have been cut off

_PAIRS_AT_ONCE = 128  # whose arrays fit into a processor's cache


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two pictures that are copies of one another.

    Attributes:
        first: The digest of one.
        second: The digest of the other.
        similarity: The correlation of their details, up to 1.
        mirrored: Whether one is a mirror image of the other.
    """

    first: str
    second: str
    similarity: float
    mirrored: bool


@dataclass(frozen=True)
class _Candidates:
    """Pairs of pictures that may be copies: positions, int64 of shape (P,), and how the first is looked at."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    window: Window
    mirrored: bool

    def where(self, wanted: npt.NDArray[np.bool_]) -> _Candidates:
        return _Candidates(self.first[wanted], self.second[wanted], self.window, self.mirrored)

    def blocks(self) -> Iterator[_Candidates]:
        for start in range(0, len(self.first), _PAIRS_AT_ONCE):
            block = slice(start, start + _PAIRS_AT_ONCE)
            yield _Candidates(self.first[block], self.second[block], self.window, self.mirrored)

    def positions(self) -> Iterator[tuple[int, int]]:
        """The pairs, one by one."""
        return zip(self.first.tolist(), self.second.tolist(), strict=True)

    def facing(self, thumbnails: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Thumbnails of the first pictures, turned round where mirror images are looked for."""
        return thumbnails[:, :, ::-1] if self.mirrored else thumbnails


def find_near_duplicates(
    samples: Sequence[Sample], classes: Sequence[str] = (), progress: Progress | None = None
) -> list[NearDuplicate]:
    """Find the pictures that are copies of one another, but not the same file.

    Args:
        samples: The pictures; those that cannot be read have no copies.
        classes: The classes' names. Where all are letters or digits nothing is searched: drawn characters are alike by
            nature, and a mirrored b is a d.
        progress: Called with how many pictures have been opened and how many there are; they are remembered.

    Returns:
        Pairs, so many that all copies hang together: of three that are alike, two may do.
    """
    if are_characters(classes):
        return []
    of_digest = {sample.digest: sample for sample in reversed(samples)}
    different = [of_digest[digest] for digest in dict.fromkeys(sample.digest for sample in samples)]
    key = _key(different)
    if (known := remembered_near_duplicates(key)) is not None:
        return [NearDuplicate(*values) for values in json.loads(known)]
    facts = gather_facts(different, progress)
    legible = [s for s in different if min(facts[s.digest].width, facts[s.digest].height) >= _LEAST_SIDE]
    thumbnails = thumbnails_of([facts[sample.digest] for sample in legible])
    rich = np.flatnonzero(_strengths(thumbnails) >= _LEAST_STRENGTH)
    chosen = [legible[position] for position in rich]
    small = [min(facts[s.digest].width, facts[s.digest].height) <= _SMALL_SIDE for s in chosen]
    found = _search(chosen, thumbnails[rich], np.array(small, dtype=np.bool_))
    remember_near_duplicates(key, json.dumps([[p.first, p.second, p.similarity, p.mirrored] for p in found]))
    return found


def near_duplicate_units(pairs: Iterable[NearDuplicate]) -> dict[str, str]:
    """What must not come apart: by the digest of every picture in a pair, the least digest of all that hang together.

    Copies of copies hang together.
    """
    united = DisjointSets[str]()
    for pair in pairs:
        united.link(pair.first, pair.second)
    return {digest: united.least(digest) for digest in united.items()}


def _key(samples: Sequence[Sample]) -> str:
    """All that the pairs depend on, as 32 hexadecimal digits."""
    state = hashlib.blake2b(str(_SEARCH_VERSION).encode(), digest_size=DIGEST_BYTES)
    for digest in sorted(sample.digest for sample in samples):
        state.update(digest.encode())
    return state.hexdigest()


def _search(
    samples: Sequence[Sample], thumbnails: npt.NDArray[np.uint8], small: npt.NDArray[np.bool_]
) -> list[NearDuplicate]:
    """Links between pictures; those that hang together already are not compared again, for films have very many."""
    linked, found = DisjointSets[int](), []
    larger = _LargerThumbnails(samples)
    for candidates in _hash_neighbours(thumbnails):
        for block in candidates.blocks():
            apart = [linked.least(first) != linked.least(second) for first, second in block.positions()]
            close = _aligned(block.where(np.array(apart)), thumbnails)
            for (first, second), alike in zip(close.positions(), _alike(close, larger, small), strict=True):
                if alike:
                    linked.link(first, second)
                    least, greatest = sorted((first, second))
                    names = samples[least].digest, samples[greatest].digest
                    found.append(((least, greatest), NearDuplicate(*names, round(float(alike), 4), close.mirrored)))
    return [duplicate for _, duplicate in sorted(found, key=lambda item: item[0])]


def _hash_neighbours(thumbnails: npt.NDArray[np.uint8]) -> Iterator[_Candidates]:
    """Pairs whose hashes are near one another: whole pictures, mirror images, and windows of the first."""
    whole = _hashes(thumbnails, Window())
    searches = [(window, False) for window in _WINDOWS] + [(Window(), True)]
    for window, turned in searches:
        queries = mirrored(whole) if turned else _hashes(thumbnails, window)
        first, second = pairs_within_radius(queries, whole)
        once = first < second if window == Window() else first != second
        first, second = first[once], second[once]
        # Neighbours come first, as the frames of a film: most others then hang together already.
        nearest = np.argsort(np.abs(second - first), kind="stable")
        yield _Candidates(first[nearest], second[nearest], window, turned)


def _hashes(thumbnails: npt.NDArray[np.uint8], window: Window) -> Hashes:
    parts = [hashes_of(block, window) for block in _blocks(thumbnails)]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def _strengths(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating[Any]]:
    parts = [strength(block) for block in _blocks(thumbnails)]
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def _blocks(thumbnails: npt.NDArray[np.uint8]) -> Iterator[Thumbnails]:
    """Some thumbnails at a time, as floats: all of them would take four times the memory."""
    for start in range(0, len(thumbnails), _PAIRS_AT_ONCE):
        yield _floats(thumbnails[start : start + _PAIRS_AT_ONCE])


def _aligned(block: _Candidates, thumbnails: npt.NDArray[np.uint8]) -> _Candidates:
    """Those pairs whose small thumbnails are alike once they lie on one another."""
    first, second = _floats(block.facing(thumbnails[block.first])), _floats(thumbnails[block.second])
    likely = similarity(cut_out(first, block.window), second) >= _LEAST_UNALIGNED
    moved, shown = align(first[likely], second[likely], block.window)
    return block.where(likely).where(similarity(moved, second[likely], shown) >= _LEAST_ALIGNED)


def _alike(block: _Candidates, larger: _LargerThumbnails, small: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """How alike the pictures of each pair are, floats (P,): 0 for those that are no copies."""
    first, second = block.facing(larger.floats(block.first)), larger.floats(block.second)
    moved, shown = align(first, second, block.window)
    in_detail = similarity(moved, second, shown)
    moved, second, shown = _halved(moved), _halved(second), np.floor(_halved(shown))
    alike, overall = similarity(moved, second, shown), overall_similarity(moved, second, shown)
    one_is_small = small[block.first] | small[block.second]
    least_alike = np.where(one_is_small, _LEAST_ALIKE_IF_SMALL, _LEAST_ALIKE)
    same_in_detail = one_is_small | (in_detail >= _LEAST_ALIKE_IN_DETAIL)
    copies = (alike >= least_alike) & (overall >= _LEAST_ALIKE_OVERALL) & same_in_detail
    return np.where(copies & (shown.mean(axis=(1, 2)) >= _LEAST_SHOWN), alike, 0)


class _LargerThumbnails:
    """Thumbnails of 64×64 grey pixels, made for those pictures that are worth another look."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._made: dict[int, npt.NDArray[np.uint8]] = {}

    def floats(self, positions: npt.NDArray[np.int64]) -> Thumbnails:
        """Those of some pictures: float32 (P, 64, 64)."""
        new = [position for position in dict.fromkeys(positions.tolist()) if position not in self._made]
        if new:
            with ThreadPoolExecutor(available_cpus() + 1) as pool:
                made = pool.map(_larger_thumbnail, [self._samples[position] for position in new])
                self._made.update(zip(new, made, strict=True))
        chosen = [self._made[position] for position in positions.tolist()]
        return _floats(np.array(chosen, dtype=np.uint8).reshape(-1, _LARGER_SIDE, _LARGER_SIDE))


def _larger_thumbnail(sample: Sample) -> npt.NDArray[np.uint8]:
    try:
        grey = load_image(sample, 1, shorter_side=_LARGER_SIDE)
    except UnreadableImage:  # it has vanished since: a black picture is like no other
        return np.zeros((_LARGER_SIDE, _LARGER_SIDE), dtype=np.uint8)
    return np.asarray(grey.resize((_LARGER_SIDE, _LARGER_SIDE), Image.Resampling.BOX))


def _halved(thumbnails: Thumbnails) -> Thumbnails:
    """Thumbnails (N, 2S, 2S) of half the side, by averaging."""
    count, side, _ = thumbnails.shape
    halves: Thumbnails = thumbnails.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halves


def _floats(thumbnails: npt.NDArray[np.uint8]) -> Thumbnails:
    return thumbnails.astype(np.float32)
