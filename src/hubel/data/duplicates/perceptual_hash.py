"""Perceptual hashes: 64 bits that hardly change when a picture is re-encoded, resized or made brighter.

They are the signs of the lowest frequencies in the discrete cosine transform of a 32×32 grey thumbnail, as in Zauner
2010 ("Implementation and benchmarking of perceptual image hash functions", section 3.2) but with 0 in place of the
median: a mirror image then has the same signs but for those of the odd horizontal frequencies.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Thumbnails = npt.NDArray[np.floating[Any]]  # float32 of shape (N, 32, 32), grey
Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]

SIDE = 32  # of a thumbnail, in pixels
RADIUS = 7  # the largest Hamming distance at which two pictures may be alike

_FREQUENCIES = 8  # in each direction
_WORDS, _WORD_BITS = 4, 16
_LARGEST_BUCKET = 256  # pictures with equal words that a picture is compared with
_AT_ONCE = 2**21  # pairs; bounds the memory


class Window(NamedTuple):
    """What is cut off a picture, as shares of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0

    def scale_and_shift(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Its height and width, and how far its centre lies from the picture's, down and across, in shares."""
        scale = (1 - self.top - self.bottom, 1 - self.left - self.right)
        return scale, ((self.top - self.bottom) / 2, (self.left - self.right) / 2)


def cut_out(thumbnails: Thumbnails, window: Window) -> Thumbnails:
    """A window of each thumbnail, brought to full size by averaging areas: float32 (N, 32, 32) to the same."""
    rows, columns = _cropping(window.top, window.bottom), _cropping(window.left, window.right)
    return rows @ thumbnails @ columns.T


def hashes_of(thumbnails: Thumbnails, window: Window = Window()) -> Hashes:  # noqa: B008 - a constant
    """Hash a window of each thumbnail.

    Args:
        thumbnails: float32 of shape (N, 32, 32).
        window: What is looked at.

    Returns:
        uint64 of shape (N,).
    """
    rows = _cosines() @ _cropping(window.top, window.bottom)
    columns = _cosines() @ _cropping(window.left, window.right)
    frequencies = rows @ thumbnails @ columns.T  # (N, 8, 8)
    signs = frequencies.reshape(len(thumbnails), -1)[:, _bit_order()] > 0
    return np.ascontiguousarray(np.packbits(signs, axis=1)).view(np.uint64).ravel()


def mirrored(hashes: Hashes) -> Hashes:
    """The hashes of the mirror images."""
    odd = np.tile(np.arange(_FREQUENCIES) % 2 == 1, _FREQUENCIES)[_bit_order()]
    return hashes ^ np.packbits(odd).view(np.uint64)


def pairs_within_radius(queries: Hashes, table: Hashes) -> tuple[Indices, Indices]:
    """All pairs of a query and an entry of the table that differ in at most `RADIUS` bits.

    Of the four words of 16 bits in which two such hashes consist, one at least differs in a single bit or not at all
    (the pigeonhole principle; Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index
    hashing"). So a query is compared with those entries only that share one of 17 variants of a word with it. Where
    very many do, as the frames of a film, it is compared with the 256 of them that are nearest to it in the table.

    Args:
        queries: uint64 of shape (Q,).
        table: uint64 of shape (N,).

    Returns:
        The positions of queries and of entries, int64 (P,) each, sorted, no pair twice.
    """
    found = [np.zeros(0, dtype=np.int64)]
    query_words, table_words = (hashes.view(np.uint16).reshape(-1, _WORDS) for hashes in (queries, table))
    own_place = np.minimum(np.arange(len(queries)), len(table))
    for word in range(_WORDS):
        sorted_by = np.argsort(table_words[:, word], kind="stable")
        starts = np.searchsorted(table_words[sorted_by, word], np.arange(2**_WORD_BITS + 1))
        for flipped in (0, *(1 << bit for bit in range(_WORD_BITS))):
            values = query_words[:, word] ^ np.uint16(flipped)
            begins, counts = _buckets(values, starts, table_words[:, word], sorted_by, own_place)
            for some in _portions(counts):
                asking = np.repeat(np.arange(some.start, some.stop), counts[some])
                offsets = np.arange(len(asking)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
                entries = sorted_by[np.repeat(begins[some], counts[some]) + offsets]
                near = np.bitwise_count(queries[asking] ^ table[entries]) <= RADIUS
                found.append(asking[near] * len(table) + entries[near])
    pairs = np.sort(np.concatenate(found))  # np.unique looks numbers up in a table first, which takes longer
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    return pairs // max(len(table), 1), pairs % max(len(table), 1)


def _buckets(
    values: npt.NDArray[np.uint16],
    starts: Indices,
    words: npt.NDArray[np.uint16],
    sorted_by: Indices,
    own_place: Indices,
) -> tuple[Indices, Indices]:
    """Where each query's bucket begins in `sorted_by`, and how many entries of it count."""
    begins, counts = starts[values], starts[values.astype(np.int64) + 1] - starts[values]
    if (crowded := counts > _LARGEST_BUCKET).any():
        keys = (words[sorted_by].astype(np.int64) << 32) | sorted_by  # ascending, for the sort was stable
        middle = np.searchsorted(keys, (values[crowded].astype(np.int64) << 32) | own_place[crowded])
        latest = begins[crowded] + counts[crowded] - _LARGEST_BUCKET
        begins[crowded] = np.clip(middle - _LARGEST_BUCKET // 2, begins[crowded], latest)
        counts[crowded] = _LARGEST_BUCKET
    return begins, counts


def _portions(counts: Indices) -> list[slice]:
    """Runs of queries that together have about `_AT_ONCE` pairs."""
    number = np.cumsum(counts) // _AT_ONCE
    ends = [*(np.flatnonzero(np.diff(number)) + 1).tolist(), len(counts)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


@cache
def _cropping(before: float, after: float) -> npt.NDArray[np.float32]:
    """The matrix (32, 32) that brings a part of 32 values to 32 by averaging: shares are cut off at both ends."""
    edges = np.linspace(before * SIDE, SIDE - after * SIDE, SIDE + 1)
    pixels = np.arange(SIDE)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.maximum(covered, 0)
    matrix: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


@cache
def _cosines() -> npt.NDArray[np.float32]:
    """The lowest frequencies of the discrete cosine transform (type II) as a matrix (8, 32)."""
    frequencies, places = np.arange(_FREQUENCIES)[:, None], np.arange(SIDE) + 0.5
    return np.cos(np.pi * frequencies * places / SIDE).astype(np.float32)


@cache
def _bit_order() -> Indices:
    """Which frequency each bit is of: low and high ones are dealt to the words in turn, for low ones say less alone."""
    rows, columns = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
    rising = np.argsort(rows + columns, kind="stable")
    return rising.reshape(_WORD_BITS, _WORDS).T.ravel()
