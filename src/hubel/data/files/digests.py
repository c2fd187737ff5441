"""Files by their content: BLAKE2b of every file's bytes, computed in parallel and only once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hubel.data.files.listing import File
from hubel.data.files.remembered import remember_digests, remembered_digests
from hubel.runtime import available_cpus

DIGEST_BYTES = 16

# A file that changes twice within one tick of the file system's clock keeps its times: younger ones are hashed again.
YOUNGEST_REMEMBERED = 2 * 10**9  # ns
_FILES_PER_TASK = 256


def digest_files(root: Path, files: Sequence[File], read: Callable[[str], bytes]) -> dict[str, str]:
    """Hash files, except those that have not changed since they were last hashed.

    Args:
        root: What the files belong to, a folder or a file that lists or holds them.
        files: All image files of it.
        read: Gives the bytes of a file by its name; it is called in threads.

    Returns:
        32 hexadecimal digits by name. A file that cannot be read is missing.
    """
    digests, gone = remembered_digests(root, files)
    new = [file for file in files if file.name not in digests]
    if new or gone:
        started = time.time_ns()
        computed = _computed(new, read)
        digests.update({file.name: digest for file, digest in computed.items()})
        remember_digests(
            root,
            {file: digest for file, digest in computed.items() if file.changed < started - YOUNGEST_REMEMBERED},
            gone=gone,
        )
    return digests


def _computed(files: Sequence[File], read: Callable[[str], bytes]) -> dict[File, str]:
    def digest(name: str) -> str | None:
        """BLAKE2b of a file's bytes in hexadecimal; None if it cannot be read."""
        try:
            return hashlib.blake2b(read(name), digest_size=DIGEST_BYTES).hexdigest()
        except OSError:
            return None

    def digests_of(part: Sequence[File]) -> list[str | None]:
        return [digest(file.name) for file in part]

    parts = [files[start : start + _FILES_PER_TASK] for start in range(0, len(files), _FILES_PER_TASK)]
    with ThreadPoolExecutor(min(32, 2 * available_cpus())) as pool:
        digests = [digest for part in pool.map(digests_of, parts) for digest in part]
    return {file: digest for file, digest in zip(files, digests, strict=True) if digest is not None}
