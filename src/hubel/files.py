"""Files written whole or not at all, told apart by their digest; home folders and the folder of the cache."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from hubel.errors import HubelError


class WritableFile:
    """A binary file that remembers why it could not be written, for libraries that report something else instead."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some bytes."""
        try:
            return self._raw.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._raw.flush()


def write_whole(path: Path, content: bytes | str | Callable[[WritableFile], object]) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    The content goes to a temporary file in the same folder, is flushed to the disk (fsync) and then renamed.

    Args:
        path: Where the file shall be; missing parent folders are made.
        content: The bytes or text, or a function that writes to the file it is given.

    Raises:
        HubelError: The disk is full, the folder cannot be written, ...; an earlier file at `path` is still whole.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as raw:
            file = WritableFile(raw)
            try:
                if callable(content):
                    content(file)
                else:
                    file.write(content.encode() if isinstance(content, str) else content)
            except Exception:
                if file.failure is not None:
                    raise file.failure from None
                raise
            raw.flush()
            os.fsync(raw.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HubelError(f"cannot write {path}: {reason}; earlier files are whole, mend this and try again") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def sha256_of(file: Path) -> str:
    """A file's SHA-256 as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make the renaming itself outlast a power cut, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's file mode mask; mkstemp ignores it, a user's files should not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def expanded(path: str | Path) -> Path:
    """A path with the home folder that a `~` or `~name` at its beginning stands for.

    Raises:
        HubelError: There is no such user, or this one's home folder is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0].removeprefix("~")
        raise HubelError(
            f"{path}: there is no user '{user}', whose home folder ~{user} would be: give the path without ~"
            if user
            else f"{path}: the home folder ~ is not known: set the variable HOME, or give the path without ~"
        ) from None


def cache_folder() -> Path:
    """The folder for what can be computed again: `$HUBEL_CACHE`, else `hubel` in the user's cache folder.

    Raises:
        HubelError: The user's home folder is not known.
    """
    if chosen := os.environ.get("HUBEL_CACHE"):
        return expanded(chosen)
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "hubel"
