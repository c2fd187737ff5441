"""The names of pre-activation ResNets' parameters in timm."""

from __future__ import annotations

import re


def timm_resnetv2(name: str) -> str:
    """The name in timm: of `stages.conv2.block1.norm1.bias`, it is `stages.0.blocks.0.norm1.bias`."""
    name = name.replace("stages.conv1.conv.", "stem.conv.").replace("stages.conv5.norm.", "norm.")
    name = re.sub(
        r"^stages\.conv(\d+)\.block(\d+)\.", lambda m: f"stages.{int(m[1]) - 2}.blocks.{int(m[2]) - 1}.", name
    )
    return name.replace(".projection.", ".downsample.conv.").replace("head.out.", "head.fc.")
