"""The names of Inception-v4's and Inception-ResNet-v2's parameters in timm."""

from __future__ import annotations

import re

# Where timm's row of modules, `features.0` and on, begins a stage.
_FIRST_FEATURE = {"inception_a": 6, "reduction_a": 10, "inception_b": 11, "reduction_b": 18, "inception_c": 19}

# The concatenations of the stem: timm names the branches of the middle one only, the others have one convolution.
_CONCATENATIONS = {"concat1.branch2": "3.conv", "concat3.branch1": "5.conv"}

# The parts of an Inception-C, whose branches fork: `branch2.1.branch1` is the first end of the second branch.
_FORKS = {
    **{"branch2.0": "branch1_0", "branch2.1.branch1": "branch1_1a", "branch2.1.branch2": "branch1_1b"},
    **{"branch3.0": "branch2_0", "branch3.1": "branch2_1", "branch3.2": "branch2_2"},
    **{"branch3.3.branch1": "branch2_3a", "branch3.3.branch2": "branch2_3b"},
}


def timm_inception_v4(name: str) -> str:
    """The name in timm: of `stages.inception_a.block1.branch2.0.norm.bias`, it is `features.6.branch1.0.bn.bias`."""
    name = name.replace(".norm.", ".bn.").replace("head.out.", "last_linear.")
    name = re.sub(r"^stages\.stem\.conv(\d)\.", lambda m: f"features.{int(m[1]) - 1}.", name)
    name = re.sub(r"^stages\.stem\.(concat[13]\.branch\d)\.", lambda m: f"features.{_CONCATENATIONS[m[1]]}.", name)
    name = name.replace("stages.stem.concat2.", "features.4.")
    if inside := re.match(r"stages\.(\w+)\.(?:block(\d)\.)?(.+)", name):
        stage, number, rest = inside[1], int(inside[2] or 1), inside[3]
        if stage == "inception_c":
            rest = re.sub(r"^branch[23](\.\d)(\.branch\d)?(?=\.)", lambda m: _FORKS[m[0]], rest)
        name = f"features.{_FIRST_FEATURE[stage] + number - 1}.{rest}"
    return _branches_from_zero(name)


_INCEPTION_RESNET_STAGES = {
    **{"stages.stem.conv1": "conv2d_1a", "stages.stem.conv2": "conv2d_2a", "stages.stem.conv3": "conv2d_2b"},
    **{"stages.stem.conv4": "conv2d_3b", "stages.stem.conv5": "conv2d_4a", "stages.stem.inception": "mixed_5b"},
    **{"stages.reduction_a": "mixed_6a", "stages.reduction_b": "mixed_7a"},
    **{"stages.projection": "conv2d_7b", "head.out": "classif"},
}
_REPEATED = {"a": "repeat", "b": "repeat_1", "c": "repeat_2"}


def timm_inception_resnet_v2(name: str) -> str:
    """The name in timm of a parameter of the released network.

    Of `stages.inception_resnet_b.block1.branches.branch1.norm.bias`, it is `repeat_1.0.branch0.bn.bias`.
    """
    name = name.replace(".norm.", ".bn.").replace(".branches.", ".").replace(".linear.", ".conv2d.")
    name = re.sub(r"^stages\.inception_resnet_c\.block10\.", "block8.", name)
    name = re.sub(
        r"^stages\.inception_resnet_(\w)\.block(\d+)\.", lambda m: f"{_REPEATED[m[1]]}.{int(m[2]) - 1}.", name
    )
    for own, other in _INCEPTION_RESNET_STAGES.items():
        name = re.sub(rf"^{re.escape(own)}\.", f"{other}.", name)
    return _branches_from_zero(name)


def _branches_from_zero(name: str) -> str:
    return re.sub(r"\.branch(\d)\.", lambda m: f".branch{int(m[1]) - 1}.", name)
