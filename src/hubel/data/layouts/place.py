"""Where a data set is looked for: a folder or an archive, which are treated alike."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hubel.data.decoding import Header, UnreadableImage, read_header
from hubel.data.files.listing import File, Listing
from hubel.data.sources import Container, Sample
from hubel.errors import DataError, cannot_read
from hubel.runtime import available_cpus

_HEADERS_PER_TASK = 64


@dataclass(frozen=True)
class Place:
    """A folder, or an archive, with all that lies in it. Names are relative to it, with forward slashes.

    Attributes:
        listing: What lies there.
        container: The archive; None: it is a folder.
    """

    listing: Listing
    container: Container | None = None

    @property
    def root(self) -> Path:
        """Its path."""
        return self.listing.root

    def where(self, name: str) -> Path:
        """Where something in it is, for messages."""
        return self.root / name

    @cached_property
    def images(self) -> Mapping[str, File]:
        """The image files, by name."""
        return {file.name: file for file in self.listing.files}

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders; the empty name is the place itself."""
        return frozenset({"", *self.listing.folders})

    @cached_property
    def _by_base(self) -> Mapping[str, tuple[str, ...]]:
        """The image files by their last part."""
        found: dict[str, list[str]] = {}
        for name in self.images:
            found.setdefault(posixpath.basename(name), []).append(name)
        return {base: tuple(names) for base, names in found.items()}

    def file(self, name: str) -> File:
        """An image file, or one that is missing."""
        return self.images.get(name, File.missing(name))

    def find(self, told: str, near: Sequence[str]) -> str:
        """The image that a file tells of.

        Args:
            told: Its path as it stands there, with forward slashes.
            near: Folders that the path may be relative to, the likeliest first.

        Returns:
            Its name; where there is none, what it would be called.
        """
        for folder in near:
            name = posixpath.normpath(posixpath.join(folder, told))
            if name in self.images:
                return name
        alike = self._by_base.get(posixpath.basename(told), ())
        if len(alike) == 1:  # the path may be one of another computer
            return alike[0]
        there = next((folder for folder in near if folder in self.folders), near[0])
        return posixpath.normpath(posixpath.join(there, posixpath.basename(told)))

    def in_folder(self, folder: str) -> list[str]:
        """The names of the images in a folder and below, sorted."""
        prefix = f"{folder}/" if folder else ""
        return [name for name in self.images if name.startswith(prefix)]

    def documents(self, folder: str, *endings: str) -> list[str]:
        """The names of the documents in a folder, not below, with some endings."""
        return [
            name
            for name in self.listing.documents
            if posixpath.dirname(name) == folder and name.lower().endswith(endings)
        ]

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: They cannot be had.
        """
        return self.container.read(name) if self.container is not None else (self.root / name).read_bytes()

    def content(self, name: str) -> bytes:
        """The bytes of a document.

        Raises:
            DataError: They cannot be had.
        """
        try:
            return self.read(name)
        except OSError as error:
            raise cannot_read(self.where(name), error) from error

    def text(self, name: str) -> str:
        """The text of a document.

        Raises:
            DataError: It cannot be read.
        """
        try:
            return self.content(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"cannot read {self.where(name)}: {error}; mend it") from error

    def sample(self, name: str, digest: str = "") -> Sample:
        """An image, of which nothing else is known."""
        folder = self.root if self.container is None else None
        return Sample(folder, name, None, digest, self.container)

    def headers(self, names: Sequence[str]) -> dict[str, Header | UnreadableImage]:
        """The headers of images, or why they cannot be read; many at once."""
        parts = [names[start : start + _HEADERS_PER_TASK] for start in range(0, len(names), _HEADERS_PER_TASK)]
        with ThreadPoolExecutor(available_cpus() + 1) as pool:
            read = [header for part in pool.map(self._headers_of, parts) for header in part]
        return dict(zip(names, read, strict=True))

    def _headers_of(self, names: Sequence[str]) -> list[Header | UnreadableImage]:
        found: list[Header | UnreadableImage] = []
        for name in names:
            try:
                found.append(read_header(self.sample(name)))
            except UnreadableImage as error:
                found.append(error)
        return found
