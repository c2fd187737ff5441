"""Random numbers that are a function of (seed, epoch, sample index): the counter-based generator Philox4x32-10.

Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3. SC 2011, doi:10.1145/2063384.2063405.
No state is carried from picture to picture, so the number of workers, the order of loading and a resumed run change
nothing.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Stream(IntEnum):
    """What random numbers are for: streams never share a number."""

    ORDER = 0
    AUGMENTATION = 1
    BALANCE = 2
    ELASTIC = 3
    POLICY = 4
    SHARDS = 5


def philox(counter: npt.NDArray[np.uint32], key: tuple[int, int]) -> npt.NDArray[np.uint32]:
    """Philox4x32-10.

    Args:
        counter: uint32 of shape (4, ...).
        key: Two 32-bit words.

    Returns:
        uint32 of the counter's shape, random bits.
    """
    c0, c1, c2, c3 = (word.astype(np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (product1 >> _HALF) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _HALF) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def uniform(
    seed: int, epoch: int, indices: npt.NDArray[np.int64], count: int, stream: Stream
) -> npt.NDArray[np.float64]:
    """Random numbers, equally likely everywhere in [0, 1).

    Args:
        seed: The run's; its lowest 64 bits count.
        epoch: 0 and up, below 2^32.
        indices: Of samples, shape (N,), each below 2^32.
        count: How many for each sample, at most 4 × 2^24.
        stream: What they are for.

    Returns:
        float64 of shape (N, count), multiples of 2^-32.
    """
    blocks = -(-count // 4)
    counter = np.empty((4, len(indices), blocks), dtype=np.uint32)
    counter[0] = np.arange(blocks, dtype=np.uint32)
    counter[1] = np.asarray(indices, dtype=np.uint32)[:, None]
    counter[2] = epoch & 0xFFFFFFFF
    counter[3] = int(stream)
    bits = philox(counter, (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))  # (4, N, blocks)
    words = bits.transpose(1, 2, 0).reshape(len(indices), 4 * blocks)[:, :count]
    return words.astype(np.float64) * 2.0**-32


def shuffled(seed: int, epoch: int, length: int) -> npt.NDArray[np.int64]:
    """The order of an epoch: all indices below `length`, int64, sorted by their random numbers."""
    keys = uniform(seed, epoch, np.arange(length, dtype=np.int64), 2, Stream.ORDER)
    return np.lexsort((keys[:, 1], keys[:, 0]))


def in_turn(seed: int, epoch: int, shards: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of an epoch in which shards are read whole, one after the other, in an order of the epoch's own.

    Args:
        seed: The run's.
        epoch: 0 and up.
        shards: int64 of shape (N,): the number of each picture's shard, ascending.

    Returns:
        Indices into `shards`, int64 of shape (N,); within a shard they ascend.
    """
    present, starts, lengths = np.unique(shards, return_index=True, return_counts=True)
    keys = uniform(seed, epoch, present, 2, Stream.SHARDS)
    turns = np.lexsort((keys[:, 1], keys[:, 0]))
    before = lengths[turns].cumsum() - lengths[turns]  # how many are read before a shard's turn
    return np.arange(len(shards)) + np.repeat(starts[turns] - before, lengths[turns])


def through_buffer(seed: int, epoch: int, read: npt.NDArray[np.int64], buffer: int) -> npt.NDArray[np.int64]:
    """Shuffle what is read in some order by holding back at most `buffer` of it at a time.

    What is read as the i-th comes when all before the (i + u)-th have been read, u being its random number in
    [0, buffer).

    Args:
        seed: The run's.
        epoch: 0 and up.
        read: Indices in the order in which they are read, int64 of shape (N,).
        buffer: How many may be held back, at least 1; 1 changes nothing.

    Returns:
        The same indices in the order in which they come.
    """
    held = uniform(seed, epoch, read, 1, Stream.ORDER)[:, 0] * buffer
    return read[np.argsort(np.arange(len(read)) + held, kind="stable")]


def balanced(
    seed: int, epoch: int, labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """An epoch in which every class comes equally often, as many pictures in all as there are.

    Of N pictures of K classes, each class has N / K places, rounded down or up; the epochs take turns in which classes
    are rounded up. A class's pictures come in an order of the epoch's own, over and over until its places are filled:
    no picture comes a second time before all others of its class have come.

    Args:
        seed: The run's.
        epoch: 0 and up.
        labels: int64 of shape (N,); classes without pictures have no places.

    Returns:
        Indices of pictures, int64 of shape (N,), shuffled, and how often each had come in this epoch before.
    """
    keys = uniform(seed, epoch, np.arange(len(labels), dtype=np.int64), 2, Stream.BALANCE)
    order = np.lexsort((keys[:, 1], keys[:, 0], labels))  # class by class, shuffled within each
    present, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    turn = (np.arange(len(present)) - epoch) % len(present)
    places = len(labels) // len(present) + (turn < len(labels) % len(present))
    number = np.arange(len(labels)) - np.repeat(places.cumsum() - places, places)  # of a place within its class
    repeats, at = np.divmod(number, np.repeat(counts, places))
    indices = order[np.repeat(starts, places) + at]
    shuffle = shuffled(seed, epoch, len(labels))
    return indices[shuffle], repeats[shuffle]
