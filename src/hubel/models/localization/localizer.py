"""Class and box together: a second head on any classification network tells where the object is.

P. Sermanet et al., OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks, 2013,
arXiv:1312.6229, section 4: the classifier's stages serve both heads, and the box's head is dense layers on the last
map, which has places, not on its mean over the places.

`localizer/resnet18`, for an input of 224×224:

| part | layers | output |
| --- | --- | --- |
| `stages` | those of the backbone | (N, 512, 7, 7) |
| `head.classes` | the head of the backbone | (N, num_classes) |
| `head.box` | 1×1 to 64 channels, ReLU, pooled to 7×7, dense 256, ReLU, dense | (N, 4), with objectness (N, 5) |

The outputs of the two lie side by side, (N, num_classes + 4); what they mean is `hubel.tasks.localization`'s to say.

Departure: OverFeat has a box head of its own for each class, with dense layers of 4,096 and 1,024; here one box of
whatever class comes from fewer units, as such networks are trained on some hundreds or thousands of pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from torch import nn

from hubel.models.network import ClassificationNetwork, replace_last_layer
from hubel.models.registry import build_model, register_family
from hubel.nn import Concatenation

BOX_CHANNELS = 64
BOX_PLACES = 7
BOX_FEATURES = 256


def box_head(channels: int, outputs: int) -> nn.Sequential:
    """From the last map (N, channels, H, W) of any size to (N, outputs).

    It starts at outputs of 0, which mean a box in the middle of the picture, half as wide and as high.
    """
    out = nn.Linear(BOX_FEATURES, outputs)
    nn.init.zeros_(out.weight)
    nn.init.zeros_(out.bias)
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(channels, BOX_CHANNELS, 1)),  # (N, 64, H, W)
        ("relu1", nn.ReLU(inplace=True)),
        ("pool", nn.AdaptiveAvgPool2d(BOX_PLACES)),  # (N, 64, 7, 7)
        ("flatten", nn.Flatten(1)),
        ("dense", nn.Linear(BOX_CHANNELS * BOX_PLACES**2, BOX_FEATURES)),
        ("relu2", nn.ReLU(inplace=True)),
        ("out", out),
    ]
    return nn.Sequential(OrderedDict(layers))


class LocalizationNetwork(ClassificationNetwork):
    """A classification network with a box head beside its own; `forward` returns (N, num_classes + 4) in both modes.

    Row by row: the logits of the classes, then the box's centre x, centre y, width and height, each to be put through a
    sigmoid to be a share of the picture's width or height, then, where there is objectness, its logit.

    Args:
        network: Any classification network whose last map is (N, C, H, W), of hubel or of timm, with whatever weights
            it has. Its stages and its head become this one's own; auxiliary heads are left out.
        objectness: Whether to tell, too, whether there is an object at all, as for windows slid over a picture.
    """

    def __init__(self, network: ClassificationNetwork, *, objectness: bool = False) -> None:
        super().__init__(
            dict(network.stages.named_children()),
            Concatenation(classes=network.head, box=box_head(network.out_channels[-1], 5 if objectness else 4)),
            in_channels=network.in_channels,
            strides=network.strides,
            out_channels=network.out_channels,
            size=network.size,
            smallest=network.smallest,
        )
        self.objectness = objectness

    @property
    def out(self) -> nn.Module:
        """The last layer of the classes' head."""
        return cast(nn.Module, cast(nn.Module, self.head.classes).out)

    def replace_out(self, num_classes: int) -> None:
        """Give the classes' head a new last layer of the same kind for another number of classes."""
        replace_last_layer(cast(nn.Module, self.head.classes), num_classes)


@register_family(
    "localizer",
    source="after Sermanet et al. 2013, arXiv:1312.6229, section 4, on a classification network",
    input_size=(3, 224, 224),
    summary="class and box of one object a picture, on a classification network",
    task="localization",
)
def localizer(
    backbone: str | ClassificationNetwork,
    /,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    objectness: bool = False,
) -> LocalizationNetwork:
    """Class and box on a backbone: on ResNet-18, 12,526,444 parameters for 1,000 classes.

    Args:
        backbone: Of `list_models("classification")`, or `timm/<name>`; or a network, with whatever weights it has,
            whose head gets a new last layer where it has another number of classes.
        num_classes: Number of classes.
        in_channels: Channels of the input.
        objectness: Whether to tell, too, whether there is an object.
    """
    network = (
        build_model(backbone, num_classes=num_classes, in_channels=in_channels)
        if isinstance(backbone, str)
        else backbone
    )
    if not isinstance(network, ClassificationNetwork):
        raise ValueError(f"{backbone} is no classification network: expected one as backbone")
    if network.num_classes != num_classes:
        network.replace_out(num_classes)
    return LocalizationNetwork(network, objectness=objectness)
