"""Zip and tar archives, read without unpacking them: every picture is a range of bytes of the archive.

Nothing is ever written where an archive's names point, so hostile names do no harm; what could fill the memory is
refused. Compressed tar archives can only be read from the front: `hubel.data.containers.packs` keeps their pictures.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hubel.data.files.listing import (
    File,
    Listing,
    extension_of,
    is_document_name,
    is_image_name,
    is_passed_over,
    is_table_name,
)
from hubel.data.sources import Container, UnusableBytes
from hubel.errors import DataError, cannot_read

ARCHIVE_EXTENSIONS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
OTHER_ARCHIVES = (".rar", ".7z", ".tar.zst", ".tar.lz4")

# The largest picture that can be decoded has 89 million pixels of up to 8 bytes; a file of more bytes is none.
MAX_MEMBER_BYTES = 2**30
# Deflate makes at most about a thousandth of anything, but pictures that compress that well are small.
_SUSPICIOUS_BYTES, _SUSPICIOUS_RATIO = 2**26, 100

_LOCAL_SIGNATURE = b"PK\3\4"
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 99: "AES encryption"}
_HOSTILE = re.compile(r"^[A-Za-z]:|[\x00-\x1f\x7f]")  # drives, and characters that command a terminal
_ENCRYPTED, _UTF8 = 0x1, 0x800


class Member(NamedTuple):
    """Where a file lies in an archive.

    Attributes:
        start: Where its header (zip) or its content (tar) begins.
        packed: Bytes that it takes there.
        size: Bytes of its content.
        compressed: Whether it is deflated.
        checksum: CRC-32 of the content; None: there is none.
    """

    start: int
    packed: int
    size: int
    compressed: bool = False
    checksum: int | None = None


@dataclass(frozen=True)
class Archive:
    """A zip file or an uncompressed tar file.

    Attributes:
        path: Where it is.
        members: Its files by their names.
        folders: Its folders' names.
        notes: One line for each thing that was passed over.
        stamp: Its size in bytes and its times, in nanoseconds, when it was listed.
    """

    path: Path
    members: dict[str, Member]
    folders: frozenset[str]
    notes: tuple[str, ...]
    stamp: tuple[int, int, int]

    def read(self, name: str) -> bytes:
        """The bytes of a file in the archive.

        Raises:
            UnusableBytes: It is not there, damaged, or absurdly large.
        """
        member = self.members.get(name)
        if member is None:
            raise UnusableBytes("it is not in the archive")
        refuse_size(member.size, member.packed)
        with self.path.open("rb", buffering=0) as file:
            if _stamp(os.fstat(file.fileno()))[:2] != self.stamp[:2]:
                raise UnusableBytes("the archive has changed since it was listed")
            file.seek(member.start)
            if member.checksum is not None:
                signature, *lengths = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size).ljust(_LOCAL_HEADER.size))
                if signature != _LOCAL_SIGNATURE:
                    raise UnusableBytes("the archive is damaged where it should be")
                file.seek(sum(lengths), os.SEEK_CUR)
            content = file.read(member.packed)
        if member.compressed:
            content = _inflated(content, member.size)
        if len(content) != member.size or (member.checksum is not None and zlib.crc32(content) != member.checksum):
            raise UnusableBytes("it is damaged in the archive (its size or checksum is another one)")
        return content

    def listing(self) -> Listing:
        """What lies in the archive, as if it were a folder."""
        sizes = {name: member.size for name, member in self.members.items()}
        return listing_of(self.path, sizes, self.folders, self.stamp, self.notes)


def listing_of(
    path: Path,
    sizes: Mapping[str, int],
    folders: Iterable[str],
    stamp: tuple[int, int, int],
    notes: Sequence[str],
) -> Listing:
    """List the files in a container as if it were a folder; each has changed when the container has.

    Args:
        path: The container.
        sizes: Of each file in bytes, by its name.
        folders: Its folders; those that files lie in need not be among them.
        stamp: The container's size and times.
        notes: What was passed over.
    """
    _, modified, changed = stamp
    every = [File(name, size, modified, changed) for name, size in sizes.items() if not is_passed_over(name)]
    all_folders = {folder for folder in folders if not is_passed_over(folder)}
    for folder in {file.name.rpartition("/")[0] for file in every}:
        parts = folder.split("/")
        all_folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1) if folder)
    images = sorted(file for file in every if is_image_name(file.name))
    tables = sorted(file.name for file in every if is_table_name(file.name))
    documents = sorted(file.name for file in every if is_document_name(file.name))
    others = Counter(extension_of(file.name.rpartition("/")[2]) for file in every if not is_image_name(file.name))
    return Listing(
        path, tuple(images), tuple(sorted(all_folders)), others, tuple(tables), tuple(documents), tuple(notes)
    )


def is_archive_name(name: str) -> bool:
    """Whether a file's extension is one of a zip or tar archive, in any letter case."""
    return name.lower().endswith(ARCHIVE_EXTENSIONS)


def open_archive(path: Path, tell: Callable[[str], None] = lambda text: None) -> tuple[Listing, Container]:
    """What lies in a zip or tar archive, and the archive to read it from.

    Raises:
        DataError: It is damaged, encrypted or hostile.
    """
    if path.suffix.lower() == ".zip":
        archive = open_zip(path)
        return archive.listing(), archive
    from hubel.data.containers.compressed_tar import is_compressed, pack_tar

    if is_compressed(path):
        pack = pack_tar(path, tell)
        return listing_of(path, pack.sizes, pack.told["folders"], pack.stamp, pack.told["notes"]), pack
    archive = open_tar(path)
    return archive.listing(), archive


def open_zip(path: Path) -> Archive:
    """List a zip file.

    Raises:
        DataError: It is damaged or encrypted, or its pictures are packed in a way that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
            stamp = _stamp(os.fstat(file.fp.fileno())) if file.fp is not None else (0, 0, 0)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        raise DataError(f"{path} is no zip file, or is cut off ({error}): copy or pack it again") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    if sum(info.compress_size for info in infos) > stamp[0]:
        raise DataError(f"{path} has files that lie on top of each other (an archive bomb?): pack it again")
    names = MemberNames()
    members: dict[str, Member] = {}
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        name = names.usable(_zip_name(info), regular=kind in (0, stat.S_IFREG), folder=info.is_dir())
        if name is None:
            continue
        if is_image_name(name) and not is_passed_over(name):
            if info.flag_bits & _ENCRYPTED:
                raise DataError(f"{path} is encrypted ({name}): unpack it with its password, and give the folder")
            if info.compress_type not in (_STORED, _DEFLATED):
                method = _METHODS.get(info.compress_type, f"number {info.compress_type}")
                raise DataError(
                    f"{path} is packed by the method {method} ({name}), which cannot be read: "
                    "expected store or deflate; pack it again, or unpack it and give the folder"
                )
        deflated = info.compress_type == _DEFLATED
        members[name] = Member(info.header_offset, info.compress_size, info.file_size, deflated, info.CRC)
    return Archive(path, members, frozenset(names.folders), names.notes(), stamp)


def open_tar(path: Path) -> Archive:
    """List an uncompressed tar file.

    Raises:
        DataError: It is damaged.
    """
    names = MemberNames()
    members: dict[str, Member] = {}
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:") as file:
            stamp = _stamp(os.fstat(raw.fileno()))
            for info in file:
                if (name := tar_name(info, names)) is not None:
                    members[name] = Member(info.offset_data, info.size, info.size)
            cut_off = (f"{path.name} has no end mark and may be cut off",) if file.offset >= stamp[0] else ()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(f"{path} is no tar archive, or is cut off ({error}): copy or pack it again") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    return Archive(path, members, frozenset(names.folders), (*names.notes(), *cut_off), stamp)


def tar_name(info: tarfile.TarInfo, names: MemberNames) -> str | None:
    """The name of a tar archive's member; None if it is no file that can be used."""
    return names.usable(info.name, regular=info.isreg() and not info.issparse(), folder=info.isdir())


def refuse_size(size: int, packed: int) -> None:
    """Refuse a file that is far too large for a picture, or that swells like none.

    Raises:
        UnusableBytes: It is.
    """
    if max(size, packed) > MAX_MEMBER_BYTES or (size > _SUSPICIOUS_BYTES and size > _SUSPICIOUS_RATIO * packed):
        raise UnusableBytes(f"it would unpack from {packed:,} to {size:,} bytes (an archive bomb?)")


class MemberNames:
    """Sorts out an archive's members by what they are and where their names lead."""

    def __init__(self) -> None:
        self.folders: set[str] = set()
        self.outside: list[str] = []
        self.irregular: list[str] = []

    def usable(self, name: str, *, regular: bool, folder: bool) -> str | None:
        """The name of a regular file inside the archive; None for anything else, which is remembered."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        inside = "/".join(parts)
        if name.startswith("/") or ".." in parts or _HOSTILE.search(name):
            self.outside.append(name)
            return None
        if not inside:
            return None
        if folder:
            self.folders.add(inside)
            return None
        if not regular:
            self.irregular.append(inside)
            return None
        return inside

    def notes(self) -> tuple[str, ...]:
        """A line for each kind of thing that was passed over."""
        return tuple(
            f"{what} in the archive were passed over: {len(names)} (such as {names[0]!r})"
            for what, names in (
                ("files whose names lead out of it or are no text", self.outside),
                ("links, devices and other special files", self.irregular),
            )
            if names
        )


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name; UTF-8 that is not declared as such, as macOS writes it, is read as what it is."""
    name = info.filename
    if not info.flag_bits & _UTF8 and not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/")


def _inflated(packed: bytes, size: int) -> bytes:
    """Deflated bytes unpacked, but never more than were announced."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error as error:
        raise UnusableBytes(f"it is damaged in the archive ({error})") from error


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
