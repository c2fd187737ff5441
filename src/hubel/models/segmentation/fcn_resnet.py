"""torchvision's fully convolutional ResNet-50: strides of the last two stages become dilations, a head of two layers.

The network is that of torchvision (`torchvision.models.segmentation.fcn_resnet50`), after J. Long, E. Shelhamer,
T. Darrell 2015, arXiv:1411.4038, with dilated convolutions as in F. Yu, V. Koltun 2015, arXiv:1511.07122.

For an input of 520×520:

| stage | layers | map |
| --- | --- | --- |
| `conv1` to `conv3` | as ResNet-50 | (N, 512, 65, 65) |
| `conv4` | as ResNet-50, stride 1; dilation 1 in the first block, 2 in the others | (N, 1024, 65, 65) |
| `conv5` | as ResNet-50, stride 1; dilation 2 in the first block, 4 in the others | (N, 2048, 65, 65) |
| `head` | 3×3 512 with BatchNorm and ReLU, dropout 0.1, 1×1 to the classes | (N, num_classes, 65, 65) |
| auxiliary | on `conv4`: 3×3 256 with BatchNorm and ReLU, dropout 0.1, 1×1 | (N, num_classes, 65, 65) |

The network then enlarges the logits by bilinear interpolation to the input's size. torchvision's training script weighs
the auxiliary loss with 0.5.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.classification.resnet import Bottleneck, ResNet
from hubel.models.network import LogitsWithAux
from hubel.models.registry import register
from hubel.models.segmentation.network import SegmentationNetwork

SOURCE = "torchvision's fcn_resnet50; Long et al. 2015, arXiv:1411.4038"

AUX_STAGE = "conv4"


def stride_to_dilation(stage: nn.Module, first: int, others: int) -> None:
    """Let a stage of residual blocks keep its map's size: every stride becomes 1, and kernels spread out instead.

    Args:
        stage: Its children are the blocks; it is changed.
        first: Dilation of the 3×3 convolution in the first block.
        others: Dilation in the other blocks.
    """
    for number, block in enumerate(stage.children()):
        dilation = others if number else first
        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
                if module.kernel_size == (3, 3):
                    module.dilation = module.padding = (dilation, dilation)


def scoring_head(channels: int, num_classes: int) -> nn.Sequential:
    """A 3×3 to a quarter of the channels, BatchNorm, ReLU, dropout, a 1×1 to the classes."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(channels, channels // 4, 3, padding=1, bias=False)),
        ("norm", nn.BatchNorm2d(channels // 4)),
        ("relu", nn.ReLU(inplace=True)),
        ("drop", nn.Dropout(0.1)),
        ("out", nn.Conv2d(channels // 4, num_classes, 1)),
    ]
    return nn.Sequential(OrderedDict(layers))


class DilatedFCN(SegmentationNetwork):
    """A ResNet of bottlenecks whose map stays at an eighth of the input, and a head on it.

    Args:
        backbone: Its last two stages are changed, its head is left out.
        num_classes: Number of logits of a pixel; 21 are those of PASCAL VOC with its background.
        aux_heads: Whether there is the auxiliary head.
    """

    def __init__(self, backbone: ResNet, *, num_classes: int = 21, aux_heads: bool = True) -> None:
        stages = OrderedDict(backbone.stages.named_children())
        stride_to_dilation(stages["conv4"], 1, 2)
        stride_to_dilation(stages["conv5"], 2, 4)
        channels = backbone.out_channels
        at = list(stages).index(AUX_STAGE)
        super().__init__(
            stages,
            scoring_head(channels[-1], num_classes),
            in_channels=backbone.in_channels,
            strides=(2, 4, 8, 8, 8),
            out_channels=channels,
            aux_heads={AUX_STAGE: scoring_head(channels[at], num_classes)} if aux_heads else None,
            aux_weight=0.5,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes, H, W) of images (N, in_channels, H, W)."""
        self.check_input(x)
        size = x.shape[2:]
        for stage in self.stages.values():
            x = stage(x)
        return _enlarged(self.head(x), size)

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """The same, and logits of the auxiliary head of the same shape."""
        self.check_input(x)
        size = x.shape[2:]
        aux = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.aux_heads:
                aux[name] = _enlarged(self.aux_heads[name](x), size)
        return LogitsWithAux(_enlarged(self.head(x), size), aux)


def _enlarged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


@register(
    "fcn_resnet50",
    source=SOURCE,
    input_size=(3, 520, 520),
    summary="ResNet-50 with dilated last stages, and a head of two layers; torchvision's",
    task="segmentation",
)
def fcn_resnet50(*, num_classes: int = 21, in_channels: int = 3, aux_heads: bool = True) -> DilatedFCN:
    """A dilated ResNet-50: 32,957,013 parameters for 21 classes, and 2,365,205 in the auxiliary head."""
    backbone = ResNet(Bottleneck, (3, 4, 6, 3), num_classes=1, in_channels=in_channels)
    return DilatedFCN(backbone, num_classes=num_classes, aux_heads=aux_heads)
