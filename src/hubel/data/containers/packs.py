"""Packs: pictures of a source that has no random access, kept in one file of the cache, as they are, not decoded.

Compressed tar archives, tables of pictures and torchvision's arrays are read once from the front. The pack lies under
a key of its source's size and times, so it is never stale; packs that nobody uses make room for new ones.

Layout: the pictures' bytes one after the other; JSON with their names, sizes and what else the source told; the
footer: the JSON's length in bytes and a magic word.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from hubel.data.files.cache import FREE_DISK_KEPT, MappedBytes, make_room, mark_used, writing
from hubel.data.sources import UnusableBytes
from hubel.errors import DataError
from hubel.files import cache_folder

_SUFFIX = ".pack"
_MAGIC = b"hubel packed 1"
_FOOTER = struct.Struct("<Q14s")
_MOST_BYTES = 50 * 10**9  # of all packs together, unless a single one needs more


@dataclass
class Packing:
    """What goes into a pack while its source is read.

    Attributes:
        told: What the source tells besides its pictures, such as their labels; it must fit into JSON.
        unusable: Why some pictures cannot be had, by their names.
    """

    file: IO[bytes]
    names: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Keep a picture; another one of the same name counts no more."""
        self.file.write(content)
        self.names.append(name)
        self.sizes.append(len(content))

    def leave_out(self, name: str, reason: str) -> None:
        """List a picture that cannot be had."""
        self.unusable[name] = reason
        self.add(name, b"")


class Pack:
    """A container whose pictures lie in a file of the cache.

    Attributes:
        path: The container itself, for people.
        file: The pack.
        told: What the source told besides.
    """

    def __init__(self, path: Path, file: Path) -> None:
        self.path, self.file = path, file
        self._bytes: MappedBytes | None = MappedBytes(file)  # open and locked, so that nobody makes room with it
        index = _read_index(file)
        if index is None:
            raise OSError(errno.EINVAL, "the pack is damaged")
        ends = accumulate(index["sizes"])
        self._places = {
            name: (end - size, size) for name, size, end in zip(index["names"], index["sizes"], ends, strict=True)
        }
        self._unusable: dict[str, str] = index["unusable"]
        self.told: dict[str, Any] = index["told"]

    @property
    def sizes(self) -> Mapping[str, int]:
        """The size of each picture in bytes, by its name."""
        return {name: size for name, (_, size) in self._places.items()}

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Stands for the size and times of a container in a listing: another number for every state of the source."""
        return 0, int(self.file.stem[:15], 16), 0

    def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            OSError: They cannot be had.
        """
        if name in self._unusable:
            raise UnusableBytes(self._unusable[name])
        if name not in self._places:
            raise UnusableBytes("it is not in the archive")
        if self._bytes is None:
            self._bytes = MappedBytes(self.file)
        content = self._bytes.read(*self._places[name])
        if content is None:
            raise UnusableBytes("its copy in the cache is cut off")
        return content.tobytes()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes": None}


def packed(path: Path, state: Sequence[object], fill: Callable[[Packing], None], *, needed: int) -> Pack:
    """The pack of a container, made where there is none.

    Args:
        path: The container.
        state: All that its pictures depend on, such as sizes and times of files.
        fill: Reads the container and gives its pictures.
        needed: About how many bytes they take.

    Raises:
        DataError: There is no room for them.
    """
    folder = cache_folder() / "packs"
    key = json.dumps([_MAGIC.decode(), os.path.realpath(path), *state])
    file = folder / (hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest() + _SUFFIX)
    with contextlib.suppress(OSError):
        pack = Pack(path, file)
        mark_used(file)
        return pack
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_room(folder, needed, max(needed, _MOST_BYTES))
        if needed > shutil.disk_usage(folder).free - FREE_DISK_KEPT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _write(file, fill)
        return Pack(path, file)
    except OSError as error:
        raise DataError(
            f"the pictures in {path} must be unpacked into {folder} once, about {needed / 1e9:.1f} GB, which is not "
            f"possible ({error.strerror or error}): make room, set HUBEL_CACHE to another folder, or unpack it yourself"
        ) from error


def _write(path: Path, fill: Callable[[Packing], None]) -> None:
    with writing(path) as (_, file):
        packing = Packing(file)
        fill(packing)
        index = {
            "names": packing.names,
            "sizes": packing.sizes,
            "unusable": packing.unusable,
            "told": packing.told,
        }
        content = json.dumps(index).encode()
        file.write(content + _FOOTER.pack(len(content), _MAGIC))


def _read_index(path: Path) -> dict[str, Any] | None:
    """What a pack holds; None if it is damaged."""
    try:
        with path.open("rb") as file:
            end = file.seek(-_FOOTER.size, os.SEEK_END)
            length, magic = _FOOTER.unpack(file.read())
            if magic != _MAGIC or length > end:
                return None
            file.seek(end - length)
            index: dict[str, Any] = json.loads(file.read(length))
        return index if sum(index["sizes"]) == end - length else None
    except (OSError, ValueError, KeyError, struct.error):
        return None
