"""How other libraries name the parameters of hubel's networks.

A naming is a function from a parameter's name in hubel to its name in the file. Which naming a file has is
told by its names themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from hubel.models.classification.alexnet import OneColumnAlexNet
from hubel.models.classification.densenet import DenseNet
from hubel.models.classification.googlenet import BatchNormGoogLeNet
from hubel.models.classification.inception_resnet_v2 import InceptionResNetV2
from hubel.models.classification.inception_v3 import InceptionV3
from hubel.models.classification.inception_v4 import InceptionV4
from hubel.models.classification.resnet import ResNet
from hubel.models.classification.resnet_cifar import CifarResNet
from hubel.models.classification.resnetv2 import ResNetV2
from hubel.models.classification.timm_backbone import TimmNetwork
from hubel.models.classification.vgg import VGG
from hubel.models.classification.xception import Xception
from hubel.models.detection.faster_rcnn import FasterRCNN
from hubel.models.segmentation.fcn_resnet import DilatedFCN
from hubel.weights.names.alexnet_vgg import in_torchvision, torchvision_numbers
from hubel.weights.names.densenet import published_densenet, torchvision_densenet
from hubel.weights.names.faster_rcnn import torchvision_faster_rcnn
from hubel.weights.names.fcn import torchvision_fcn
from hubel.weights.names.inception import torchvision_googlenet, torchvision_inception_v3
from hubel.weights.names.inception_v4 import timm_inception_resnet_v2, timm_inception_v4
from hubel.weights.names.resnet import akamaster_resnet, torchvision_resnet
from hubel.weights.names.resnetv2 import timm_resnetv2
from hubel.weights.names.timm_networks import efficientnet_pytorch, timm_names
from hubel.weights.names.xception import timm_xception


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


def _timm_namings(network: nn.Module) -> list[Naming]:
    assert isinstance(network, TimmNetwork)
    timm_name = timm_names(network)
    return [
        Naming("timm", timm_name),
        Naming("efficientnet_pytorch", lambda name: efficientnet_pytorch(timm_name(name))),
    ]


def _inception_resnet_v2_namings(network: nn.Module) -> list[Naming]:
    assert isinstance(network, InceptionResNetV2)
    return [Naming("timm", timm_inception_resnet_v2)] if network.layout == "released" else []


def _torchvision_faster_rcnn(network: nn.Module) -> list[Naming]:
    assert isinstance(network, FasterRCNN)
    on_resnet = "conv5" in dict(network.backbone.stages.named_children())
    return [Naming("torchvision", torchvision_faster_rcnn)] if on_resnet and network.pyramid is not None else []


def _torchvision_alexnet_vgg(network: nn.Module) -> list[Naming]:
    assert isinstance(network, OneColumnAlexNet | VGG)
    return [Naming("torchvision", torchvision_numbers(network))] if in_torchvision(network) else []


_KNOWN: dict[type[nn.Module], Callable[[nn.Module], list[Naming]]] = {
    OneColumnAlexNet: _torchvision_alexnet_vgg,
    VGG: _torchvision_alexnet_vgg,
    ResNet: lambda _: [Naming("torchvision", torchvision_resnet)],
    CifarResNet: lambda _: [Naming("akamaster/pytorch_resnet_cifar10", akamaster_resnet)],
    ResNetV2: lambda _: [Naming("timm", timm_resnetv2)],
    DenseNet: lambda _: [
        Naming("torchvision", torchvision_densenet),
        Naming("torchvision's files", published_densenet),
    ],
    BatchNormGoogLeNet: lambda _: [Naming("torchvision", torchvision_googlenet)],
    InceptionV3: lambda _: [Naming("torchvision", torchvision_inception_v3)],
    InceptionV4: lambda _: [Naming("timm", timm_inception_v4)],
    InceptionResNetV2: _inception_resnet_v2_namings,
    Xception: lambda _: [Naming("timm", timm_xception)],
    TimmNetwork: _timm_namings,
    FasterRCNN: _torchvision_faster_rcnn,
    DilatedFCN: lambda _: [Naming("torchvision", torchvision_fcn)],
}
