"""The names of DenseNets' parameters in torchvision, and in the files that it publishes."""

from __future__ import annotations

import re


def torchvision_densenet(name: str) -> str:
    """The name in torchvision.

    Of `stages.block1.dense.layer2.norm1.bias`, it is `features.denseblock1.denselayer2.norm1.bias`.
    """
    name = re.sub(r"^stages\.conv\.(conv|norm)\.", r"features.\g<1>0.", name)
    name = re.sub(r"^stages\.block(\d+)\.dense\.layer(\d+)\.", r"features.denseblock\1.denselayer\2.", name)
    name = re.sub(r"^stages\.block(\d+)\.transition\.", lambda match: f"features.transition{int(match[1]) - 1}.", name)
    return name.replace("stages.block4.norm.", "features.norm5.").replace("head.out.", "classifier.")


def published_densenet(name: str) -> str:
    """The name in the published files, which are older: there, a dense layer's `norm1` is `norm.1`."""
    return re.sub(r"(\.denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", torchvision_densenet(name))
