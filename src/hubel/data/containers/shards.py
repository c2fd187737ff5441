"""The pictures in tar shards, read where they lie: one by one, or ahead in the shards' order."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.data.containers.archives import refuse_size
from hubel.data.containers.shard_index import Member, ShardIndex
from hubel.data.sources import Sample, UnusableBytes

_OPEN_AT_ONCE = 8  # shards, by each thread: in order there is one at a time, through a buffer two or three
_GAP = 2**16  # bytes between two pictures that are read over rather than jumped over


class Shards:
    """All shards of a data set; their pictures are read at their places.

    Args:
        path: The folder that the shards' names are relative to.
        indices: What lies in each shard.
        pictures: The names that pictures have in the data set, with the number of their shard and their place in it.
    """

    def __init__(self, path: Path, indices: Sequence[ShardIndex], pictures: Mapping[str, tuple[int, Member]]) -> None:
        self.path = path
        self._files = tuple(index.file for index in indices)
        self._names = sorted(pictures)
        places = [(shard, member.offset, member.size) for shard, member in map(pictures.__getitem__, self._names)]
        self._places: npt.NDArray[np.int64] = np.array(places, dtype=np.int64).reshape(-1, 3)
        self._opened = _Opened()

    def places(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """The number of each picture's shard, where its bytes begin there, and how many there are: shape (N, 3)."""
        return self._places[[bisect_left(self._names, name) for name in names]]

    def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            UnusableBytes: The shard has vanished, or was changed or cut off since it was listed; or so large a file is
                no picture.
        """
        shard, offset, size = self._places[bisect_left(self._names, name)].tolist()
        refuse_size(size, size)
        try:
            content = _read_at(self._open(shard), offset, size)
        except FileNotFoundError as error:
            raise UnusableBytes("its shard does not exist any more") from error
        except UnusableBytes:
            raise
        except OSError as error:
            raise UnusableBytes(f"its shard cannot be read ({error.strerror})") from error
        if len(content) < size:
            raise UnusableBytes("its shard is cut off")
        return content

    def read_ahead(self, names: Sequence[str]) -> None:
        """Have the system read pictures into its cache, in the shards' order, while others are decoded (POSIX)."""
        if not hasattr(os, "posix_fadvise"):
            return
        for shard, start, end in _stretches(self.places(names)):
            try:
                os.posix_fadvise(self._open(shard).fileno(), start, end - start, os.POSIX_FADV_WILLNEED)
            except OSError:  # what is wrong will be told when the picture is read
                continue

    def _open(self, shard: int) -> IO[bytes]:
        """The open file of a shard; of those that this thread has opened, the last few stay open."""
        files = self._opened.files
        if shard not in files:
            listed = self._files[shard]
            file = open(listed.name, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed when it is crowded out
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != (listed.size, listed.modified):
                file.close()
                raise UnusableBytes("its shard has changed since it was listed")
            files[shard] = file
            if len(files) > _OPEN_AT_ONCE:
                files.popitem(last=False)[1].close()
        files.move_to_end(shard)
        return files[shard]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._opened = _Opened()


class _Opened(threading.local):
    """The shards that a thread has open, the last used one last."""

    def __init__(self) -> None:
        self.files: OrderedDict[int, IO[bytes]] = OrderedDict()


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):  # a forked process shares the file's position
        return os.pread(file.fileno(), size, offset)
    file.seek(offset)
    return file.read(size)


def _stretches(places: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Shard, start and end of the stretches that places, shape (N, 3), lie in."""
    stretch: tuple[int, int, int] | None = None
    for shard, offset, size in sorted(places.tolist()):
        if stretch is not None and shard == stretch[0] and offset - stretch[2] <= _GAP:
            stretch = (shard, stretch[1], offset + size)
            continue
        if stretch is not None:
            yield stretch
        stretch = (shard, offset, offset + size)
    if stretch is not None:
        yield stretch


def in_shards(samples: Sequence[Sample]) -> bool:
    """Whether a split's pictures lie in shards."""
    return bool(samples) and isinstance(samples[0].container, Shards)


def read_ahead(samples: Sequence[Sample]) -> None:
    """Have the system read pictures that lie in shards into its cache; nothing happens for others."""
    shards = samples[0].container if samples else None
    if isinstance(shards, Shards):
        shards.read_ahead([sample.name for sample in samples])


class ReadingOrder(NamedTuple):
    """In which order pictures lie in shards.

    Attributes:
        positions: Of the pictures among their split's, in the order in which they lie, int64 of shape (N,).
        shards: The number of each one's shard, ascending, int64 of shape (N,).
    """

    positions: npt.NDArray[np.int64]
    shards: npt.NDArray[np.int64]


def reading_order(samples: Sequence[Sample]) -> ReadingOrder | None:
    """The order in which pictures lie in shards; None where they do not."""
    shards = samples[0].container if samples else None
    if not isinstance(shards, Shards):
        return None
    places = shards.places([sample.name for sample in samples])
    positions = np.lexsort((places[:, 1], places[:, 0]))
    return ReadingOrder(positions, places[positions, 0])
