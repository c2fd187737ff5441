"""The file that decoded pictures lie in: uint8 pixels in any order, then an index, written whole or not at all.

Layout: the pixels of every picture (height × width × channels bytes each, an unreadable one has none) in the order in
which they were decoded; the index: int64 places where pictures begin, of shape (pictures,), int32 heights and widths,
(pictures, 2), then JSON with the channels and the unreadable pictures; the footer: the lengths of the three in bytes
and a magic word. A file in use is locked (flock), so that nobody evicts it; the lock ends with the process, however
that ends.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import multiprocessing
import multiprocessing.dummy
import os
import struct
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

_SUFFIX, _TEMPORARY_SUFFIX = ".pictures", ".tmp"
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


class MappedPixels:
    """The pixels of a file as one flat, read-only uint8 array; the file is locked against eviction while this lives."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        lock(self._file, exclusive=False)
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self.pixels: npt.NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)

    def read(self, start: int, count: int) -> npt.NDArray[np.uint8] | None:
        """Some pixels, read rather than mapped where the system can: mapped pages count as a process's memory.

        Returns:
            None where the file does not give them (any more).
        """
        if not hasattr(os, "pread"):
            return self.pixels[start : start + count]
        try:
            pixels = np.frombuffer(os.pread(self._file.fileno(), count, start), dtype=np.uint8)
        except OSError:
            return None
        return pixels if len(pixels) == count else None

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


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
        with contextlib.suppress(OSError):  # a read-only cache still serves
            os.utime(path)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    starts: list[npt.NDArray[np.int64]] = []
    shapes: list[tuple[int, int]] = []
    unreadable: dict[int, str] = {}
    handle, name = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=_TEMPORARY_SUFFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file, ThreadPoolExecutor(1) as flusher:
            lock(file, exclusive=True)
            space = Space(Path(name), file, most_bytes, processes=processes)
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
            file.flush()
            for flush in flushes:
                flush.result()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return index


def _packed(index: Index) -> bytes:
    """An index with its footer, as it lies behind the pixels."""
    content = json.dumps({"channels": index.channels, "unreadable": index.unreadable}).encode()
    parts = index.starts.astype("<i8").tobytes(), index.shapes.astype("<i4").tobytes(), content
    return b"".join(parts) + _FOOTER.pack(*map(len, parts), _MAGIC)


def make_room(folder: Path, needed: int, limit: int) -> int:
    """Delete what was least recently used, and what killed processes left, until `needed` bytes fit into `limit`.

    Files that any process has open stay. If they leave too little room, nothing is deleted.

    Returns:
        How many bytes may be written now; less than `needed` if they do not fit.
    """
    if not folder.is_dir():
        return limit
    for temporary in folder.glob(f"*{_TEMPORARY_SUFFIX}"):
        _delete_unused(temporary)
    sizes: dict[Path, int] = {}
    last_use: dict[Path, int] = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process evicts, too
            status = path.stat()
            sizes[path], last_use[path] = status.st_size, status.st_mtime_ns
    kept = sum(sizes.values())
    idle = sorted((path for path in sizes if _is_unused(path)), key=lambda path: last_use[path])
    if kept - sum(sizes[path] for path in idle) + needed > limit:
        return limit - kept
    for path in idle:
        if kept + needed <= limit:
            break
        if _delete_unused(path):
            kept -= sizes[path]
    return limit - kept


def _is_unused(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return lock(file, exclusive=True)
    except OSError:
        return False


def _delete_unused(path: Path) -> bool:
    """Delete a file unless a process holds it; returns whether it is gone."""
    try:
        with path.open("rb") as file:
            if not lock(file, exclusive=True):
                return False
            if fcntl is not None:
                path.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def lock(file: IO[bytes], *, exclusive: bool) -> bool:
    """Lock an open file until it is closed; returns whether that was possible without waiting."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
