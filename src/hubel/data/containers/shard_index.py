"""What lies in a tar shard: its pictures with their places and labels, read from the headers once and remembered.

A shard is an uncompressed tar file in the layout of WebDataset (https://github.com/webdataset/webdataset): members
whose names agree up to the first dot of the last part belong together, `000123.jpg` with `000123.cls`. A picture is
then a range of bytes, and can be read alone. The `webdataset` library reads shards as streams: where in an epoch it is
depends on the state of its workers, so it could not go on with a stopped epoch exactly.
"""

from __future__ import annotations

import json
import tarfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hubel.data.containers.archives import MemberNames, tar_name
from hubel.data.files.digests import YOUNGEST_REMEMBERED
from hubel.data.files.listing import IMAGE_EXTENSIONS, File, is_passed_over
from hubel.data.files.remembered import remember_indexes, remembered_indexes
from hubel.errors import DataError

# Where a picture's label is looked for, the first one counts.
LABEL_EXTENSIONS = ("cls", "json", "txt")
# Fields of a JSON label: a class, several classes, or a number.
_CLASS_FIELDS, _CLASSES_FIELD, _NUMBER_FIELD = ("label", "class", "cls"), "labels", "value"

_MEMBERS_TRIED = 64
_LARGEST_LABEL = 2**20  # bytes; a larger file is no label
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd"}
_VERSION = 1  # counts up whenever the same shard would give another index

ShardLabel = str | tuple[str, ...] | float


@dataclass(frozen=True)
class Member:
    """A picture in a shard.

    Attributes:
        name: Of the member.
        offset: Where its bytes begin in the shard.
        size: Of them.
        label: A class (its name, or its index as digits), several of them, or a number; None: it has none.
    """

    name: str
    offset: int
    size: int
    label: ShardLabel | None


@dataclass(frozen=True)
class ShardIndex:
    """What lies in a shard.

    Attributes:
        file: The shard, as the file system tells of it.
        members: Its pictures in their order.
        notes: What is wrong with the rest of it, and what was passed over.
    """

    file: File
    members: tuple[Member, ...]
    notes: tuple[str, ...] = ()


def index_shards(paths: Sequence[Path]) -> list[ShardIndex]:
    """List the pictures of shards; what was found out before is remembered as long as a file does not change.

    Raises:
        DataError: One cannot be opened, or is compressed.
    """
    known = remembered_indexes(paths, _VERSION)
    indices, new = [], dict[File, bytes]()
    for path in paths:
        try:
            status = path.stat()
            file = File(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            content = known.get(file)
            if content is None:
                began = time.time_ns()
                content = _packed(*_read(path, file.size))
                if file.changed < began - YOUNGEST_REMEMBERED:
                    new[file] = content
        except OSError as error:
            raise DataError(f"cannot read the shard {path}: {error.strerror or error}; mend or remove it") from error
        indices.append(ShardIndex(file, *_unpacked(content)))
    remember_indexes(new, _VERSION)
    return indices


def is_shard(path: Path) -> bool:
    """Whether a tar file is a shard rather than an archive of folders: its first pictures have labels beside them."""
    keys: dict[bool, set[str]] = {True: set(), False: set()}  # of pictures, of labels
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for _ in range(_MEMBERS_TRIED):
                if (member := tar.next()) is None:
                    break
                key, extension = _key(member.name)
                if member.isreg() and (f".{extension}" in IMAGE_EXTENSIONS or extension in LABEL_EXTENSIONS):
                    keys[extension not in LABEL_EXTENSIONS].add(key)
    except (OSError, tarfile.TarError, ValueError):
        pass
    return len(keys[True] & keys[False]) > len(keys[True]) / 2


def _read(path: Path, size: int) -> tuple[list[Member], list[str]]:
    """The pictures of a shard, and what is wrong with the rest of it."""
    with path.open("rb") as file:
        if kind := _COMPRESSED.get(file.read(2)):
            raise DataError(
                f"the shard {path} is compressed ({kind}): pictures in it cannot be found without unpacking all before "
                "them, and are compressed already; unpack it to a plain .tar"
            )
        file.seek(0)
        pictures: dict[str, tuple[str, int, int]] = {}  # by key: name, offset, size
        labels: dict[str, tuple[int, ShardLabel | None]] = {}  # by key: how far down the list of extensions, and label
        names, damage, replaced = MemberNames(), [], list[str]()
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined] # it would keep them all
                    name = tar_name(member, names)
                    if name is None or is_passed_over(name):
                        continue
                    if member.offset_data + member.size > size:
                        damage.append("it is cut off")
                        break
                    key, extension = _key(name)
                    if f".{extension}" in IMAGE_EXTENSIONS:  # and not `seg.png`, which is a mask
                        if key in pictures:
                            replaced.append(pictures[key][0])
                        pictures[key] = (name, member.offset_data, member.size)
                    elif extension in LABEL_EXTENSIONS:
                        rank = LABEL_EXTENSIONS.index(extension)
                        if rank <= labels.get(key, (rank, None))[0]:
                            labels[key] = rank, _label(file, member, extension)
        except (tarfile.TarError, ValueError) as error:
            damage.append("it is cut off or damaged" if pictures else f"it is no tar file ({error})")
    if replaced:
        damage.append(f"pictures passed over, for a later one has their key: {len(replaced)} (such as {replaced[0]})")
    members = [Member(*place, labels.get(key, (0, None))[1]) for key, place in pictures.items()]
    return members, [*damage, *names.notes()]


def _key(name: str) -> tuple[str, str]:
    """What a member's name says it belongs to, and its extension in small letters."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def _label(file: BinaryIO, member: tarfile.TarInfo, extension: str) -> ShardLabel | None:
    """The label in a member; None if there is none that can be understood."""
    if member.size > _LARGEST_LABEL:
        return None
    file.seek(member.offset_data)
    content = file.read(member.size)
    try:
        text = content.decode().strip()
        return _json_label(json.loads(text)) if extension == "json" else text or None
    except ValueError:  # no UTF-8, no JSON
        return None


def _json_label(value: Any) -> ShardLabel | None:
    if not isinstance(value, dict):
        return str(value).strip() or None if isinstance(value, (str, int)) else None
    if isinstance(several := value.get(_CLASSES_FIELD), list):
        return tuple(str(name) for name in several)
    if isinstance(number := value.get(_NUMBER_FIELD), (int, float)) and abs(number) < float("inf"):
        return float(number)
    return next((str(value[field]) for field in _CLASS_FIELDS if isinstance(value.get(field), (str, int))), None)


def _packed(members: list[Member], notes: list[str]) -> bytes:
    rows = [[member.name, member.offset, member.size, member.label] for member in members]
    return zlib.compress(json.dumps([notes, rows]).encode(), level=1)


def _unpacked(content: bytes) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    notes, rows = json.loads(zlib.decompress(content))
    return tuple(
        Member(name, offset, size, tuple(label) if isinstance(label, list) else label)
        for name, offset, size, label in rows
    ), tuple(notes)
