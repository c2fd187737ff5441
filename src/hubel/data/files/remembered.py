"""What was found out about files before, so that a second start is fast: digests, and whether pictures decode.

One SQLite file in the cache folder. It is a memory, never a source of truth: where it cannot be opened or written,
everything is computed again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hubel.data.files.listing import File
from hubel.files import cache_folder

# Names are kept as the bytes that the file system has: not every file name is text.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    root BLOB, name BLOB, size INTEGER, modified INTEGER, changed INTEGER, digest TEXT, PRIMARY KEY (root, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexes (
    path BLOB PRIMARY KEY, size INTEGER, modified INTEGER, changed INTEGER, version INTEGER, content BLOB
);
CREATE TABLE IF NOT EXISTS verdicts (
    digest TEXT, decoder TEXT, reason TEXT, PRIMARY KEY (digest, decoder)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (
    digest TEXT, reader TEXT, facts TEXT, thumbnail BLOB, PRIMARY KEY (digest, reader)
);
CREATE TABLE IF NOT EXISTS near_duplicates (pictures TEXT PRIMARY KEY, pairs TEXT) WITHOUT ROWID;
"""
_FILE_NAME = "remembered-1.sqlite"
_SECONDS_TO_WAIT = 10.0
_AT_ONCE = 500  # below every SQLite's limit of variables in a statement


def remembered_digests(root: Path, files: Sequence[File]) -> tuple[dict[str, str], list[str]]:
    """The digests, by name, of those files under a root of which all is as it was, and the names that are gone."""
    digests: dict[str, str] = {}
    gone: list[str] = []
    of_name = {file.name: file for file in files}
    with suppress(OSError, sqlite3.Error), _database() as database:
        rows = database.execute(
            "SELECT name, size, modified, changed, digest FROM digests WHERE root = ?", (_key(root),)
        )
        for stored_name, size, modified, changed, digest in rows:
            name = os.fsdecode(stored_name)
            file = of_name.get(name)
            if file is None:
                gone.append(name)
            elif (size, modified, changed) == file[1:]:
                digests[file.name] = digest
    return digests, gone


def remember_digests(root: Path, digests: Mapping[File, str], *, gone: Sequence[str] = ()) -> None:
    """Keep digests of files under a root; forget the names in `gone`."""
    key = _key(root)
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.executemany(
            "DELETE FROM digests WHERE root = ? AND name = ?", [(key, os.fsencode(name)) for name in gone]
        )
        database.executemany(
            "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)",
            [(key, os.fsencode(name), *times, digest) for (name, *times), digest in digests.items()],
        )


def remembered_indexes(paths: Sequence[Path], version: int) -> dict[File, bytes]:
    """What lies in files that hold pictures, by all that the file system told of them (`File.name` is the path)."""
    found: dict[File, bytes] = {}
    with suppress(OSError, sqlite3.Error), _database() as database:
        for start in range(0, len(paths), _AT_ONCE):
            some = [os.fsencode(path) for path in paths[start : start + _AT_ONCE]]
            rows = database.execute(
                "SELECT path, size, modified, changed, content FROM indexes WHERE version = ? AND path IN "
                f"({','.join('?' * len(some))})",
                (version, *some),
            )
            found.update((File(os.fsdecode(path), *times), content) for path, *times, content in rows)
    return found


def remember_indexes(indexes: Mapping[File, bytes], version: int) -> None:
    """Keep what lies in files that hold pictures."""
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.executemany(
            "INSERT OR REPLACE INTO indexes VALUES (?, ?, ?, ?, ?, ?)",
            [(os.fsencode(path), *times, version, content) for (path, *times), content in indexes.items()],
        )


def remembered_verdicts(digests: Sequence[str], decoder: str) -> dict[str, str]:
    """Why a picture could not be decoded, empty if it could, for those digests that were tried with this decoder."""
    found: dict[str, str] = {}
    with suppress(OSError, sqlite3.Error), _database() as database:
        for start in range(0, len(digests), _AT_ONCE):
            some = digests[start : start + _AT_ONCE]
            places = ",".join("?" * len(some))
            found.update(
                database.execute(
                    f"SELECT digest, reason FROM verdicts WHERE decoder = ? AND digest IN ({places})",
                    (decoder, *some),
                )
            )
    return found


def remember_verdicts(verdicts: Mapping[str, str], decoder: str) -> None:
    """Keep, by digest, why a picture could not be decoded (empty if it could)."""
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.executemany(
            "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)",
            [(digest, decoder, reason) for digest, reason in verdicts.items()],
        )


def remembered_facts(digests: Sequence[str], reader: str) -> dict[str, tuple[str, bytes]]:
    """The facts (as JSON) and the thumbnail of those pictures that were opened before, by digest."""
    found: dict[str, tuple[str, bytes]] = {}
    with suppress(OSError, sqlite3.Error), _database() as database:
        for start in range(0, len(digests), _AT_ONCE):
            some = digests[start : start + _AT_ONCE]
            places = ",".join("?" * len(some))
            rows = database.execute(
                f"SELECT digest, facts, thumbnail FROM facts WHERE reader = ? AND digest IN ({places})",
                (reader, *some),
            )
            found.update({digest: (facts, thumbnail) for digest, facts, thumbnail in rows})
    return found


def remember_facts(facts: Mapping[str, tuple[str, bytes]], reader: str) -> None:
    """Keep, by digest, what was found when pictures were opened."""
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.executemany(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
            [(digest, reader, values, thumbnail) for digest, (values, thumbnail) in facts.items()],
        )


def remembered_near_duplicates(pictures: str) -> str | None:
    """What was found for a set of pictures, as JSON; None if it was never searched."""
    with suppress(OSError, sqlite3.Error), _database() as database:
        row = database.execute("SELECT pairs FROM near_duplicates WHERE pictures = ?", (pictures,)).fetchone()
        return None if row is None else str(row[0])
    return None


def remember_near_duplicates(pictures: str, pairs: str) -> None:
    """Keep what was found for a set of pictures."""
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.execute("INSERT OR REPLACE INTO near_duplicates VALUES (?, ?)", (pictures, pairs))


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """The open database; what was written is committed at the end, or not at all."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / _FILE_NAME, timeout=_SECONDS_TO_WAIT)) as connection:
        connection.executescript(_SCHEMA)
        with connection:
            yield connection


def _key(root: Path) -> bytes:
    return os.fsencode(root.resolve())
