"""Pictures that are copies of one another but for encoding, size, brightness, mirroring or a slight crop.

A perceptual hash finds pairs that may be (`hubel.data.duplicates.perceptual_hash`), without comparing all with all;
what they show, laid on one another and compared in detail, decides. Pictures of much the same thing, or flat ones, are
no copies. Colours are not looked at: a grey copy is a copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hubel.data.division.disjoint_sets import DisjointSets
from hubel.data.duplicates.alignment import Thumbnails, detail, strength
from hubel.data.duplicates.comparison import Candidates, Comparison
from hubel.data.duplicates.facts import Progress, gather_facts, thumbnails_of
from hubel.data.duplicates.perceptual_hash import Hashes, Window, hashes_of, mirrored, pairs_within_radius
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

_SMALL_SIDE = 40  # up to which a picture has hardly more pixels than a thumbnail

_BLOCK = 128  # thumbnails, whose arrays fit into a processor's cache; and pairs, links between which count after them
_PAIRS_PER_TASK = 32
_PAIRS_AT_ONCE = 512
_PAIRS_AHEAD = 512 * _BLOCK


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
    families, found = _Families(len(samples)), []
    comparison = Comparison(samples, thumbnails, small)
    with ThreadPoolExecutor(available_cpus() + 1) as pool:
        for candidates in _hash_neighbours(thumbnails):
            for pair, similarity in _new_links(candidates, families, comparison, pool):
                least, greatest = sorted(pair)
                names = samples[least].digest, samples[greatest].digest
                found.append(((least, greatest), NearDuplicate(*names, round(similarity, 4), candidates.mirrored)))
    return [duplicate for _, duplicate in sorted(found, key=lambda item: item[0])]


def _new_links(
    candidates: Candidates,
    families: _Families,
    comparison: Comparison,
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[tuple[int, int], float]]:
    """Compare and link pairs that do not hang together yet, and tell their similarities."""
    looks = comparison.looks
    look_pairs = looks[candidates.first] * len(looks) + looks[candidates.second]
    look_pairs = np.unique(look_pairs, return_inverse=True)[1]
    unlike = np.zeros(len(candidates), dtype=np.bool_)  # pairs of looks

    def open_question(some: slice) -> npt.NDArray[np.bool_]:
        open_ones: npt.NDArray[np.bool_] = families.apart(candidates[some]) & ~unlike[look_pairs[some]]
        return open_ones

    for places in _some_at_a_time(len(candidates), open_question):
        tasks = [candidates[some] for some in _portions(places, _PAIRS_PER_TASK)]
        similarities = np.concatenate(list(pool.map(comparison.similarities, tasks)))
        unlike[look_pairs[places[np.isnan(similarities)]]] = True
        yield from families.linked(candidates, places, similarities)


class _Families:
    """Which of some pictures hang together already.

    Links count from the next block of pairs on: so the same pairs are found however many are compared at once.
    """

    def __init__(self, pictures: int) -> None:
        self._of = np.arange(pictures)  # the family's number
        self._members = [[picture] for picture in range(pictures)]

    def apart(self, pairs: Candidates) -> npt.NDArray[np.bool_]:
        """Whether the pictures of each pair do not hang together yet."""
        apart: npt.NDArray[np.bool_] = self._of[pairs.first] != self._of[pairs.second]
        return apart

    def linked(
        self, candidates: Candidates, places: npt.NDArray[np.int64], similarities: npt.NDArray[np.float32]
    ) -> Iterator[tuple[tuple[int, int], float]]:
        """Link pairs at some places that have any similarity, and tell those that were apart."""
        alike = np.flatnonzero(similarities > 0)
        blocks = np.split(alike, np.flatnonzero(np.diff(places[alike] // _BLOCK)) + 1)
        for block in blocks:
            first, second = candidates.first[places[block]], candidates.second[places[block]]
            new = self._of[first] != self._of[second]
            pairs = list(zip(first[new].tolist(), second[new].tolist(), strict=True))
            for one, other in pairs:
                self._link(one, other)
            yield from zip(pairs, similarities[block][new].tolist(), strict=True)

    def _link(self, one: int, other: int) -> None:
        """Let two families be one: the smaller joins the larger, so that no picture moves often."""
        few, many = sorted((self._of[one], self._of[other]), key=lambda family: len(self._members[family]))
        if few == many:
            return
        self._of[self._members[few]] = many
        self._members[many] += self._members[few]
        self._members[few] = []


def _some_at_a_time(count: int, wanted: Callable[[slice], npt.NDArray[np.bool_]]) -> Iterator[npt.NDArray[np.int64]]:
    """Places of pairs that are wanted when their turn comes, about 512 at a time, whole blocks."""
    start = 0
    while start < count:
        places = start + np.flatnonzero(wanted(slice(start, start + _PAIRS_AHEAD)))
        start += _PAIRS_AHEAD
        if len(places) > _PAIRS_AT_ONCE:
            start = (int(places[_PAIRS_AT_ONCE]) // _BLOCK + 1) * _BLOCK
            places = places[places < start]
        if len(places):
            yield places


def _hash_neighbours(thumbnails: npt.NDArray[np.uint8]) -> Iterator[Candidates]:
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
        yield Candidates(first[nearest], second[nearest], window, turned)


def _hashes(thumbnails: npt.NDArray[np.uint8], window: Window) -> Hashes:
    parts = [hashes_of(block, window) for block in _blocks(thumbnails)]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def _strengths(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating[Any]]:
    parts = [strength(detail(block)) for block in _blocks(thumbnails)]
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def _blocks(thumbnails: npt.NDArray[np.uint8]) -> Iterator[Thumbnails]:
    """Some thumbnails at a time, as floats: all of them would take four times the memory."""
    return (some.astype(np.float32) for some in _portions(thumbnails, _BLOCK))


def _portions(array: npt.NDArray[Any], size: int) -> Iterator[npt.NDArray[Any]]:
    return (array[start : start + size] for start in range(0, len(array), size))
