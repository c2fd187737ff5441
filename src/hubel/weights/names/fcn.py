"""The names of a dilated FCN's parameters in torchvision."""

from __future__ import annotations

from hubel.weights.names.resnet import torchvision_resnet

# The layers of both heads in torchvision's sequence.
_NUMBERS = {"conv": 0, "norm": 1, "out": 4}


def torchvision_fcn(name: str) -> str:
    """The name in torchvision.

    Of `stages.conv2.block1.norm1.bias`, it is `backbone.layer1.0.bn1.bias`; of `aux_heads.conv4.out.weight`,
    `aux_classifier.4.weight`.
    """
    if name.startswith("stages."):
        return f"backbone.{torchvision_resnet(name)}"
    head, layer, tensor = name.rsplit(".", 2)
    return f"{'classifier' if head == 'head' else 'aux_classifier'}.{_NUMBERS[layer]}.{tensor}"
