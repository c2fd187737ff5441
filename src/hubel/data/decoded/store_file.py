"""The file that decoded pictures lie in: uint8 pixels in any order, then an index, written whole or not at all.

Layout: the pixels of every picture (height × width × channels bytes each, an unreadable one has none) in the order in
which they were decoded; the index: int64 places where pictures begin, of shape (pictures,), int32 heights and widths,
(pictures, 2), then JSON with the channels and the unreadable pictures; the footer: the lengths of the three in bytes
and a magic word.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.dummy
import os
import struct
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from hubel.data.files.cache import mark_used, writing

_SUFFIX = ".pictures"
_MAGIC = b"hubel pictures 2"
_FOOTER = struct.Struct("<QQQ16s")  # bytes of the places, of the shapes and of the JSON, magic word
_FLUSH_EVERY = 2**26  # bytes


class DoesNotFitError(Exception):
    """The pictures need more bytes than they may take."""


@dataclass(frozen=True)
class Index:
    """What a file of pictures holds.

    Attributes:
        starts: int64 of shape (pictures,): where each picture begins, in bytes.
        shapes: int32 of shape (pictures, 2): heights and widths in pixels; 0 × 0 for an unreadable picture.
        channels: Bytes per pixel.
        unreadable: Reasons by position.
    """

    starts: npt.NDArray[np.int64]
    shapes: npt.NDArray[np.int32]
    channels: int
    unreadable: Mapping[int, str]

    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each picture."""
        return sizes_of(self.shapes, self.channels)


def sizes_of(shapes: npt.ArrayLike, channels: int) -> npt.NDArray[np.int64]:
    """Bytes of pictures by their shapes (pictures, 2)."""
    sizes: npt.NDArray[np.int64] = np.asarray(shapes, dtype=np.int64).reshape(-1, 2).prod(axis=1) * channels
    return sizes


def path_of(folder: Path, key: str) -> Path:
    """Where the pictures with this key lie in the cache's folder."""
    return folder / f"{key}{_SUFFIX}"


def read_index(path: Path) -> Index | None:
    """Read what a file holds, and mark it as just used; None if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            end = file.seek(-_FOOTER.size, os.SEEK_END)
            *lengths, magic = _FOOTER.unpack(file.read())
            if magic != _MAGIC or sum(lengths) > end:
                return None
            file.seek(end - sum(lengths))
            starts = np.frombuffer(file.read(lengths[0]), dtype="<i8").astype(np.int64)
            shapes = np.frombuffer(file.read(lengths[1]), dtype="<i4").reshape(-1, 2).astype(np.int32)
            content = json.loads(file.read(lengths[2]))
        unreadable = {int(position): reason for position, reason in content["unreadable"].items()}
        index = Index(starts, shapes, content["channels"], unreadable)
        if len(starts) != len(shapes) or index.sizes().sum() + sum(lengths) != end:
            return None
        mark_used(path)
        return index
    except (OSError, ValueError, KeyError, struct.error):
        return None


class Stretch(NamedTuple):
    """Pictures that lie one after the other in a file.

    Attributes:
        shapes: Heights and widths; 0 and 0 for an unreadable picture.
        reasons: Why a picture is unreadable, by its number among these.
        start: Where the first one begins.
    """

    shapes: Sequence[tuple[int, int]]
    reasons: Mapping[int, str]
    start: int


class Space:
    """Where threads or processes write pictures side by side: each takes the next bytes of one file.

    Args:
        path: The file.
        file: The same, open and locked.
        most_bytes: How many it may take.
        processes: Whether processes write, which are forked from this one; otherwise, threads.
    """

    def __init__(self, path: Path, file: IO[bytes], most_bytes: int, *, processes: bool) -> None:
        self._path, self._file, self._most_bytes = path, file, most_bytes
        context = multiprocessing if processes else multiprocessing.dummy
        self._lock, self._taken = context.Lock(), context.Value("q", 0)

    @property
    def taken(self) -> int:
        """How many bytes are taken."""
        return int(self._taken.value)

    def write(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> int:
        """Write pictures one after the other.

        Returns:
            Where the first one begins.

        Raises:
            DoesNotFitError: They need more bytes than there are left.
            OSError: They cannot be written.
        """
        with self._lock:
            start = self.taken
            self._taken.value = start + sum(picture.nbytes for picture in pictures)
            if self.taken > self._most_bytes:
                raise DoesNotFitError
        with self._path.open("r+b") as file:
            file.seek(start)
            for picture in pictures:
                file.write(np.ascontiguousarray(picture).data)
        return start

    def leave_lock_to_the_caller(self) -> None:
        """Let the lock end with the process that has taken it; called in those that are forked from it."""
        self._file.close()


def write_pictures(
    path: Path,
    fill: Callable[[Space], Generator[Stretch]],
    channels: int,
    *,
    most_bytes: int,
    processes: bool = False,
) -> Index:
    """Write pictures as they come; the file appears under its name when all are on the disk.

    Args:
        path: The file; what was there before is replaced.
        fill: Writes uint8 arrays (H, W, channels) into the space that it is given, and tells what lies where, in the
            pictures' order.
        channels: Of every picture.
        most_bytes: How many bytes the pixels may take.
        processes: Whether `fill` lets forked processes write; otherwise, threads.

    Raises:
        DoesNotFitError: They take more.
        OSError: The disk is full, the folder cannot be written, ...
    """
    starts: list[npt.NDArray[np.int64]] = []
    shapes: list[tuple[int, int]] = []
    unreadable: dict[int, str] = {}
    with writing(path) as (temporary, file), ThreadPoolExecutor(1) as flusher:
        space = Space(temporary, file, most_bytes, processes=processes)
        flushes: list[Future[None]] = []
        flushed = 0
        with contextlib.closing(fill(space)) as stretches:
            for stretch in stretches:
                unreadable |= {len(shapes) + number: reason for number, reason in stretch.reasons.items()}
                sizes = sizes_of(stretch.shapes, channels)
                starts.append(stretch.start + np.cumsum(sizes) - sizes)
                shapes += stretch.shapes
                if space.taken - flushed >= _FLUSH_EVERY:  # while the next ones are decoded
                    flushed = space.taken
                    flushes.append(flusher.submit(os.fsync, file.fileno()))
        index = Index(np.concatenate(starts), np.array(shapes, dtype=np.int32), channels, unreadable)
        file.seek(space.taken)
        file.write(_packed(index))
        for flush in flushes:
            flush.result()
    return index


def _packed(index: Index) -> bytes:
    """An index with its footer, as it lies behind the pixels."""
    content = json.dumps({"channels": index.channels, "unreadable": index.unreadable}).encode()
    parts = index.starts.astype("<i8").tobytes(), index.shapes.astype("<i4").tobytes(), content
    return b"".join(parts) + _FOOTER.pack(*map(len, parts), _MAGIC)
