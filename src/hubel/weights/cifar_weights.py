"""Published weights of the ResNets for CIFAR-10, those of github.com/akamaster/pytorch_resnet_cifar10."""

from __future__ import annotations

from hubel.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from hubel.weights.entry import WeightsEntry
from hubel.weights.hub import Download

_REPOSITORY = "https://github.com/akamaster/pytorch_resnet_cifar10"

# Each file, whose name ends in the beginning of its SHA-256, and its error on the 10,000 test pictures in percent, by
# the README of the repository.
_PUBLISHED = {
    "resnet20_cifar": ("resnet20-12fca82f.th", 8.27),
    "resnet32_cifar": ("resnet32-d509ac18.th", 7.37),
    "resnet44_cifar": ("resnet44-014dd654.th", 6.90),
    "resnet56_cifar": ("resnet56-4bfd9763.th", 6.61),
}
_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar_weights(network: str) -> list[WeightsEntry]:
    """The weights for one of hubel's networks; none for most."""
    if network not in _PUBLISHED:
        return []
    file, error = _PUBLISHED[network]
    return [
        WeightsEntry(
            name=f"{network}.cifar10",
            network=network,
            source=Download(
                f"{_REPOSITORY}/raw/master/pretrained_models/{file}",
                file,
                sha256=file.rpartition("-")[2].partition(".")[0],
            ),
            origin="akamaster/pytorch_resnet_cifar10",
            licence="BSD-2-Clause",
            data="CIFAR-10",
            top1=round(100 - error, 2),
            top5=None,
            preprocess=Preprocess(size=(32, 32), resize_to=32, mean=IMAGENET_MEAN, std=IMAGENET_STD),
            labels=_CLASSES,
        )
    ]
