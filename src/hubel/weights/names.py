"""How other libraries name the parameters of hubel's networks.

A naming is a function from a parameter's name in hubel to its name in the file. Which naming a file has is
told by its names themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from hubel.models.classification.resnet import ResNet
from hubel.models.classification.resnet_cifar import CifarResNet
from hubel.models.classification.timm_backbone import TimmNetwork


@dataclass(frozen=True)
class Naming:
    """One way to name a network's parameters.

    Attributes:
        origin: Who names them so.
        file_name: From the name in hubel to the name in the file.
    """

    origin: str
    file_name: Callable[[str], str]


def namings(network: nn.Module) -> list[Naming]:
    """Every naming that is known for a network, hubel's own first."""
    own = Naming("hubel", lambda name: name)
    return [
        own,
        *(naming for kind, known in _KNOWN.items() if isinstance(network, kind) for naming in known(network)),
    ]


def recognise(network: nn.Module, file_names: Iterable[str]) -> Naming:
    """The naming under which most of a network's parameters are in a file."""
    present = set(file_names)
    own = list(network.state_dict())
    return max(namings(network), key=lambda naming: sum(naming.file_name(name) in present for name in own))


def torchvision_resnet(name: str) -> str:
    """The name in torchvision: of `stages.conv2.block1.norm1.bias`, it is `layer1.0.bn1.bias`."""
    name = re.sub(r"^stages\.conv1\.(conv|norm)\.", r"\g<1>1.", name)
    name = re.sub(r"^stages\.conv(\d+)\.block(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{int(m[2]) - 1}.", name)
    name = re.sub(r"\bnorm(\d)\.", r"bn\1.", name)
    name = name.replace("shortcut.conv.", "downsample.0.").replace("shortcut.norm.", "downsample.1.")
    return name.replace("head.out.", "fc.")


def akamaster_resnet(name: str) -> str:
    """The name of a CIFAR ResNet's parameter in github.com/akamaster/pytorch_resnet_cifar10."""
    name = torchvision_resnet(name).replace("downsample.", "shortcut.")
    return re.sub(r"^fc\.", "linear.", name)


def timm_names(network: TimmNetwork) -> Callable[[str], str]:
    """From a name in a wrapped timm network to timm's own name."""
    prefixes = sorted(network.timm_prefixes.items(), key=lambda item: -len(item[0]))

    def file_name(name: str) -> str:
        return next(other + name.removeprefix(own) for own, other in prefixes if name.startswith(own))

    return file_name


# EfficientNet's blocks per stage (Tan & Le 2019, arXiv:1905.11946, table 1; the Lite variant of B0 has the
# same).
EFFICIENTNET_B0_BLOCKS = (1, 2, 2, 3, 3, 4, 1)

# The layers of a block, by timm's names: the first block has no expansion.
_FIRST_BLOCK = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_OTHER_BLOCKS = {
    **{"conv_pw": "_expand_conv", "bn1": "_bn0"},
    **{"conv_dw": "_depthwise_conv", "bn2": "_bn1"},
    **{"conv_pwl": "_project_conv", "bn3": "_bn2"},
}
_OUTSIDE_BLOCKS = {
    **{"conv_stem": "_conv_stem", "bn1": "_bn0"},
    **{"conv_head": "_conv_head", "bn2": "_bn1"},
    "classifier": "_fc",
}


def efficientnet_pytorch(timm_name: str) -> str:
    """The name in `efficientnet_pytorch` of a parameter that timm names so, for the depth of EfficientNet-B0.

    `blocks.1.0.conv_dw.weight` is `_blocks.1._depthwise_conv.weight`: that package numbers the blocks
    through.
    """
    parts = timm_name.split(".")
    if parts[0] != "blocks":
        return ".".join([_OUTSIDE_BLOCKS.get(parts[0], parts[0]), *parts[1:]])
    stage, index, layer = int(parts[1]), int(parts[2]), parts[3]
    number = sum(EFFICIENTNET_B0_BLOCKS[:stage]) + index
    layers = _OTHER_BLOCKS if number else _FIRST_BLOCK
    return ".".join([f"_blocks.{number}", layers.get(layer, layer), *parts[4:]])


def _timm_namings(network: nn.Module) -> list[Naming]:
    assert isinstance(network, TimmNetwork)
    timm_name = timm_names(network)
    return [
        Naming("timm", timm_name),
        Naming("efficientnet_pytorch", lambda name: efficientnet_pytorch(timm_name(name))),
    ]


_KNOWN: dict[type[nn.Module], Callable[[nn.Module], list[Naming]]] = {
    ResNet: lambda _: [Naming("torchvision", torchvision_resnet)],
    CifarResNet: lambda _: [Naming("akamaster/pytorch_resnet_cifar10", akamaster_resnet)],
    TimmNetwork: _timm_namings,
}
