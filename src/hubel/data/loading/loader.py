"""Batches from a store, in an order and with an augmentation that depend on seed, epoch and sample alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from hubel.data.augmentation import Augment
from hubel.data.containers.shards import reading_order
from hubel.data.decoded.store import PictureStore, Unreadable, refuse_share
from hubel.data.loading.batch_maker import BatchMaker, Failure, Loaded
from hubel.data.loading.order import Order
from hubel.data.loading.requests import Requests
from hubel.data.targets import Batch, are_dense
from hubel.data.workers import as_it_is, leave_interruptions_to_the_caller, started
from hubel.errors import DataError
from hubel.preprocessing import Preprocess
from hubel.runtime import available_cpus

_MOST_WORKERS = 8
_BATCHES_AHEAD = 2  # per worker


class Loader:
    """Gives the batches of a store, epoch by epoch.

    Args:
        store: The pictures. One for training is cropped here, one for evaluation is given as it is.
        batch_size: Pictures a batch; the last one of an epoch may have fewer.
        preprocess: Its size is the batches'.
        augment: How pictures are varied; None: the centre crop.
        seed: Of order and augmentation.
        shuffle: Whether every epoch has an order of its own; otherwise, the store's.
        balance: int64 of shape (N,): the group of each picture, such as its class; every epoch then draws from all
            groups equally often, in an order of its own; a picture that comes more than once in an epoch is varied
            anew each time. None: every picture once.
        workers: Processes that load; 0: the calling one, as always where that may have no processes of its own (one of
            `multiprocessing.Pool`).
        drop_last: Leave out a last batch that is smaller than the others.
        pin_memory: Give batches in page-locked memory, for copies to a GPU.
        augment_on: Where pictures are varied, a batch at once, and batches are given; None: where they are loaded, each
            by itself, as those always are whose boxes or masks move along. Pictures differ by what is rounded, see
            `hubel.data.augmentation.on_device`.
        max_unreadable: Greatest share of pictures that may get lost while they are loaded (a batch may in any case).
        shuffle_buffer: Through how many pictures tar shards are shuffled, which are read from front to back.

    A picture that could be read before and cannot any more (its file has vanished, or was cut off) does not end an
    epoch. In a shuffled or balanced one, the next picture of the batch comes in its place, a second time; in the
    store's order, where everybody counts on all of them, a grey picture does, and `without_lost` takes it out again.

    The processes stay for the next epoch, until `close` or until nobody refers to the loader.
    """

    def __init__(
        self,
        store: PictureStore,
        *,
        batch_size: int,
        preprocess: Preprocess,
        augment: Augment | None = None,
        seed: int = 0,
        shuffle: bool = False,
        balance: npt.NDArray[np.int64] | None = None,
        workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
        augment_on: torch.device | None = None,
        max_unreadable: float = 0.01,
        shuffle_buffer: int = 5000,
    ) -> None:
        self.store, self.batch_size, self.drop_last = store, batch_size, drop_last
        self.preprocess, self.augment, self.seed = preprocess, augment, seed
        if multiprocessing.current_process().daemon:
            workers = 0
        self.workers, self.pin_memory, self.max_unreadable = workers, pin_memory, max_unreadable
        self.augment_on = None if are_dense(store.labelling) else augment_on
        order = Order(len(store), seed, shuffle, balance, reading_order(store.samples), shuffle_buffer)
        self._requests = Requests(order, batch_size, augment, drop_last=drop_last)
        self._maker = BatchMaker(
            store,
            augment or Augment.preset("none"),
            preprocess.size,
            workers,
            in_order=order.stays,
            pack=self.augment_on is not None,
        )
        self._loader: DataLoader[Loaded | Failure] | None = None
        self._lost: dict[int, str] = {}  # reasons by position
        self._told = 0

    @property
    def lost(self) -> tuple[Unreadable, ...]:
        """The pictures that could not be read (any more), in the order in which that was found."""
        return tuple(Unreadable(self.store.samples[position], reason) for position, reason in self._lost.items())

    def lose(self, lost: Mapping[int, str]) -> None:
        """Count pictures as lost: the reasons by position.

        Raises:
            DataError: Too many have been lost.
        """
        self._lost.update(lost)
        if len(self._lost) > self.batch_size:
            refuse_share(self.lost, len(self.store), self.max_unreadable)

    def without_lost(self, rows: torch.Tensor) -> tuple[PictureStore, torch.Tensor]:
        """The store less the pictures that were lost, and those rows of a result (N, ...) that are of its pictures."""
        if not self._lost:
            return self.store, rows
        kept = [position for position in range(len(self.store)) if position not in self._lost]
        return self.store.without(self._lost), rows[kept]

    def newly_lost(self) -> tuple[Unreadable, ...]:
        """Those of `lost` that were not given here before."""
        new = self.lost[self._told :]
        self._told += len(new)
        return new

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return self._requests.batches

    def epoch(self, epoch: int, start_batch: int = 0) -> Generator[Batch]:
        """The batches of an epoch, from `start_batch` on; the earlier ones are not loaded.

        Raises:
            DataError: Too many pictures have been lost, all of a batch, or a worker died; its text names pictures.
        """
        self._requests.begin(epoch, start_batch)
        if self.workers == 0:
            for request in self._requests:
                batch = self._checked(self._maker[request])
                pin = self.pin_memory and self.augment_on is None
                yield batch.pinned() if pin else batch
            return
        if self._loader is None:
            self._loader = self._start_workers()
        try:
            results = started(self._loader)
        except OSError as error:
            self._loader = None
            raise DataError(
                f"{self.workers} processes that load images cannot be started ({error.strerror or error}): try fewer, "
                "--set data.workers=0"
            ) from error
        try:
            for result in results:
                yield self._checked(result)
        except RuntimeError as error:
            self._loader = None
            raise self.explained(error) from error
        except GeneratorExit:
            raise
        except BaseException:  # such as Ctrl-C, while this process waits for others
            self.close()
            raise

    def close(self) -> None:
        """End the processes that load, at once, and an epoch that is under way; a later one starts others.

        Left to whoever refers to them last, they may live long: a notebook keeps the last error with all that its
        frames hold. And where Python's search for cycles ends them, torch waits five seconds for each process, whose
        queue is then gone before the word to end.
        """
        loader, self._loader = self._loader, None
        under_way: Any = None if loader is None else loader._iterator
        if under_way is not None:
            under_way._shutdown_workers()

    def _checked(self, result: Loaded | Failure) -> Batch:
        """The batch that came, unless that has lost too many pictures."""
        if isinstance(result, Failure):
            raise DataError(result.text)
        if result.lost:
            self.lose(result.lost)
        if result.packed is None or self.augment_on is None:
            return result.batch
        return result.batch._replace(images=result.packed.vary(self.augment_on))

    def positions(self, epoch: int, start_batch: int = 0) -> Iterator[npt.NDArray[np.int64]]:
        """The positions in the store of each batch of an epoch, int64 of shape (N,); nothing is loaded."""
        self._requests.begin(epoch, start_batch)
        for request in self._requests:
            yield request.positions

    def in_order(self, *, augmented: bool) -> Loader:
        """A loader of all the same pictures in the store's order, with this one's augmentation or without any.

        No batch has a single picture where that can be helped: for one picture, libraries choose other kernels, which
        round otherwise.
        """
        sizes = range(self.batch_size, self.batch_size + len(self.store))
        loader = Loader(
            self.store,
            batch_size=next((size for size in sizes if len(self.store) % size != 1), self.batch_size),
            preprocess=self.preprocess,
            augment=self.augment if augmented else None,
            seed=self.seed,
            workers=self.workers,
            pin_memory=self.pin_memory,
            augment_on=self.augment_on,
            max_unreadable=self.max_unreadable,
        )
        loader._lost = self._lost
        return loader

    def _start_workers(self) -> DataLoader[Loaded | Failure]:
        return DataLoader(
            self._maker,
            batch_size=None,  # a request is for a whole batch
            sampler=self._requests,
            num_workers=self.workers,
            collate_fn=as_it_is,
            pin_memory=self.pin_memory,
            persistent_workers=True,
            worker_init_fn=leave_interruptions_to_the_caller,
            prefetch_factor=_BATCHES_AHEAD,
            generator=torch.Generator(),  # or it would draw from the global one, and dropout would change
        )

    def explained(self, error: RuntimeError) -> Exception:
        """The error for a worker that died, naming what it held; any other error as it is."""
        return self._maker.held.explained(error, self.store.samples)


def default_workers(store: PictureStore, device: torch.device) -> int:
    """How many processes pay: none for decoded pictures on a CPU, whose cores the arithmetic needs more."""
    if store.cached and device.type == "cpu":
        return 0
    return min(available_cpus(), _MOST_WORKERS)
