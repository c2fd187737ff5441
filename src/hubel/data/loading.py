"""Batches from a store, in an order and with an augmentation that depend on seed, epoch and sample alone."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from hubel.data.augmentation import Augment
from hubel.data.randomness import balanced, shuffled
from hubel.data.store import PictureStore
from hubel.errors import DataError
from hubel.preprocessing import Preprocess
from hubel.runtime import available_cpus, one_torch_thread

_PICTURES_FOR_STATISTICS = 2000
_SMALLEST_STD = 1 / 255  # of pictures that are all of one colour
_BATCHES_DRAWN_AT_ONCE = 128
_MOST_WORKERS = 8
_BATCHES_AHEAD = 2  # per worker
_NOTHING = -1


class Batch(NamedTuple):
    """Pictures and labels.

    Attributes:
        images: uint8 of shape (N, H, W, C); `Preprocess.normalise` makes the network's input of it.
        labels: int64 of shape (N,).
        indices: int64 of shape (N,): positions in the store.
    """

    images: torch.Tensor
    labels: torch.Tensor
    indices: torch.Tensor


class Loader:
    """Gives the batches of a store, epoch by epoch.

    Args:
        store: The pictures. One for training is cropped here, one for evaluation is given as it is.
        batch_size: Pictures a batch; the last one of an epoch may have fewer.
        preprocess: Its size is the batches'.
        augment: How pictures are varied; None: the centre crop.
        seed: Of order and augmentation.
        shuffle: Whether every epoch has an order of its own; otherwise, the store's.
        balance: Whether every epoch draws from all classes equally often, in an order of its own; a picture that comes
            more than once in an epoch is varied anew each time.
        workers: Processes that load; 0: the calling one.
        drop_last: Leave out a last batch that is smaller than the others.
        pin_memory: Give batches in page-locked memory, for copies to a GPU.
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
        balance: bool = False,
        workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self.store, self.batch_size, self.drop_last = store, batch_size, drop_last
        self.preprocess, self.augment, self.seed = preprocess, augment, seed
        self.workers, self.pin_memory = workers, pin_memory
        self._requests = _Requests(
            store.labels, batch_size, augment, seed, shuffle=shuffle, balance=balance, drop_last=drop_last
        )
        self._pictures = _Pictures(store, augment or Augment.preset("none"), preprocess.size, workers)
        self._loader: DataLoader[Batch | _Failure] | None = None

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return self._requests.batches

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from `start_batch` on; the earlier ones are not loaded.

        Raises:
            DataError: A picture has changed or vanished, or a worker died; its text names the picture.
        """
        self._requests.begin(epoch, start_batch)
        if self.workers == 0:
            for request in self._requests:
                batch = _checked(self._pictures[request])
                yield Batch(*(part.pin_memory() for part in batch)) if self.pin_memory else batch
            return
        if self._loader is None:
            self._loader = self._start_workers()
        try:
            for result in self._loader:
                yield _checked(result)
        except RuntimeError as error:
            self._loader = None
            raise self.explained(error) from error

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
        return Loader(
            self.store,
            batch_size=next((size for size in sizes if len(self.store) % size != 1), self.batch_size),
            preprocess=self.preprocess,
            augment=self.augment if augmented else None,
            seed=self.seed,
            workers=self.workers,
            pin_memory=self.pin_memory,
        )

    def _start_workers(self) -> DataLoader[Batch | _Failure]:
        return DataLoader(
            self._pictures,
            batch_size=None,  # a request is for a whole batch
            sampler=self._requests,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            pin_memory=self.pin_memory,
            persistent_workers=True,
            worker_init_fn=_leave_interruptions_to_the_caller,
            prefetch_factor=_BATCHES_AHEAD,
            generator=torch.Generator(),  # or it would draw from the global one, and dropout would change
        )

    def explained(self, error: RuntimeError) -> Exception:
        """The error for a worker that died, naming what it held; any other error as it is."""
        match = re.search(r"worker \(pid(?:\(s\))? ([\d, ]+)\)", str(error))
        if match is None:
            return error
        dead = {int(pid) for pid in match[1].split(",") if pid.strip()}
        holding = [position for pid, position in self._pictures.held.tolist() if pid in dead and position != _NOTHING]
        held = [self.store.samples[position].name for position in holding]
        return DataError(
            f"a process that loads images was killed while it held {', '.join(held) or 'no picture'} "
            f"({str(error).splitlines()[0]}); it may have run out of memory: try fewer workers"
        )


def default_workers(store: PictureStore, device: torch.device) -> int:
    """How many processes pay: none for decoded pictures on a CPU, whose cores the arithmetic needs more."""
    if store.cached and device.type == "cpu":
        return 0
    return min(available_cpus(), _MOST_WORKERS)


def channel_statistics(store: PictureStore) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the pictures, or over 2,000 evenly spaced ones.

    Returns:
        Both for values in 0 to 1; each picture counts by its pixels.
    """
    positions = np.unique(np.linspace(0, len(store) - 1, min(len(store), _PICTURES_FOR_STATISTICS)).round().astype(int))
    count, total, squares = 0, np.zeros(store.channels), np.zeros(store.channels)
    values = np.arange(256)
    for position in positions:
        picture = store.array(int(position))
        count += picture.shape[0] * picture.shape[1]
        image = Image.fromarray(picture[:, :, 0] if store.channels == 1 else picture)
        histograms = np.array(image.histogram()).reshape(store.channels, 256)
        total += histograms @ values  # whole numbers: nothing is rounded
        squares += histograms @ values**2
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return (
        tuple(float(value) for value in mean / 255),
        tuple(max(float(value), _SMALLEST_STD) for value in std / 255),
    )


class _Request(NamedTuple):
    """What a worker is asked for: positions in the store, and each picture's random numbers (None: no augmentation)."""

    positions: npt.NDArray[np.int64]
    draws: npt.NDArray[np.float64]


class _Failure(NamedTuple):
    """An error's text on its way out of a worker, where the error itself would lose its kind."""

    text: str


class _Requests(Sampler[_Request]):
    """The requests for the batches of an epoch."""

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        batch_size: int,
        augment: Augment | None,
        seed: int,
        *,
        shuffle: bool,
        balance: bool,
        drop_last: bool,
    ) -> None:
        self.labels, self.batch_size, self.augment, self.seed = labels, batch_size, augment, seed
        self.shuffle, self.balance = shuffle, balance
        self.batches = len(labels) // batch_size if drop_last else -(-len(labels) // batch_size)
        self.epoch, self.start = 0, 0

    def begin(self, epoch: int, start_batch: int) -> None:
        """Say which epoch comes next, and from which batch on."""
        self.epoch, self.start = epoch, start_batch

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[_Request]:
        epoch, length = self.epoch, len(self.labels)
        order, repeats = np.arange(length), np.zeros(length, dtype=np.int64)
        if self.balance:
            order, repeats = balanced(self.seed, epoch, self.labels)
        elif self.shuffle:
            order = shuffled(self.seed, epoch, length)
        for first in range(self.start, self.batches, _BATCHES_DRAWN_AT_ONCE):
            last = min(first + _BATCHES_DRAWN_AT_ONCE, self.batches)
            drawn = slice(first * self.batch_size, last * self.batch_size)
            positions = order[drawn]
            draws = np.zeros((len(positions), Augment.DRAWS))
            if self.augment is not None:  # a picture that comes again has the numbers of a further picture
                draws = self.augment.draws(self.seed, epoch, positions + length * repeats[drawn])
            for start in range(0, len(positions), self.batch_size):
                part = slice(start, start + self.batch_size)
                yield _Request(positions[part], draws[part])


class _Pictures(Dataset["Batch | _Failure"]):
    """Loads what a request asks for; lives in every worker.

    Attributes:
        held: int64 of shape (workers, 2), shared by all processes: each worker's process and the position of the
            picture that it is loading, -1 between batches.
    """

    def __init__(self, store: PictureStore, augment: Augment, size: tuple[int, int], workers: int) -> None:
        self.store, self.augment, self.size = store, augment, size
        self.held = torch.zeros((workers, 2), dtype=torch.int64)
        self.held.share_memory_()  # type: ignore[no-untyped-call]
        self._block = store.block() if augment.scale is None else None

    def __getitem__(self, request: _Request) -> Batch | _Failure:
        with one_torch_thread():
            return self._load(request)

    def _load(self, request: _Request) -> Batch | _Failure:
        positions = request.positions
        self._hold(int(positions[0]))
        try:
            if self._block is not None:
                images = self.augment.block(self._block[positions], request.draws, self.size)
            else:
                pictures = [self._array(int(position)) for position in positions]
                images = self.augment.batch(pictures, request.draws, self.size)
        except DataError as error:
            return _Failure(str(error))
        finally:
            self._hold(_NOTHING)
        return Batch(
            torch.from_numpy(images), torch.from_numpy(self.store.labels[positions]), torch.from_numpy(positions)
        )

    def _array(self, position: int) -> npt.NDArray[np.uint8]:
        self._hold(position)
        return self.store.array(position)

    def _hold(self, position: int) -> None:
        worker = torch.utils.data.get_worker_info()
        if worker is not None:
            self.held[worker.id, 0], self.held[worker.id, 1] = os.getpid(), position

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_block": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._block = self.store.block() if self.augment.scale is None else None


def _leave_interruptions_to_the_caller(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the calling one decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _checked(result: Batch | _Failure) -> Batch:
    if isinstance(result, _Failure):
        raise DataError(result.text)
    return result


def _as_it_is(result: Any) -> Any:
    return result
