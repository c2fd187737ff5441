"""FCN-32s, FCN-16s, FCN-8s: VGG-16 as a fully convolutional network, its scores enlarged in one, two or three steps.

J. Long, E. Shelhamer, T. Darrell, Fully Convolutional Networks for Semantic Segmentation, 2015, arXiv:1411.4038,
section 4 and figure 3; what the paper leaves open is as in github.com/shelhamer/fcn.berkeleyvision.org.

For an input of 500×500, as released (`padding="released"`), and with `padding="same"`:

| stage | layers | map | same |
| --- | --- | --- | --- |
| `conv1` | 3×3 64 twice, the first one padded by 100; max pool 2×2 | (N, 64, 349, 349) | (..., 250, 250) |
| `conv2` | 3×3 128 twice, max pool 2×2 | (N, 128, 175, 175) | (..., 125, 125) |
| `conv3` | 3×3 256 three times, max pool 2×2 | (N, 256, 88, 88) | (..., 63, 63) |
| `conv4` | 3×3 512 three times, max pool 2×2 | (N, 512, 44, 44) | (..., 32, 32) |
| `conv5` | 3×3 512 three times, max pool 2×2 | (N, 512, 22, 22) | (..., 16, 16) |
| `fc` | 7×7 4096, dropout, 1×1 4096, dropout | (N, 4096, 16, 16) | (..., 16, 16) |
| `head` | 1×1 to scores, enlarged 32 times | (N, num_classes, 544, 544) | (..., 512, 512) |

FCN-16s enlarges the scores twice, adds those of a 1×1 on `conv4`, and enlarges the sum 16 times; FCN-8s does the same
once more with `conv3`. Pools round upwards. The network cuts the head's map to the input's size.

**The padding of 100** makes room for the 7×7 convolution, which is not padded, whatever the picture's size. The maps
then overhang the picture, and the released networks cut them with the offsets 5 (`conv4`), 9 (`conv3`) and 19, 27 or 31
(the result of FCN-32s, 16s, 8s). `padding="released"` does exactly that. `padding="same"` pads the first convolution by
1 and the 7×7 by 3 instead: every map lies on the picture, the offsets are 0, and there is less to compute.

Enlarging starts as bilinear interpolation. The twofold steps have a kernel for each pair of classes and learn, the last
step is fixed (section 4.3), so that here it has one kernel for each class and no zeros between classes; the released
files have them. Scores start at zero (section 4.3).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack, get_args

import torch
from torch import Tensor, nn

from hubel.models.classification.vgg import WIDTHS, D, convolutions
from hubel.models.registry import register
from hubel.models.segmentation.network import SegmentationNetwork
from hubel.nn import bilinear_upsampling

Padding = Literal["released", "same"]

SOURCE = "Long et al. 2015, arXiv:1411.4038, section 4"

FC_CHANNELS = 4096

# The stages whose scores are added by the way, and where the released networks cut a map: the score of a stage, and the
# result by the factor of the last step.
SKIPS = {32: (), 16: ("conv4",), 8: ("conv4", "conv3")}
SKIP_OFFSETS = {"conv4": 5, "conv3": 9}
RESULT_OFFSETS = {32: 19, 16: 27, 8: 31}


class SkipScores(nn.Module):
    """Scores of maps of ever finer strides, each enlarged twofold and added to the next, the sum enlarged at last.

    Args:
        num_classes: Number of scores of a pixel.
        skips: The stages whose scores are added, the coarser first.
        factor: Of the last step.
        padding: See the module.
    """

    def __init__(self, num_classes: int, skips: Sequence[str], factor: int, padding: Padding) -> None:
        super().__init__()
        self.out_channels = num_classes
        self.skips, self.factor, self.padding = tuple(skips), factor, padding
        released = padding == "released"
        self.fc = nn.Conv2d(FC_CHANNELS, num_classes, 1)
        for name in skips:
            twofold = nn.ConvTranspose2d(
                num_classes, num_classes, 4, stride=2, padding=0 if released else 1, bias=False
            )
            with torch.no_grad():
                kernel = bilinear_upsampling(1, 2).weight[0, 0]
                twofold.weight.copy_(torch.eye(num_classes)[:, :, None, None] * kernel)
            self.add_module(name, nn.Conv2d(WIDTHS[int(name[-1]) - 1], num_classes, 1))
            self.add_module(f"to_{name}", twofold)
        self.enlarge = bilinear_upsampling(num_classes, factor, learnable=False)
        if released:
            self.enlarge.padding = (0, 0)
        for score in (self.fc, *(self.get_submodule(name) for name in skips)):
            nn.init.zeros_(score.weight)  # type: ignore[arg-type]
            nn.init.zeros_(score.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Scores of the map of `fc` and of those of `skips`, in this order; they overhang the picture."""
        x = self.fc(maps[0])  # (N, num_classes, about H / 32, about W / 32)
        for name, finer in zip(self.skips, maps[1:], strict=True):
            x = self.get_submodule(f"to_{name}")(x)
            offset = SKIP_OFFSETS[name] if self.padding == "released" else 0
            skip = self.get_submodule(name)(finer)[:, :, offset:, offset:]
            height, width = (min(sides) for sides in zip(x.shape[2:], skip.shape[2:], strict=True))
            x = x[:, :, :height, :width] + skip[:, :, :height, :width]
        return self.enlarge(x)  # type: ignore[no-any-return]

    def for_classes(self, num_classes: int) -> SkipScores:
        """New scores for another number of classes."""
        return SkipScores(num_classes, self.skips, self.factor, self.padding)


class FCN(SegmentationNetwork):
    """A network of figure 3 on VGG-16.

    Args:
        factor: Of the last enlargement: 32, 16 or 8.
        num_classes: Number of logits of a pixel; 21 are those of PASCAL VOC with its background.
        in_channels: Channels of the input.
        dropout: Probability to drop a value behind each layer of `fc`.
        padding: `"released"`, the first convolution padded by 100, or `"same"`; see the module.

    Raises:
        ValueError: The padding is unknown.
    """

    def __init__(
        self,
        factor: int,
        *,
        num_classes: int = 21,
        in_channels: int = 3,
        dropout: float = 0.5,
        padding: Padding = "released",
    ) -> None:
        if padding not in get_args(Padding):
            raise ValueError(f"padding is '{padding}': expected {' or '.join(get_args(Padding))}")
        released = padding == "released"
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (before, width, kernels) in enumerate(
            zip([in_channels, *WIDTHS], WIDTHS, D, strict=False), start=1
        ):
            stage = convolutions(before, width, kernels, batch_norm=False, response_norm=False)
            stage.pool = nn.MaxPool2d(2, ceil_mode=True)
            if number == 1 and released:
                stage.conv1 = nn.Conv2d(before, width, 3, padding=100)
            stages[f"conv{number}"] = stage
        layers: list[tuple[str, nn.Module]] = [
            ("fc6", nn.Conv2d(WIDTHS[-1], FC_CHANNELS, 7, padding=0 if released else 3)),
            ("relu6", nn.ReLU(inplace=True)),
            ("drop6", nn.Dropout(dropout)),
            ("fc7", nn.Conv2d(FC_CHANNELS, FC_CHANNELS, 1)),
            ("relu7", nn.ReLU(inplace=True)),
            ("drop7", nn.Dropout(dropout)),
        ]
        stages["fc"] = nn.Sequential(OrderedDict(layers))
        for module in nn.ModuleList(stages.values()).modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        super().__init__(
            stages,
            nn.Sequential(OrderedDict(out=SkipScores(num_classes, SKIPS[factor], factor, padding))),
            in_channels=in_channels,
            strides=(2, 4, 8, 16, 32, 32),
            out_channels=(*WIDTHS, FC_CHANNELS),
        )
        self.skips = SKIPS[factor]
        self.offset = RESULT_OFFSETS[factor] if released else 0

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W)."""
        self.check_input(x)
        height, width = x.shape[2:]
        maps: dict[str, Tensor] = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.skips:
                maps[name] = x
        logits = self.head([x, *(maps[name] for name in self.skips)])
        return logits[:, :, self.offset : self.offset + height, self.offset : self.offset + width]  # type: ignore[no-any-return]


def vgg16_made_convolutional(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `vgg16` under the names and in the shapes of an FCN; the layer that knew the classes is left out.

    A dense layer on a map of 512×7×7 is a convolution with a kernel of 7×7 (section 3.1).

    Args:
        tensors: A `state_dict` of `vgg16`.

    Returns:
        All tensors of an FCN but those of its head.
    """
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith("stages.")}
    for layer, kernel in (("fc6", 7), ("fc7", 1)):
        kept[f"stages.fc.{layer}.weight"] = _unflattened(tensors[f"head.{layer}.weight"], kernel)
        kept[f"stages.fc.{layer}.bias"] = tensors[f"head.{layer}.bias"]
    return kept


def _unflattened(weight: Tensor, kernel: int) -> Tensor:
    """A dense layer's weight (C_out, C_in kernel²) as a convolution's (C_out, C_in, kernel, kernel)."""
    return weight.reshape(len(weight), -1, kernel, kernel)


class Options(TypedDict, total=False):
    """What every builder below takes; see `FCN`."""

    num_classes: int
    in_channels: int
    dropout: float
    padding: Padding


@register(
    "fcn32s",
    source=SOURCE,
    input_size=(3, 500, 500),
    summary="VGG-16 made convolutional, its scores enlarged 32 times",
    task="segmentation",
)
def fcn32s(**options: Unpack[Options]) -> FCN:
    """FCN-32s: 134,432,597 parameters for 21 classes, of which the last step's 86,016 are fixed."""
    return FCN(32, **options)


@register(
    "fcn16s",
    source=SOURCE,
    input_size=(3, 500, 500),
    summary="FCN-32s with scores of the fourth stage",
    task="segmentation",
)
def fcn16s(**options: Unpack[Options]) -> FCN:
    """FCN-16s: 134,385,914 parameters for 21 classes, of which the last step's 21,504 are fixed."""
    return FCN(16, **options)


@register(
    "fcn8s",
    source=SOURCE,
    input_size=(3, 500, 500),
    summary="FCN-32s with scores of the fourth and of the third stage",
    task="segmentation",
)
def fcn8s(**options: Unpack[Options]) -> FCN:
    """FCN-8s: 134,382,239 parameters for 21 classes, of which the last step's 5,376 are fixed."""
    return FCN(8, **options)
