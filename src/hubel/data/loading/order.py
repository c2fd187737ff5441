"""In which order an epoch has the pictures of a split: a function of seed and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.data.containers.shards import ReadingOrder
from hubel.data.randomness import balanced, in_turn, shuffled, through_buffer


class Turns(NamedTuple):
    """The pictures of an epoch.

    Attributes:
        positions: Of the pictures in their store, in the order in which they come, int64 of shape (N,).
        repeats: How often each of them has come in this epoch before, int64 of shape (N,).
        read: Positions in the order in which the disk is read, where that is another one; else None.
    """

    positions: npt.NDArray[np.int64]
    repeats: npt.NDArray[np.int64]
    read: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Order:
    """How the pictures of a split are ordered.

    Attributes:
        length: How many there are.
        seed: The run's.
        shuffle: Whether every epoch has an order of its own; otherwise, it is that of the store.
        balance: int64 of shape (N,): the group of each picture; every epoch then has all groups equally often, in an
            order of its own. None: every picture once.
        reading: How the pictures lie in shards; such are shuffled as they are read. None: they are files.
        buffer: How many pictures are held back for that.
    """

    length: int
    seed: int
    shuffle: bool = False
    balance: npt.NDArray[np.int64] | None = None
    reading: ReadingOrder | None = None
    buffer: int = 1

    @property
    def stays(self) -> bool:
        """Whether all epochs have the store's own order."""
        return not self.shuffle and self.balance is None

    def of(self, epoch: int) -> Turns:
        """The pictures of an epoch."""
        once = np.zeros(self.length, dtype=np.int64)
        if self.balance is not None:
            return Turns(*balanced(self.seed, epoch, self.balance))
        if not self.shuffle:
            return Turns(np.arange(self.length), once)
        if self.reading is None:
            return Turns(shuffled(self.seed, epoch, self.length), once)
        read = in_turn(self.seed, epoch, self.reading.shards)
        order = through_buffer(self.seed, epoch, read, self.buffer)
        return Turns(self.reading.positions[order], once, self.reading.positions[read])
