"""YOLO's first version, for 448×448.

J. Redmon, S. Divvala, R. Girshick, A. Farhadi, You Only Look Once: Unified, Real-Time Object Detection, 2016,
arXiv:1506.02640, figure 3 and section 2: 24 convolutions and two dense layers, which predict for each cell of a 7×7
grid two boxes, how sure the network is of each, and which class the cell's object has.

| stage | map | layers (a "/2" is a stride) |
| --- | --- | --- |
| `block1` | (N, 64, 112, 112) | 7×7 64 /2, max pool |
| `block2` | (N, 192, 56, 56) | 3×3 192, max pool |
| `block3` | (N, 512, 28, 28) | 1×1 128, 3×3 256, 1×1 256, 3×3 512, max pool |
| `block4` | (N, 1024, 14, 14) | 4 × (1×1 256, 3×3 512), 1×1 512, 3×3 1024, max pool |
| `block5` | (N, 1024, 7, 7) | 2 × (1×1 512, 3×3 1024), 3×3 1024, 3×3 1024 /2 |
| `block6` | (N, 1024, 7, 7) | 3×3 1024, 3×3 1024 |
| `head` | (N, 7, 7, 5 B + C) | linear 4096, dropout 0.5, linear |

A leaky ReLU of slope 0.1 (equation 2) follows every layer but the last, which is linear. Figure 3 halves the map by the
convolution of `block5`, not by pooling, and pads so that every other convolution keeps the size. What the outputs mean
is in `hubel.tasks.detectors.yolov1`.

The paper says nothing of how weights start (it pretrains the first 20 convolutions on ImageNet); here as He et al. 2015
(arXiv:1502.01852) draw them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from torch import Tensor, nn

from hubel.models.network import check_images
from hubel.models.registry import register
from hubel.nn import kaiming_normal_convolutions

SIDE = 448
GRID = 7

# Kernel and channels of every convolution; a pool ends every block but the last two.
BLOCKS = (
    ((7, 64),),
    ((3, 192),),
    ((1, 128), (3, 256), (1, 256), (3, 512)),
    (*((1, 256), (3, 512)) * 4, (1, 512), (3, 1024)),
    (*((1, 512), (3, 1024)) * 2, (3, 1024), (3, 1024)),
    ((3, 1024), (3, 1024)),
)
HALVED_BY_CONVOLUTION = {(1, 1), (5, 6)}  # the first convolution of block 1, the last one of block 5
POOLED_BLOCKS = (1, 2, 3, 4)


class GridHead(nn.Module):
    """The two dense layers, and the grid that they fill."""

    def __init__(self, boxes: int, num_classes: int) -> None:
        super().__init__()
        self.dense = nn.Linear(1024 * GRID**2, 4096)
        self.act = nn.LeakyReLU(0.1, inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.out = nn.Linear(4096, GRID**2 * (5 * boxes + num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1024, 7, 7) to (N, 7, 7, 5 B + C)."""
        x = self.dropout(self.act(self.dense(x.flatten(1))))  # (N, 4096)
        grid: Tensor = self.out(x).unflatten(1, (GRID, GRID, -1))
        return grid


class YOLOv1(nn.Module):
    """The network of figure 3.

    Args:
        num_classes: C, 20 for Pascal VOC.
        in_channels: Channels of the input.
        boxes: B, how many boxes each cell predicts.

    Attributes:
        stages: The six blocks of convolutions.
        head: The dense layers; the last one is `head.out`.
        size: The only height and width that the network takes.
    """

    out_layers = ("head.out.",)
    size = (SIDE, SIDE)

    def __init__(self, *, num_classes: int = 20, in_channels: int = 3, boxes: int = 2) -> None:
        super().__init__()
        if boxes < 1:
            raise ValueError(f"boxes is {boxes}: expected at least 1")
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.boxes = boxes
        self.stages = nn.Sequential(OrderedDict(_blocks(in_channels)))
        self.head = GridHead(boxes, num_classes)
        kaiming_normal_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs (N, 7, 7, 5 B + C) of images (N, in_channels, 448, 448), in both modes.

        For each cell, row by row: B times (x, y, w, h, confidence), then a value for each class.
        """
        check_images(x, self.in_channels, self.size, 1)
        grid: Tensor = self.head(self.stages(x))
        return grid

    def replace_out(self, num_classes: int) -> None:
        """Give the head a fresh last layer for another number of classes, on the old one's device, in its dtype."""
        old = self.head.out
        self.head.out = nn.Linear(old.in_features, GRID**2 * (5 * self.boxes + num_classes)).to(old.weight)
        self.num_classes = num_classes


def _blocks(in_channels: int) -> Iterator[tuple[str, nn.Module]]:
    channels = in_channels
    for number, convolutions in enumerate(BLOCKS, start=1):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for place, (kernel, width) in enumerate(convolutions, start=1):
            stride = 2 if (number, place) in HALVED_BY_CONVOLUTION else 1
            layers[f"conv{place}"] = nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2)
            layers[f"act{place}"] = nn.LeakyReLU(0.1, inplace=True)
            channels = width
        if number in POOLED_BLOCKS:
            layers["pool"] = nn.MaxPool2d(2)
        yield f"block{number}", nn.Sequential(layers)


@register(
    "yolov1",
    source="Redmon et al. 2016, arXiv:1506.02640, figure 3",
    input_size=(3, SIDE, SIDE),
    fixed_size=True,
    summary="24 convolutions, a 7×7 grid of boxes",
    task="detection",
)
def yolov1(*, num_classes: int = 20, in_channels: int = 3, boxes: int = 2) -> YOLOv1:
    """YOLO's first version."""
    return YOLOv1(num_classes=num_classes, in_channels=in_channels, boxes=boxes)
