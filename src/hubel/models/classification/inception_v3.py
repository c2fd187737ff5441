"""Inception-v3, for inputs of about 299×299.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, Rethinking the Inception Architecture for Computer Vision,
2015, arXiv:1512.00567.

Table 1 of the paper in the variant that was released, for an input of 299×299; "valid" is without padding:

| stage | layers | map |
| --- | --- | --- |
| `conv1a` | 3×3, 32, stride 2, valid | (N, 32, 149, 149) |
| `conv2a` | 3×3, 32, valid | (N, 32, 147, 147) |
| `conv2b` | 3×3, 64 | (N, 64, 147, 147) |
| `conv3b` | max pool, 1×1, 80 | (N, 80, 73, 73) |
| `conv4a` | 3×3, 192, valid | (N, 192, 71, 71) |
| `mixed5b` | max pool, module of figure 5 | (N, 256, 35, 35) |
| `mixed5c`, `mixed5d` | module of figure 5 | (N, 288, 35, 35) |
| `mixed6a` | reduction of the grid (figure 10) | (N, 768, 17, 17) |
| `mixed6b` to `mixed6e` | module of figure 6, 7×7 as 1×7 and 7×1; then the auxiliary head | (N, 768, 17, 17) |
| `mixed7a` | reduction of the grid | (N, 1280, 8, 8) |
| `mixed7b`, `mixed7c` | module of figure 7 | (N, 2048, 8, 8) |
| `head` | average pool, dropout, linear | (N, num_classes) |

Variant: that of TensorFlow's released weights, which is torchvision's. Departures from the paper: before the modules,
table 1 has a 3×3 where `conv3b` is 1×1, a stride of 2 where a max pooling follows `conv4a`, and one more 3×3 to 288
channels; the modules of figure 5 have a 5×5 where the figure has a single 3×3; table 1 counts five modules at 17×17,
which here are four and the reduction.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register
from hubel.nn import Concatenation, pooled_linear_head
from hubel.nn import normalized_convolution as convolution

SOURCE = "Szegedy et al. 2015, arXiv:1512.00567, table 1"


def pool_projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """3×3 average pooling that keeps the size, and a 1×1 convolution."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), convolution(in_channels, out_channels, 1))


def module_of_figure_5(in_channels: int, pool_channels: int) -> Concatenation:
    """(N, in_channels, H, W) to (N, 224 + pool_channels, H, W): a 5×5, and one as two 3×3."""
    return Concatenation(
        branch1x1=convolution(in_channels, 64, 1),
        branch5x5=nn.Sequential(convolution(in_channels, 48, 1), convolution(48, 64, 5)),
        branch3x3_double=nn.Sequential(convolution(in_channels, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3)),
        branch_pool=pool_projection(in_channels, pool_channels),
    )


def reduction_to_17() -> Concatenation:
    """(N, 288, 35, 35) to (N, 768, 17, 17)."""
    return Concatenation(
        branch3x3=convolution(288, 384, 3, stride=2, valid=True),
        branch3x3_double=nn.Sequential(
            convolution(288, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3, stride=2, valid=True)
        ),
        branch_pool=nn.MaxPool2d(3, stride=2),
    )


def module_of_figure_6(width: int) -> Concatenation:
    """(N, 768, H, W) to the same shape: a 7×7 and two 7×7, each as 1×7 and 7×1, `width` channels between them."""
    return Concatenation(
        branch1x1=convolution(768, 192, 1),
        branch7x7=nn.Sequential(
            convolution(768, width, 1), convolution(width, width, (1, 7)), convolution(width, 192, (7, 1))
        ),
        branch7x7_double=nn.Sequential(
            convolution(768, width, 1),
            convolution(width, width, (7, 1)),
            convolution(width, width, (1, 7)),
            convolution(width, width, (7, 1)),
            convolution(width, 192, (1, 7)),
        ),
        branch_pool=pool_projection(768, 192),
    )


def reduction_to_8() -> Concatenation:
    """(N, 768, 17, 17) to (N, 1280, 8, 8)."""
    return Concatenation(
        branch3x3=nn.Sequential(convolution(768, 192, 1), convolution(192, 320, 3, stride=2, valid=True)),
        branch7x7_3x3=nn.Sequential(
            convolution(768, 192, 1),
            convolution(192, 192, (1, 7)),
            convolution(192, 192, (7, 1)),
            convolution(192, 192, 3, stride=2, valid=True),
        ),
        branch_pool=nn.MaxPool2d(3, stride=2),
    )


def split_3x3() -> Concatenation:
    """(N, 384, H, W) to (N, 768, H, W): a 1×3 and a 3×1 side by side."""
    return Concatenation(wide=convolution(384, 384, (1, 3)), tall=convolution(384, 384, (3, 1)))


def module_of_figure_7(in_channels: int) -> Concatenation:
    """(N, in_channels, H, W) to (N, 2048, H, W): the last convolutions are split."""
    return Concatenation(
        branch1x1=convolution(in_channels, 320, 1),
        branch3x3=nn.Sequential(convolution(in_channels, 384, 1), split_3x3()),
        branch3x3_double=nn.Sequential(convolution(in_channels, 448, 1), convolution(448, 384, 3), split_3x3()),
        branch_pool=pool_projection(in_channels, 192),
    )


class AuxiliaryHead(nn.Module):
    """The auxiliary classifier with BatchNorm (section 4 and figure 8).

    A map of less than 17×17 is brought to that size first, by average pooling: the 5×5 convolution needs it.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = convolution(768, 128, 1)
        self.conv2 = convolution(128, 768, 5, valid=True)
        self.out = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 768, H, W) to logits (N, num_classes)."""
        if min(x.shape[2:]) < 17:
            x = F.adaptive_avg_pool2d(x, (max(17, x.shape[2]), max(17, x.shape[3])))
        x = F.avg_pool2d(x, 5, stride=3)  # (N, 768, 5, 5)
        x = self.conv2(self.conv1(x))  # (N, 768, 1, 1)
        return cast(Tensor, self.out(x.mean(dim=(2, 3))))


class InceptionV3(ClassificationNetwork):
    """Stages, a head, and an auxiliary head that follows the last module at 17×17.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        aux_heads: Whether there is the auxiliary head, which helps to train.
        dropout: Probability to drop a value before the last layer.
    """

    def __init__(
        self, *, num_classes: int = 1000, in_channels: int = 3, aux_heads: bool = True, dropout: float = 0.5
    ) -> None:
        stages = {
            "conv1a": convolution(in_channels, 32, 3, stride=2, valid=True),  # (N, 32, 149, 149)
            "conv2a": convolution(32, 32, 3, valid=True),  # (N, 32, 147, 147)
            "conv2b": convolution(32, 64, 3),  # (N, 64, 147, 147)
            "conv3b": after_pooling(convolution(64, 80, 1)),  # (N, 80, 73, 73)
            "conv4a": convolution(80, 192, 3, valid=True),  # (N, 192, 71, 71)
            "mixed5b": after_pooling(module_of_figure_5(192, 32)),  # (N, 256, 35, 35)
            "mixed5c": module_of_figure_5(256, 64),  # (N, 288, 35, 35)
            "mixed5d": module_of_figure_5(288, 64),
            "mixed6a": reduction_to_17(),  # (N, 768, 17, 17)
            "mixed6b": module_of_figure_6(128),
            "mixed6c": module_of_figure_6(160),
            "mixed6d": module_of_figure_6(160),
            "mixed6e": module_of_figure_6(192),
            "mixed7a": reduction_to_8(),  # (N, 1280, 8, 8)
            "mixed7b": module_of_figure_7(1280),  # (N, 2048, 8, 8)
            "mixed7c": module_of_figure_7(2048),
        }
        super().__init__(
            stages,
            pooled_linear_head(2048, num_classes, dropout=dropout),
            in_channels=in_channels,
            strides=(2, 2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 16, 16, 32, 32, 32),
            out_channels=(32, 32, 64, 80, 192, 256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048),
            smallest=75,
            aux_heads={"mixed6e": AuxiliaryHead(num_classes)} if aux_heads else {},
            aux_weight=0.4,  # github.com/tensorflow/models, research/slim/train_image_classifier.py
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.1)
        for auxiliary in self.aux_heads.values():
            nn.init.normal_(cast(nn.Linear, auxiliary.out).weight, std=0.001)


def after_pooling(module: nn.Module) -> nn.Sequential:
    """3×3 max pooling with stride 2, and then the module."""
    return nn.Sequential(OrderedDict([("pool", nn.MaxPool2d(3, stride=2)), ("module", module)]))


@register(
    "inception_v3",
    source=f"{SOURCE}; TensorFlow's released variant",
    input_size=(3, 299, 299),
    summary="eleven inception modules with factorised convolutions",
)
def inception_v3(
    *, num_classes: int = 1000, in_channels: int = 3, aux_heads: bool = True, dropout: float = 0.5
) -> InceptionV3:
    """Inception-v3: 23,834,568 parameters, and 3,326,696 in the auxiliary head.

    The table, the variant and its departures from the paper are at the top of this file. One more: the auxiliary head
    takes maps of less than 17×17, so that any image of at least 75×75 will do; torchvision's does not train below
    299×299. The loss of the auxiliary head counts 0.4, as in TensorFlow's training script; weights start as
    torchvision's do, from normal distributions of deviation 0.1 and, in the auxiliary head's last layer, 0.001.

    torchvision's published weights expect inputs with mean and standard deviation 0.5 in every channel: its option
    `transform_input`, which it sets for them, turns ImageNet's statistics into these. Here that is for preprocessing.

    Args:
        num_classes: Number of logits.
        in_channels: Channels of the input.
        aux_heads: Whether there is the auxiliary head, which helps to train.
        dropout: Probability to drop a value before the last layer.
    """
    return InceptionV3(num_classes=num_classes, in_channels=in_channels, aux_heads=aux_heads, dropout=dropout)
