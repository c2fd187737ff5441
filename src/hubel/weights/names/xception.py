"""The names of Xception's parameters in timm."""

from __future__ import annotations

import re


def timm_xception(name: str) -> str:
    """The name in timm's `legacy_xception`: of `stages.middle.block1.layers.norm3.bias`, it is `block4.rep.8.bias`.

    timm numbers the layers of a block through, so that where they begin with ReLU, the second separable convolution is
    the fifth layer.
    """
    name = name.replace("shortcut.conv.", "skip.").replace("shortcut.norm.", "skipbn.").replace("head.out.", "fc.")
    name = re.sub(r"^stages\.entry_conv\.(conv|norm)", r"\1", name)
    name = re.sub(r"^stages\.exit_conv\.(separable|norm)(\d)", lambda m: f"{m[1]}{int(m[2]) + 2}", name)
    name = re.sub(r"^stages\.entry_block", "block", name)
    name = re.sub(r"^stages\.middle\.block(\d)", lambda m: f"block{int(m[1]) + 3}", name)
    name = re.sub(r"^stages\.exit_block", "block12", name)
    name = re.sub(r"^(block\d+)\.layers\.(separable|norm)(\d)", _layer, name)
    name = re.sub(r"^norm(\d)", r"bn\1", name)
    return re.sub(r"^separable(\d)", r"conv\1", name).replace("depthwise.", "conv1.")


def _layer(found: re.Match[str]) -> str:
    """Layers come in threes: ReLU, separable convolution, BatchNorm; the first block has no first ReLU."""
    block, kind, number = found[1], found[2], int(found[3])
    index = 3 * (number - 1) + (1 if kind == "separable" else 2) - (1 if block == "block1" else 0)
    return f"{block}.rep.{index}"
