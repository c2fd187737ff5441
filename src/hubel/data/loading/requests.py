"""Which pictures the batches of an epoch have, and each one's random numbers: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from hubel.data.augmentation import Augment
from hubel.data.loading.order import Order, Turns

_BATCHES_DRAWN_AT_ONCE = 128


class Request(NamedTuple):
    """What a worker is asked for.

    Attributes:
        positions: Of the pictures in the store, int64 of shape (N,).
        draws: Each one's random numbers, float64 of shape (N, `Augment.DRAWS`).
        ahead: Positions of what will be asked for soon and lies in shards, in the order in which it lies; None: files.
    """

    positions: npt.NDArray[np.int64]
    draws: npt.NDArray[np.float64]
    ahead: npt.NDArray[np.int64] | None


class Requests(Sampler[Request]):
    """The requests for the batches of an epoch."""

    def __init__(
        self,
        order: Order,
        batch_size: int,
        augment: Augment | None,
        *,
        drop_last: bool,
    ) -> None:
        self.order, self.batch_size, self.augment = order, batch_size, augment
        self.batches = order.length // batch_size if drop_last else -(-order.length // batch_size)
        self.epoch, self.start = 0, 0

    def begin(self, epoch: int, start_batch: int) -> None:
        """Say which epoch comes next, and from which batch on."""
        self.epoch, self.start = epoch, start_batch

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[Request]:
        turns = self.order.of(self.epoch)
        for first in range(self.start, self.batches, _BATCHES_DRAWN_AT_ONCE):
            last = min(first + _BATCHES_DRAWN_AT_ONCE, self.batches)
            drawn = slice(first * self.batch_size, last * self.batch_size)
            positions = turns.positions[drawn]
            draws = np.zeros((len(positions), Augment.DRAWS))
            if self.augment is not None:  # a picture that comes again has the numbers of a further picture
                indices = positions + self.order.length * turns.repeats[drawn]
                draws = self.augment.draws(self.order.seed, self.epoch, indices)
            for batch in range(first, last):
                part = slice((batch - first) * self.batch_size, (batch - first + 1) * self.batch_size)
                yield Request(positions[part], draws[part], self._ahead(turns, batch))

    def _ahead(self, turns: Turns, batch: int) -> npt.NDArray[np.int64] | None:
        """What has to be read from shards so that this batch can come: with the first one, all that is held back."""
        if turns.read is None:
            return None
        begin, end = batch * self.batch_size, (batch + 1) * self.batch_size
        held = self.order.buffer
        return turns.read[max(0, begin - held) if batch == self.start else begin + held : end + held]
