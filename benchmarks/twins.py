"""hubel's networks and their twins in torchvision and timm, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Twin:
    """The same network in another library.

    Attributes:
        library: `"torchvision"` or `"timm"`.
        name: Its name there.
        arguments: What its builder is told.
        size: Height and width of the standard input.
    """

    library: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    size: int = 224

    def build(self) -> nn.Module:
        """The twin with fresh weights."""
        if self.library == "timm":
            import timm

            return timm.create_model(self.name, **self.arguments)
        import torchvision

        return getattr(torchvision.models, self.name)(**self.arguments)


_AUX = {"init_weights": False, "aux_logits": True}
_VGG = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
_RESNET = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
_DENSENET = [f"densenet{depth}" for depth in (121, 161, 169, 201)]

TWINS = {
    "alexnet_owt": Twin("torchvision", "alexnet"),
    **{name: Twin("torchvision", name, {"init_weights": False}) for name in _VGG},
    "googlenet_bn": Twin("torchvision", "googlenet", _AUX),
    "inception_v3": Twin("torchvision", "inception_v3", _AUX, 299),
    **{name: Twin("torchvision", name) for name in _RESNET},
    **{name: Twin("torchvision", name) for name in _DENSENET},
    "inception_v4": Twin("timm", "inception_v4", size=299),
    "inception_resnet_v2": Twin("timm", "inception_resnet_v2", size=299),
    "xception": Twin("timm", "legacy_xception", size=299),
    "resnetv2_50": Twin("timm", "resnetv2_50"),
    "resnetv2_101": Twin("timm", "resnetv2_101"),
    "timm/tf_efficientnet_lite0": Twin("timm", "tf_efficientnet_lite0"),
}
