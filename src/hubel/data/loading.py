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

from hubel.data.augmentation import Augment, Packed
from hubel.data.decoding import UnreadableImage
from hubel.data.order import Order, Turns
from hubel.data.shards import read_ahead, reading_order
from hubel.data.store import PictureStore, Unreadable, refuse_share
from hubel.errors import DataError
from hubel.preprocessing import Preprocess
from hubel.runtime import available_cpus, one_torch_thread

_PICTURES_FOR_STATISTICS = 2000
_SMALLEST_STD = 1 / 255  # of pictures that are all of one colour
_BATCHES_DRAWN_AT_ONCE = 128
_MOST_WORKERS = 8
_BATCHES_AHEAD = 2  # per worker
_NOTHING = -1
_GREY = 128  # of the picture that stands in for one that is lost where the order must stay


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
        balance: int64 of shape (N,): the group of each picture, such as its class; every epoch then draws from all
            groups equally often, in an order of its own; a picture that comes more than once in an epoch is varied
            anew each time. None: every picture once.
        workers: Processes that load; 0: the calling one.
        drop_last: Leave out a last batch that is smaller than the others.
        pin_memory: Give batches in page-locked memory, for copies to a GPU.
        augment_on: Where pictures are varied, a batch at once, and batches are given; None: where they are loaded, each
            by itself. Pictures differ by what is rounded, see `hubel.data.augmentation.on_device`.
        max_unreadable: Greatest share of pictures that may get lost while they are loaded (a batch may in any case).
        shuffle_buffer: Through how many pictures tar shards are shuffled, which are read from front to back.

    A picture that could be read before and cannot any more (its file has vanished, or was cut off) does not end an
    epoch. In a shuffled or balanced one, the next picture of the batch comes in its place, a second time; in the
    store's order, where everybody counts on all of them, a grey picture does, and `without_lost` takes it out again.
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
        self.workers, self.pin_memory, self.max_unreadable = workers, pin_memory, max_unreadable
        self.augment_on = augment_on
        order = Order(len(store), seed, shuffle, balance, reading_order(store.samples), shuffle_buffer)
        self._requests = _Requests(order, batch_size, augment, drop_last=drop_last)
        self._pictures = _Pictures(
            store,
            augment or Augment.preset("none"),
            preprocess.size,
            workers,
            in_order=order.stays,
            pack=augment_on is not None,
        )
        self._loader: DataLoader[_Loaded | _Failure] | None = None
        self._lost: dict[int, str] = {}  # reasons by position
        self._told = 0

    @property
    def lost(self) -> tuple[Unreadable, ...]:
        """The pictures that could not be read (any more), in the order in which that was found."""
        return tuple(Unreadable(self.store.samples[position], reason) for position, reason in self._lost.items())

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

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from `start_batch` on; the earlier ones are not loaded.

        Raises:
            DataError: Too many pictures have been lost, all of a batch, or a worker died; its text names pictures.
        """
        self._requests.begin(epoch, start_batch)
        if self.workers == 0:
            for request in self._requests:
                batch = self._checked(self._pictures[request])
                pin = self.pin_memory and self.augment_on is None
                yield Batch(*(part.pin_memory() for part in batch)) if pin else batch
            return
        if self._loader is None:
            self._loader = self._start_workers()
        try:
            for result in self._loader:
                yield self._checked(result)
        except RuntimeError as error:
            self._loader = None
            raise self.explained(error) from error

    def _checked(self, result: _Loaded | _Failure) -> Batch:
        """The batch that came, unless that has lost too many pictures."""
        if isinstance(result, _Failure):
            raise DataError(result.text)
        if result.lost:
            self._lost.update(result.lost)
            if len(self._lost) > self.batch_size:
                refuse_share(self.lost, len(self.store), self.max_unreadable)
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

    def _start_workers(self) -> DataLoader[_Loaded | _Failure]:
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
        Both for values in 0 to 1; each picture counts by its pixels, one that cannot be read does not.

    Raises:
        DataError: None of them can be read.
    """
    positions = np.unique(np.linspace(0, len(store) - 1, min(len(store), _PICTURES_FOR_STATISTICS)).round().astype(int))
    count, total, squares = 0, np.zeros(store.channels), np.zeros(store.channels)
    values, last = np.arange(256), None
    for position in positions:
        try:
            picture = store.array(int(position))
        except UnreadableImage as error:
            last = error
            continue
        count += picture.shape[0] * picture.shape[1]
        image = Image.fromarray(picture[:, :, 0] if store.channels == 1 else picture)
        histograms = np.array(image.histogram()).reshape(store.channels, 256)
        total += histograms @ values  # whole numbers: nothing is rounded
        squares += histograms @ values**2
    if last is not None and not count:
        raise last
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return (
        tuple(float(value) for value in mean / 255),
        tuple(max(float(value), _SMALLEST_STD) for value in std / 255),
    )


class _Request(NamedTuple):
    """What a worker is asked for.

    Attributes:
        positions: Of the pictures in the store, int64 of shape (N,).
        draws: Each one's random numbers, float64 of shape (N, `Augment.DRAWS`).
        ahead: Positions of what will be asked for soon and lies in shards, in the order in which it lies; None: files.
    """

    positions: npt.NDArray[np.int64]
    draws: npt.NDArray[np.float64]
    ahead: npt.NDArray[np.int64] | None


class _Loaded(NamedTuple):
    """What a worker answers.

    Attributes:
        batch: Its images are empty where they are packed.
        lost: Why pictures of it that could not be read could not, by position.
        packed: The pictures before they are varied, where that is done elsewhere.
    """

    batch: Batch
    lost: dict[int, str]
    packed: Packed | None


class _Failure(NamedTuple):
    """An error's text on its way out of a worker, where the error itself would lose its kind."""

    text: str


class _Requests(Sampler[_Request]):
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

    def __iter__(self) -> Iterator[_Request]:
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
                yield _Request(positions[part], draws[part], self._ahead(turns, batch))

    def _ahead(self, turns: Turns, batch: int) -> npt.NDArray[np.int64] | None:
        """What has to be read from shards so that this batch can come: with the first one, all that is held back."""
        if turns.read is None:
            return None
        begin, end = batch * self.batch_size, (batch + 1) * self.batch_size
        held = self.order.buffer
        return turns.read[max(0, begin - held) if batch == self.start else begin + held : end + held]


class _Pictures(Dataset["_Loaded | _Failure"]):
    """Loads what a request asks for; lives in every worker.

    Attributes:
        held: int64 of shape (workers, 2), shared by all processes: each worker's process and the position of the
            picture that it is loading, -1 between batches.
    """

    def __init__(
        self,
        store: PictureStore,
        augment: Augment,
        size: tuple[int, int],
        workers: int,
        *,
        in_order: bool,
        pack: bool,
    ) -> None:
        self.store, self.augment, self.size, self.in_order, self.pack = store, augment, size, in_order, pack
        self.held = torch.zeros((workers, 2), dtype=torch.int64)
        self.held.share_memory_()  # type: ignore[no-untyped-call]
        self._block = self._find_block()

    def __getitem__(self, request: _Request) -> _Loaded | _Failure:
        with one_torch_thread():
            return self._load(request)

    def _load(self, request: _Request) -> _Loaded | _Failure:
        positions, lost = request.positions, dict[int, str]()
        images, packed = np.empty(0, dtype=np.uint8), None
        self._hold(int(positions[0]))
        if request.ahead is not None and not self.store.cached:
            read_ahead([self.store.samples[position] for position in request.ahead.tolist()])
        try:
            if self._block is not None:
                images = self.augment.block(self._block[positions], request.draws, self.size)
            else:
                pictures, positions = self._read(positions, lost)
                if self.pack:
                    packed = self.augment.packed(pictures, request.draws, self.size)
                else:
                    images = self.augment.batch(pictures, request.draws, self.size)
        except DataError as error:
            return _Failure(str(error))
        finally:
            self._hold(_NOTHING)
        labels = torch.from_numpy(self.store.labels[positions])
        return _Loaded(Batch(torch.from_numpy(images), labels, torch.from_numpy(positions)), lost, packed)

    def _read(
        self, positions: npt.NDArray[np.int64], lost: dict[int, str]
    ) -> tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.int64]]:
        """The pictures at some positions, and the positions that they are of; what cannot be read is put into `lost`.

        Raises:
            DataError: None of them can be read.
        """
        read: dict[int, npt.NDArray[np.uint8]] = {}
        for position in positions.tolist():
            self._hold(position)
            try:
                if position not in read and position not in lost:
                    read[position] = self.store.array(position)
            except UnreadableImage as error:
                lost[position] = error.reason
        if not lost:
            return [read[position] for position in positions.tolist()], positions
        if not read:
            first = self.store.samples[int(positions[0])]
            raise DataError(
                f"none of the {len(positions)} pictures of a batch can be read any more, such as {first.location} "
                f"({lost[int(positions[0])]}): is the disk that has them still there?"
            )
        if self.in_order:
            grey = np.full((*self.size, self.store.channels), _GREY, dtype=np.uint8)
            return [read.get(position, grey) for position in positions.tolist()], positions
        round_about = positions.tolist() * 2
        taken = [next(position for position in round_about[at:] if position in read) for at in range(len(positions))]
        return [read[position] for position in taken], np.array(taken)

    def _hold(self, position: int) -> None:
        worker = torch.utils.data.get_worker_info()
        if worker is not None:
            self.held[worker.id, 0], self.held[worker.id, 1] = os.getpid(), position

    def _find_block(self) -> npt.NDArray[np.uint8] | None:
        """All pictures as one array, where that is of use."""
        return None if self.pack or self.augment.scale is not None else self.store.block()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_block": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._block = self._find_block()


def _leave_interruptions_to_the_caller(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the calling one decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_it_is(result: Any) -> Any:
    return result
