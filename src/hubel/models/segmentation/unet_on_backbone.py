"""U-Net's expanding path on any classification network: `unet/resnet18`, `unet/timm/tf_efficientnet_lite0`.

The idea is that of O. Ronneberger, P. Fischer, T. Brox 2015, arXiv:1505.04597, with an encoder that may be pretrained,
as in V. Iglovikov, A. Shvets 2018, TernausNet, arXiv:1801.05746. On ResNet-18, for an input of 256×256:

| stage | layers | map |
| --- | --- | --- |
| `conv1` | the backbone's | (N, 64, 128, 128) |
| `conv2` | the backbone's | (N, 64, 64, 64) |
| `conv3` | the backbone's | (N, 128, 32, 32) |
| `conv4` | the backbone's | (N, 256, 16, 16) |
| `conv5` | the backbone's | (N, 512, 8, 8) |
| `up16` | up-convolution 256, beside `conv4`, 3×3 256 twice | (N, 256, 16, 16) |
| `up8` | up-convolution 128, beside `conv3`, 3×3 128 twice | (N, 128, 32, 32) |
| `up4` | up-convolution 64, beside `conv2`, 3×3 64 twice | (N, 64, 64, 64) |
| `up2` | up-convolution 32, beside `conv1`, 3×3 32 twice | (N, 32, 128, 128) |
| `up1` | up-convolution 16, 3×3 16 twice | (N, 16, 256, 256) |
| `head` | 1×1 to the classes | (N, num_classes, 256, 256) |

The stage `up<s>` makes a map whose steps are s input pixels, out of 16 s channels, at most 256; so are the decoders of
segmentation_models_pytorch (P. Iakubovskii 2019), which have nearest-neighbour upsampling instead of up-convolutions.
Beside it comes the last of the backbone's maps with that stride. BatchNorm and a ReLU follow every 3×3, which keeps the
size. Where a backbone's map is not as large as the enlarged one, because it rounds or does not pad, the enlarged one is
cut to its middle or its border pixels are repeated.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import Tensor, nn

from hubel.models.backbone import build_backbone
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register_family
from hubel.models.segmentation.network import SegmentationNetwork, centred, pixel_classifier
from hubel.models.segmentation.unet import Upsampling, UpStage, draw_weights

CHANNELS_PER_STRIDE = 16
MOST_CHANNELS = 256


class UNetOnBackbone(SegmentationNetwork):
    """An expanding path behind the stages of a classification network, whose head is left out.

    Args:
        encoder: The classification network; its stages become the first stages of this one, under the same names.
        num_classes: Number of logits of a pixel.
        upsampling: `"transposed"` (up-convolutions) or `"bilinear"`.

    Attributes:
        skips: Of each stage of the decoder, the encoder's stage whose map comes beside it; None where there is none.

    Raises:
        ValueError: The encoder takes one size only, or its stages do not shrink the map.
    """

    def __init__(
        self, encoder: ClassificationNetwork, *, num_classes: int = 2, upsampling: Upsampling = "transposed"
    ) -> None:
        if encoder.size is not None:
            raise ValueError(f"the backbone takes pictures of {encoder.size} only: expected one that takes any size")
        stages: OrderedDict[str, nn.Module] = OrderedDict(encoder.stages.named_children())
        described = dict(zip(stages, zip(encoder.strides, encoder.out_channels, strict=True), strict=True))
        last = {stride: name for name, (stride, _) in described.items()}  # the last stage of each stride
        if len(last) < 2:
            raise ValueError(
                f"the backbone's maps all have stride {min(last)}: expected one whose stages shrink the map in steps"
            )
        targets = sorted({1, *last}, reverse=True)  # the strides of the way up, the encoder's coarsest first
        skips: dict[str, str | None] = {}
        channels = described[last[targets[0]]][1]
        strides, out_channels = list(encoder.strides), list(encoder.out_channels)
        for before, stride in pairwise(targets):
            width = min(CHANNELS_PER_STRIDE * stride, MOST_CHANNELS)
            skip = last.get(stride)
            stages[f"up{stride}"] = UpStage(
                *(channels, described[skip][1] if skip else 0, width),
                factor=before // stride,
                upsampling=upsampling,
                padded=True,
                batch_norm=True,
            )
            skips[f"up{stride}"] = skip
            strides.append(stride)
            out_channels.append(width)
            channels = width
        super().__init__(
            stages,
            pixel_classifier(channels, num_classes),
            in_channels=encoder.in_channels,
            strides=strides,
            out_channels=out_channels,
            smallest=encoder.smallest,
            encoder=tuple(described),
        )
        self.skips = skips
        for name in skips:
            draw_weights(self.stages[name])

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W)."""
        self.check_input(x)
        size = x.shape[2:]
        needed = set(self.skips.values())
        maps: dict[str, Tensor] = {}
        for name, stage in self.stages.items():
            if name in self.skips:
                skip = self.skips[name]
                x = stage(x, None if skip is None else maps.pop(skip))
            else:
                x = stage(x)
                if name in needed:
                    maps[name] = x
        return self.head(centred(x, size))  # type: ignore[no-any-return]


@register_family(
    "unet",
    source="the decoder of Ronneberger et al. 2015, arXiv:1505.04597, on a classification network",
    input_size=(3, 256, 256),
    summary="U-Net's expanding path on a classification network",
    task="segmentation",
)
def unet_on_backbone(
    backbone: str | ClassificationNetwork,
    /,
    *,
    num_classes: int = 2,
    in_channels: int = 3,
    upsampling: Upsampling = "transposed",
) -> UNetOnBackbone:
    """U-Net on a backbone: on ResNet-18, 14,241,298 parameters for two classes."""
    encoder = build_backbone(backbone, in_channels)
    return UNetOnBackbone(encoder, num_classes=num_classes, upsampling=upsampling)
