"""torchvision's published weights: addresses, figures, preparation and labels come from its own metadata.

Importing torchvision takes seconds, so it happens when weights are asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hubel.models.registry import model_entry
from hubel.preprocessing import Interpolation, Preprocess
from hubel.weights.entry import IMAGENET, WeightsEntry
from hubel.weights.hub import Download

# Names of hubel's networks, and torchvision's where they differ.
_BUILDERS = {
    "alexnet_owt": "alexnet",
    **{name: name for name in ("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")},
    "googlenet_bn": "googlenet",
    "inception_v3": "inception_v3",
    **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")},
    **{name: name for name in ("densenet121", "densenet161", "densenet169", "densenet201")},
    "fcn_resnet50": "fcn_resnet50",
    "faster_rcnn": "fasterrcnn_resnet50_fpn",
}

# What torchvision's figures were measured on, and what they are called elsewhere.
_DATA = {
    "ImageNet-1K": IMAGENET,
    "COCO-val2017-VOC-labels": "COCO 2017, the classes of Pascal VOC",
    "COCO-val2017": "COCO 2017",
}
_FIGURES = {"miou": "mean_iou", "pixel_acc": "pixel_accuracy", "box_map": "map"}

# The BatchNorms of torchvision's detectors are frozen, and those of this file divide by the bare deviation.
_ARGUMENTS = {"faster_rcnn": {"frozen_norm": True, "norm_eps": 0.0}}

# torchvision's detectors scale the shorter side to 800 and the longer one to 1,333 at most; a square of this side shows
# pictures of 4:3, upright or not, at nearly that scale.
_DETECTION_SIDE = 1088
_MEASURED_AT = {"faster_rcnn": "a shorter side of 800 and a longer one of 1333 at most"}

# torchvision's networks that map their input from ImageNet's statistics to mean 0.5 and standard deviation 0.5
# themselves (`transform_input`). Ours take what the layers take.
_MAP_THEIR_INPUT = ("googlenet", "inception_v3")


def torchvision_weights(network: str) -> list[WeightsEntry]:
    """The weights of torchvision for one of hubel's networks, in its order."""
    if network not in _BUILDERS:
        return []
    from torchvision.models import get_model_weights

    published = get_model_weights(_BUILDERS[network])
    # VGG-16 has weights without a classifier, too; they have no categories.
    return [_entry(network, weights) for weights in published if weights.meta["categories"]]


@lru_cache(maxsize=1)
def imagenet_labels() -> tuple[str, ...]:
    """The names of ImageNet-1k's classes in the usual order, that of their WordNet numbers."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _entry(network: str, weights: Any) -> WeightsEntry:
    ((measured, figures),) = weights.meta["_metrics"].items()
    file = weights.url.rpartition("/")[2]
    builder = _BUILDERS[network]
    return WeightsEntry(
        name=f"{network}.{weights.name.lower()}",
        network=network,
        source=Download(weights.url, file, sha256=file.rpartition("-")[2].partition(".")[0]),
        origin=f"torchvision, {type(weights).__name__}.{weights.name}",
        licence="BSD-3-Clause",
        data=_DATA[measured],
        top1=figures.get("acc@1"),
        top5=figures.get("acc@5"),
        preprocess=_preprocess(weights.transforms(), own_statistics=builder in _MAP_THEIR_INPUT),
        labels=_labels(network, weights),
        figures={name: figures[theirs] for theirs, name in _FIGURES.items() if theirs in figures},
        measured_at=_MEASURED_AT.get(network),
        arguments=_ARGUMENTS.get(network, {}),
    )


def _labels(network: str, weights: Any) -> tuple[str, ...]:
    """The classes' names; to a detector of hubel, the background is none."""
    names = tuple(weights.meta["categories"])
    return names[1:] if model_entry(network).task == "detection" else names


def _preprocess(transforms: Any, *, own_statistics: bool) -> Preprocess:
    if not hasattr(transforms, "resize_size"):  # a detector resizes and normalises by itself
        return Preprocess(size=(_DETECTION_SIDE, _DETECTION_SIDE), resize="fit")
    (resize_to,) = transforms.resize_size
    (side,) = getattr(transforms, "crop_size", transforms.resize_size)  # for masks, nothing is cropped
    interpolation: Interpolation = transforms.interpolation.value
    mean, std = ((0.5,) * 3, (0.5,) * 3) if own_statistics else (transforms.mean, transforms.std)
    return Preprocess(
        size=(side, side),
        resize_to=resize_to,
        interpolation=interpolation,
        antialias=bool(transforms.antialias),
        mean=tuple(mean),
        std=tuple(std),
    )
