"""Files of the cache: written whole or not at all, locked while they are in use, deleted when room is needed.

A file in use is locked (flock), so that nobody evicts it; the lock ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

FREE_DISK_KEPT = 2**28  # bytes that the cache leaves to everybody else

_TEMPORARY_SUFFIX = ".tmp"
_ATTEMPTS = 5  # at a locked file; the last is taken as it is, for some network file systems know no locks


class MappedBytes:
    """A file as one flat, read-only uint8 array; it is locked against eviction while this lives."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        lock(self._file, exclusive=False)
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self.array: npt.NDArray[np.uint8] = np.frombuffer(self._map, dtype=np.uint8)

    def read(self, start: int, count: int) -> npt.NDArray[np.uint8] | None:
        """Some bytes, read rather than mapped where the system can: mapped pages count as a process's memory.

        Returns:
            None where the file does not give them (any more).
        """
        if not hasattr(os, "pread"):
            return self.array[start : start + count]
        try:
            content = np.frombuffer(os.pread(self._file.fileno(), count, start), dtype=np.uint8)
        except OSError:
            return None
        return content if len(content) == count else None

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


@contextlib.contextmanager
def writing(path: Path) -> Generator[tuple[Path, IO[bytes]]]:
    """A file that appears under its name, and replaces what was there, when all of it is on the disk.

    Yields:
        The path that it has until then, and the file, open and locked.

    Raises:
        OSError: The disk is full, the folder cannot be written, ...
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, file = _locked_temporary(path)
    try:
        with file:
            yield temporary, file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                temporary.replace(path)  # while it is locked, or who tidies up would take it for one that was left
        if fcntl is None:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _locked_temporary(path: Path) -> tuple[Path, IO[bytes]]:
    """A new file beside another one, open and locked where the file system has locks.

    Before it is locked, another process that tidies up may hold it, and delete it.
    """
    for attempt in range(_ATTEMPTS):
        handle, name = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=_TEMPORARY_SUFFIX, dir=path.parent)
        temporary, file = Path(name), os.fdopen(handle, "wb")
        if (lock(file, exclusive=True) and temporary.exists()) or attempt == _ATTEMPTS - 1:
            break
        file.close()
        temporary.unlink(missing_ok=True)
    return temporary, file


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


def mark_used(path: Path) -> None:
    """Mark a file as just used."""
    with contextlib.suppress(OSError):  # a read-only cache still serves
        os.utime(path)


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
                path.unlink(missing_ok=True)  # while it is locked: later, another file may have its name
        if fcntl is None:
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
