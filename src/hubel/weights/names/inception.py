"""The names of GoogLeNet's and Inception-v3's parameters in torchvision."""

from __future__ import annotations

import re

# Our part of a GoogLeNet's name and torchvision's; the longer ones first where one begins with another.
_GOOGLENET = {
    "stages.conv1.": "conv1.",
    "stages.conv2.reduce.": "conv2.",
    "stages.conv2.conv.": "conv3.",
    "aux_heads.inception4a.": "aux1.",
    "aux_heads.inception4d.": "aux2.",
    "head.out.": "fc.",
    "stages.": "",
    ".module.": ".",
    ".branch3.reduce.": ".branch2.0.",
    ".branch3.conv.": ".branch2.1.",
    ".branch5.reduce.": ".branch3.0.",
    ".branch5.conv.": ".branch3.1.",
    ".branch_pool.project.": ".branch4.1.",
    ".dense.": ".fc1.",
    ".out.": ".fc2.",
    ".norm.": ".bn.",
}

_INCEPTION_V3_STEM = {
    "conv1a": "Conv2d_1a_3x3",
    "conv2a": "Conv2d_2a_3x3",
    "conv2b": "Conv2d_2b_3x3",
    "conv3b": "Conv2d_3b_1x1",
    "conv4a": "Conv2d_4a_3x3",
}
_INCEPTION_V3_AUXILIARY = {"conv1": "conv0", "conv2": "conv1", "out": "fc"}


def torchvision_googlenet(name: str) -> str:
    """The name in torchvision: of `stages.inception3b.branch3.reduce.norm.bias`, `inception3b.branch2.0.bn.bias`."""
    for own, theirs in _GOOGLENET.items():
        name = name.replace(own, theirs)
    return name


def torchvision_inception_v3(name: str) -> str:
    """The name in torchvision: of `stages.mixed6b.branch7x7.1.norm.bias`, it is `Mixed_6b.branch7x7_2.bn.bias`."""
    name = name.replace(".norm.", ".bn.").replace(".module.", ".")
    if name.startswith("head.out."):
        return name.replace("head.out.", "fc.")
    place, stage, rest = name.split(".", 2)
    if place == "aux_heads":
        layer, _, rest = rest.partition(".")
        return f"AuxLogits.{_INCEPTION_V3_AUXILIARY[layer]}.{rest}"
    if stage in _INCEPTION_V3_STEM:
        return f"{_INCEPTION_V3_STEM[stage]}.{rest}"
    return f"{stage.replace('mixed', 'Mixed_')}.{_branch(rest)}"


def _branch(rest: str) -> str:
    """`branch3x3_double.2.wide.conv.weight` is `branch3x3dbl_3a.conv.weight`: layers are counted from 1."""
    rest = rest.replace("_double", "dbl").replace("7x7_3x3", "7x7x3").replace("branch_pool.1.", "branch_pool.")
    rest = re.sub(r"\.(\d)\.", lambda match: f"_{int(match[1]) + 1}.", rest)
    return rest.replace(".wide.", "a.").replace(".tall.", "b.")
