"""Files from the network that arrive whole, verified and once.

A file comes into `weights/` of hubel's cache folder under three promises. It is the published one: its SHA-256 is
compared before it is used, every time. It is there whole or not at all: what has arrived so far lies beside it, and
the next attempt goes on from there, in this process or a later one. And it comes once: processes that want the same
file wait for the first.

torch's own `download_url_to_file` verifies, but begins anew after every interruption and lets processes download side
by side; pooch does the same.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hubel.errors import WeightsError
from hubel.files import cache_folder, sha256_of
from hubel.weights.downloading import SHA256, Transfer

# Hears which file is coming, how many bytes of it are there, and how many it has (0 while that is unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Download:
    """A file on the network and in the cache.

    Attributes:
        url: Where it comes from.
        file: Its name in the cache.
        sha256: Its SHA-256, or the beginning of it; empty where only the server can tell it, as the Hugging Face hub
            does (header `X-Linked-ETag`). It is then written beside the file.
    """

    url: str
    file: str
    sha256: str = ""

    @property
    def cached(self) -> Path:
        """Where the file lies once it is here."""
        return cache_folder() / "weights" / self.file

    def path(self, progress: Progress | None = None) -> Path:
        """The file on this machine, its content checked; it is downloaded if it is not here.

        Args:
            progress: Hears how far a download is; None: a bar, where stderr is a terminal.

        Raises:
            WeightsError: It is not here and cannot be had; the text says why and what to do.
        """
        here = next(filter(self._is_published, (self.cached, *self._elsewhere())), None)
        if here is not None:
            return here
        if offline():
            raise self.failed("HUBEL_OFFLINE is set")
        try:
            self.cached.parent.mkdir(parents=True, exist_ok=True)
            with _reporting(progress) as report, self._alone(report):
                if not self._is_published(self.cached):  # another process may have brought it meanwhile
                    Transfer(self, report).run()
        except OSError as error:
            raise WeightsError(
                f"cannot write weights to {self.cached.parent}: {error.strerror or error}; "
                "choose another folder with HUBEL_CACHE"
            ) from error
        return self.cached

    @property
    def digest_file(self) -> Path:
        """Holds the whole SHA-256 of the cached file, as `sha256sum --check` reads it."""
        return self.cached.with_name(f"{self.file}.sha256")

    def _expected(self, file: Path) -> str:
        """What the SHA-256 of a copy must begin with; empty where nothing is known."""
        if file == self.cached and self.digest_file.is_file():
            stored = self.digest_file.read_text(encoding="utf-8", errors="replace")[:64]
            if SHA256.fullmatch(stored) and stored.startswith(self.sha256):
                return stored
        if self.sha256 or file == self.cached:
            return self.sha256
        name = file.resolve().name  # the Hugging Face cache names a file's content by its SHA-256
        return name if SHA256.fullmatch(name) else ""

    def _is_published(self, file: Path) -> bool:
        """Whether a file is here, can be read and is the published one."""
        try:
            expected = self._expected(file) if file.is_file() else ""
            return bool(expected) and sha256_of(file).startswith(expected)
        except OSError:
            return False

    def _elsewhere(self) -> Iterator[Path]:
        """Where torchvision, timm and the Hugging Face hub keep the same file."""
        import torch

        yield Path(torch.hub.get_dir()) / "checkpoints" / self.url.rpartition("/")[2]
        hub_file = re.search(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.url)
        if hub_file and importlib.util.find_spec("huggingface_hub"):
            from huggingface_hub import try_to_load_from_cache

            repository, revision, name = hub_file.groups()
            for found in (try_to_load_from_cache(repository, name, revision=r) for r in (revision, "main")):
                if isinstance(found, str):
                    yield Path(found)

    @contextmanager
    def _alone(self, report: Progress) -> Iterator[None]:
        """Keep other processes from downloading the same file; the lock of one that dies is free at once."""
        lock = FileLock(self.cached.with_name(f".{self.file}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            report(f"{self.file} (another process is at it)", 0, 0)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def failed(self, reason: str) -> WeightsError:
        """The error for a file that cannot be had, with what its user can do."""
        state = "damaged" if self.cached.is_file() else "not on this machine"
        there = f", or put it at {self.cached}" if self.sha256 else ""
        return WeightsError(
            f"{self.file} is {state} and cannot be downloaded from {self.url}: {reason}; get it where that is "
            f"possible and give it with `--weights PATH`{there}"
        )


def offline() -> bool:
    """Whether `HUBEL_OFFLINE` forbids the network."""
    return os.environ.get("HUBEL_OFFLINE", "0") not in ("", "0")


@contextmanager
def _reporting(progress: Progress | None) -> Iterator[Progress]:
    """What came, or a bar where stderr is a terminal, or silence."""
    if progress is not None or not sys.stderr.isatty():
        yield progress or (lambda file, done, total: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("", total=None)
        yield lambda file, done, total: bar.update(line, description=file, completed=done, total=total or None)
