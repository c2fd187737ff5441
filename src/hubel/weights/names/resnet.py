"""The names of ResNets' parameters elsewhere."""

from __future__ import annotations

import re


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
