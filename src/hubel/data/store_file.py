"""The file that decoded pictures lie in: uint8 pixels one after the other, then an index, written whole or not at all.

Layout: the pixels of every picture (height × width × channels bytes each, an unreadable one has none); the index:
int32 heights and widths of shape (pictures, 2), then JSON with the channels and the unreadable pictures; the footer:
the lengths of both in bytes and a magic word. A file in use is locked (flock), so that nobody evicts it; the lock
ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

_SUFFIX, _TEMPORARY_SUFFIX = ".pictures", ".tmp"
_MAGIC = b"hubel pictures 1"
_FOOTER = struct.Struct("<QQ16s")  # bytes of the shapes, bytes of the JSON, magic word
_FLUSH_EVERY = 2**26  # bytes


class DoesNotFitError(Exception):
    """The pictures need more bytes than they may take."""


@dataclass(frozen=True)
class Index:
    """What a file of pictures holds.

    Attributes:
        shapes: int32 of shape (pictures, 2): heights and widths in pixels; 0 × 0 for an unreadable picture.
        channels: Bytes per pixel.
        unreadable: Reasons by position.
    """

    shapes: npt.NDArray[np.int32]
    channels: int
    unreadable: Mapping[int, str]

    def offsets(self) -> npt.NDArray[np.int64]:
        """Where each picture begins, and at the end where the last one ends, in bytes: shape (pictures + 1,)."""
        sizes = self.shapes.astype(np.int64).prod(axis=1) * self.channels
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


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
            shapes_length, json_length, magic = _FOOTER.unpack(file.read())
            if magic != _MAGIC or shapes_length + json_length > end:
                return None
            file.seek(end - shapes_length - json_length)
            shapes = np.frombuffer(file.read(shapes_length), dtype="<i4").reshape(-1, 2).astype(np.int32)
            content = json.loads(file.read(json_length))
        index = Index(shapes, content["channels"], {int(at): why for at, why in content["unreadable"].items()})
        if index.offsets()[-1] + shapes_length + json_length != end:
            return None
        with contextlib.suppress(OSError):  # a read-only cache still serves
            os.utime(path)
        return index
    except (OSError, ValueError, KeyError, struct.error):
        return None


def write_pictures(
    path: Path, pictures: Iterable[npt.NDArray[np.uint8] | str], channels: int, *, most_bytes: int
) -> Index:
    """Write pictures as they come; the file appears under its name when all are on the disk.

    Args:
        path: The file; what was there before is replaced.
        pictures: uint8 arrays (H, W, channels), or the reason why one is unreadable.
        channels: Of every picture.
        most_bytes: How many bytes the pixels may take.

    Raises:
        DoesNotFitError: They take more.
        OSError: The disk is full, the folder cannot be written, ...
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes: list[tuple[int, int]] = []
    unreadable: dict[int, str] = {}
    handle, name = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=_TEMPORARY_SUFFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file, ThreadPoolExecutor(1) as flusher:
            lock(file, exclusive=True)
            written = flushed = 0
            flushes: list[Future[None]] = []
            for picture in pictures:
                if isinstance(picture, str):
                    unreadable[len(shapes)] = picture
                    shapes.append((0, 0))
                    continue
                shapes.append((picture.shape[0], picture.shape[1]))
                written += picture.nbytes
                if written > most_bytes:
                    raise DoesNotFitError
                file.write(np.ascontiguousarray(picture).data)
                if written - flushed >= _FLUSH_EVERY:  # while the next ones are decoded
                    flushes.append(flusher.submit(os.fsync, file.fileno()))
                    flushed = written
            index = Index(np.array(shapes, dtype=np.int32).reshape(-1, 2), channels, unreadable)
            shape_bytes = index.shapes.astype("<i4").tobytes()
            content = json.dumps({"channels": channels, "unreadable": unreadable}).encode()
            file.write(shape_bytes + content + _FOOTER.pack(len(shape_bytes), len(content), _MAGIC))
            file.flush()
            for flush in flushes:
                flush.result()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return index


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
