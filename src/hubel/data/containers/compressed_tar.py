"""Compressed tar archives: they can only be read from the front, so their pictures are kept in a pack."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hubel.data.containers.archives import MAX_MEMBER_BYTES, MemberNames, tar_name
from hubel.data.containers.packs import Pack, Packing, packed
from hubel.data.files.listing import is_document_name, is_image_name, is_table_name
from hubel.errors import DataError

# What a compressed file begins with, and what opens it.
_OPENERS: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
# Pictures hardly shrink: an archive that swells more than this is none of pictures.
_MOST_SWELLING, _ALWAYS_ALLOWED = 100, 2**28


def is_compressed(path: Path) -> bool:
    """Whether a file begins as a gzip, bzip2 or xz file does."""
    with path.open("rb") as file:
        return file.read(6).startswith(tuple(_OPENERS))


def pack_tar(path: Path, tell: Callable[[str], None]) -> Pack:
    """Read a compressed tar archive once and keep its pictures, tables and documents in the cache.

    Args:
        path: The archive.
        tell: Hears that this takes a while, where it is not done already.

    Raises:
        DataError: It is damaged, an archive bomb, or does not fit into the cache.
    """
    status = path.stat()

    def fill(packing: Packing) -> None:
        tell(f"{path.name} is unpacked into the cache, once ({status.st_size / 1e6:,.0f} MB; zip and tar need no copy)")
        _fill(path, packing)

    return packed(path, [status.st_size, status.st_mtime_ns, "documents"], fill, needed=status.st_size)


def _fill(path: Path, packing: Packing) -> None:
    names = MemberNames()
    try:
        with path.open("rb") as file:
            start = file.read(6)
        opener = next(opener for magic, opener in _OPENERS.items() if start.startswith(magic))
        bounded: Any = _Bounded(opener(path), path)
        with bounded, tarfile.open(fileobj=bounded, mode="r|") as tar:
            for info in tar:
                name = tar_name(info, names)
                if name is None or not (is_image_name(name) or is_table_name(name) or is_document_name(name)):
                    continue
                if info.size > MAX_MEMBER_BYTES:
                    packing.leave_out(name, f"it would unpack to {info.size:,} bytes (an archive bomb?)")
                elif (content := tar.extractfile(info)) is not None:
                    packing.add(name, content.read())
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error, ValueError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk; what is wrong with the archive has no number
            raise
        raise DataError(f"{path} is no tar archive, or is cut off ({error}): copy or pack it again") from error
    packing.told = {"folders": sorted(names.folders), "notes": names.notes()}


class _Bounded:
    """Reads a decompressed stream, but not without end."""

    def __init__(self, stream: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, path: Path) -> None:
        self._stream, self._path, self._count = stream, path, 0
        self._most = max(_ALWAYS_ALLOWED, _MOST_SWELLING * path.stat().st_size)

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._count += len(content)
        if self._count > self._most:
            raise DataError(
                f"{self._path} unpacks to more than {self._most:,} bytes, {_MOST_SWELLING} times its own "
                "(an archive bomb?): unpack it yourself if it is what you want"
            )
        return content

    def __enter__(self) -> _Bounded:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stream.close()
