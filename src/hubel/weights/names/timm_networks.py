"""The names of timm's networks' parameters: its own, and those of the file of EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Callable

from hubel.models.classification.timm_backbone import TimmNetwork


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
