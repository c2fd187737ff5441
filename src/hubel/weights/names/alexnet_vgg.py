"""The names in torchvision of the parameters of AlexNet and VGG."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from hubel.models.network import ClassificationNetwork
from hubel.nn import LocalResponseNorm


def in_torchvision(network: ClassificationNetwork) -> bool:
    """Whether torchvision has the network: not VGG's A-LRN with its normalisation, nor C with its 1×1 convolutions."""
    return not any(
        isinstance(module, LocalResponseNorm) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))
        for module in network.modules()
    )


def torchvision_numbers(network: ClassificationNetwork) -> Callable[[str], str]:
    """From a name to torchvision's, which counts the layers: of `stages.conv2.conv1.bias` of VGG-11, `features.3.bias`.

    All stages are one row of layers there, and what follows the head's pooling and flattening is another.
    """
    features = [f"stages.{name}.{layer}" for name, stage in network.stages.named_children() for layer in _layers(stage)]
    classifier = [f"head.{layer}" for layer in _layers(network.head) if layer not in ("pool", "flatten")]
    numbers = {layer: f"features.{number}" for number, layer in enumerate(features)}
    numbers |= {layer: f"classifier.{number}" for number, layer in enumerate(classifier)}

    def file_name(name: str) -> str:
        layer, _, tensor = name.rpartition(".")
        return f"{numbers[layer]}.{tensor}"

    return file_name


def _layers(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]
