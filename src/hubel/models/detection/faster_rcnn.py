"""Faster R-CNN: a network proposes regions, a second stage says what is in each and where exactly.

S. Ren, K. He, R. Girshick, J. Sun, Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks,
2015, arXiv:1506.01497; on a feature pyramid (T.-Y. Lin et al. 2017, arXiv:1612.03144, section 4), or on one map of
stride 16.

For images (N, C, H, W), A anchors on all levels, R regions of all pictures:

| part | output |
| --- | --- |
| `backbone` | maps of strides 4, 8, 16, 32; without a pyramid, of stride 16 alone |
| `pyramid` | five levels (N, 256, H/s, W/s), s = 4, 8, 16, 32, 64 |
| `rpn` | for every anchor a logit "there is an object", (N, A), and its box, (N, A, 4) |
| proposals | up to 1000 regions a picture (2000 in training), after non-maximum suppression |
| RoI align | (R, 256, 7, 7), each region from the level that its size calls for |
| `head` | two dense layers of 1024; logits (R, 1 + num_classes) and boxes (R, 1 + num_classes, 4) |

One forward pass, and one return type, in both modes. The second stage needs regions, which in training are a sample of
the proposals together with the objects' own boxes. So `forward(images, select=...)` takes a function from proposals to
regions; `hubel.tasks.detectors.faster_rcnn` makes one from the pictures' objects. The loss then is a function of what
came out and of the objects, as for every other network: which region is for which object is told by their overlap, and
needs no memory of the sampling.

Variant: torchvision's `fasterrcnn_resnet50_fpn`, whose weights fit (`faster_rcnn`, 90 classes), its rounding of
anchors and RoI align without the half pixel's shift included. Column 0 of the second stage's logits is the background
and column k + 1 the class of label k. Departures from the papers: RoI align (He et al. 2017, arXiv:1703.06870) instead
of RoI pooling; trained in one go instead of in four steps; without a pyramid, the second stage's dense layers have 1024
units instead of VGG-16's 4096.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.backbone import Backbone, build_backbone
from hubel.models.detection.pyramid import FeaturePyramid
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register, register_family
from hubel.nn.boxes import anchor_shapes, area, clip, decode_deltas, map_anchors, nms

SOURCE = "Ren et al. 2015, arXiv:1506.01497; Lin et al. 2017, arXiv:1612.03144"
INPUT_SIZE = (3, 800, 800)

RATIOS = (0.5, 1.0, 2.0)  # heights over widths
PYRAMID_STRIDES = (4, 8, 16, 32)
PYRAMID_SIZES = ((32,), (64,), (128,), (256,), (512,))  # per level (Lin et al. 2017, section 4.1)
PLAIN_STRIDES = (16,)
PLAIN_SIZES = ((128, 256, 512),)  # Ren et al. 2015, section 3.1.1

LEAST_SIDE = 1e-3  # of a proposal, in pixels, as in torchvision
POOLED = 7
SAMPLES = 2  # of RoI align, per side of a cell

# A region of 224 pixels, ImageNet's usual size, belongs to the level of stride 16 (Lin et al. 2017, equation 1).
CANONICAL_SIDE, CANONICAL_STRIDE = 224, 16

Regions = list[Tensor]


class FasterRCNNOutput(NamedTuple):
    """Raw outputs; boxes are `xyxy` in pixels of the images that came in.

    Attributes:
        objectness: (N, A) logits.
        anchor_deltas: (N, A, 4), relative to the anchors.
        anchors: (A, 4), level by level, fine to coarse.
        regions: Per picture (R_i, 4): the proposals, or what `select` made of them. No gradient flows through them.
        class_logits: (R, 1 + num_classes), of all regions, picture by picture; column 0 is the background.
        region_deltas: (R, 1 + num_classes, 4), relative to the regions, for every class.
        size: Height and width of the images.
    """

    objectness: Tensor
    anchor_deltas: Tensor
    anchors: Tensor
    regions: Regions
    class_logits: Tensor
    region_deltas: Tensor
    size: tuple[int, int]


class RegionProposalNetwork(nn.Module):
    """The same 3×3 convolution and two 1×1 on every level."""

    def __init__(self, width: int, anchors: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.objectness = nn.Conv2d(width, anchors, 1)
        self.deltas = nn.Conv2d(width, 4 * anchors, 1)
        for layer in (self.conv, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, map_: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) to logits (N, H · W · A) and deltas (N, H · W · A, 4), in the order of `map_anchors`."""
        x = F.relu(self.conv(map_), inplace=True)
        logits = self.objectness(x).permute(0, 2, 3, 1).flatten(1)  # (N, H, W, A) before
        deltas = self.deltas(x).permute(0, 2, 3, 1).flatten(1)  # (N, H, W, 4 A) before
        return logits, deltas.unflatten(1, (-1, 4))


class RegionHead(nn.Module):
    """The second stage: two dense layers, then a layer for the classes and one for the boxes."""

    def __init__(self, width: int, num_classes: int, hidden: int) -> None:
        super().__init__()
        self.dense1 = nn.Linear(width * POOLED**2, hidden)
        self.dense2 = nn.Linear(hidden, hidden)
        self.classes = nn.Linear(hidden, 1 + num_classes)
        self.deltas = nn.Linear(hidden, 4 * (1 + num_classes))

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C, 7, 7) to logits (R, 1 + num_classes) and deltas (R, 1 + num_classes, 4)."""
        x = F.relu(self.dense1(pooled.flatten(1)), inplace=True)  # (R, 1024)
        x = F.relu(self.dense2(x), inplace=True)
        return self.classes(x), self.deltas(x).unflatten(1, (-1, 4))


class FasterRCNN(nn.Module):
    """The detector; pictures may have any size.

    Args:
        backbone: Any classification network with maps of the strides above, with whatever weights it has.
        num_classes: Number of classes, the background not counted.
        pyramid: Whether there is a feature pyramid; otherwise everything works on the backbone's map of stride 16.
        pyramid_width: Channels of the pyramid, and so of the proposals' convolution: the operations of both grow with
            its square, and at 256 are most of the network's on a small backbone.
        hidden: Units of the second stage's two dense layers.
        frozen_norm: Keep the backbone's BatchNorms as they are, as published detectors do; see `Backbone`.
        norm_eps: Epsilon of the backbone's BatchNorms; None: its own. torchvision's published file wants 0.
        proposals: How many regions the second stage sees at most for each picture, and so many per level come to
            non-maximum suppression: in training, and in prediction.
        proposal_iou: Of two proposals of a level that overlap more, the better one remains.

    Raises:
        ValueError: The backbone lacks a stride.
    """

    # What depends on the number of classes.
    out_layers = ("head.classes.", "head.deltas.")

    def __init__(
        self,
        backbone: ClassificationNetwork,
        *,
        num_classes: int = 90,
        pyramid: bool = True,
        pyramid_width: int = 256,
        hidden: int = 1024,
        frozen_norm: bool = False,
        norm_eps: float | None = None,
        proposals: tuple[int, int] = (2000, 1000),
        proposal_iou: float = 0.7,
    ) -> None:
        super().__init__()
        strides, sizes = (PYRAMID_STRIDES, PYRAMID_SIZES) if pyramid else (PLAIN_STRIDES, PLAIN_SIZES)
        self.backbone = Backbone(backbone, strides, frozen_norm=frozen_norm, norm_eps=norm_eps)
        self.in_channels = self.backbone.in_channels
        self.pyramid = FeaturePyramid(self.backbone.out_channels, pyramid_width) if pyramid else None
        width = pyramid_width if pyramid else self.backbone.out_channels[0]
        self.rpn = RegionProposalNetwork(width, len(RATIOS) * len(sizes[0]))
        self.head = RegionHead(width, num_classes, hidden)
        self.strides = strides
        self.sizes = sizes
        self.proposals = proposals
        self.proposal_iou = proposal_iou

    @property
    def num_classes(self) -> int:
        """How many classes it tells apart, without the background."""
        return self.head.classes.out_features - 1

    def forward(self, x: Tensor, select: Callable[[Regions], Regions] | None = None) -> FasterRCNNOutput:
        """Raw outputs of images (N, in_channels, H, W), in both modes.

        Args:
            x: The images.
            select: From each picture's proposals (P_i, 4), the best first, to the regions for the second stage; None:
                all of them.
        """
        size = (x.shape[2], x.shape[3])
        levels = self.maps(x)
        logits, deltas = zip(*(self.rpn(level) for level in levels), strict=True)
        anchors = self.anchors(levels, size)
        objectness, anchor_deltas = torch.cat(logits, dim=1), torch.cat(deltas, dim=1)
        with torch.no_grad():
            regions = self.propose(objectness, anchor_deltas, anchors, size)
            if select is not None:
                regions = select(regions)
        class_logits, region_deltas = self.head(self.pool(levels, regions))
        return FasterRCNNOutput(
            objectness, anchor_deltas, torch.cat(anchors), regions, class_logits, region_deltas, size
        )

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps that both stages look at, fine to coarse, each (N, C, H, W).

        The images are padded with zeros at the right and below to multiples of the coarsest stride.
        """
        height, width = _padded((x.shape[2], x.shape[3]), self.strides[-1])
        maps: list[Tensor] = self.backbone(F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2])))
        return maps if self.pyramid is None else self.pyramid(maps)

    def anchors(self, levels: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """The anchors of every level, (A_l, 4), for images of a height and width."""
        grids = []
        down, across = _padded(size, self.strides[-1])
        for level, sizes in zip(levels, self.sizes, strict=True):
            height, width = level.shape[2:]
            stride = (down // height, across // width)
            shapes = anchor_shapes(sizes, RATIOS, rounded=True).to(level.device)
            grids.append(map_anchors((height, width), stride, shapes, offset=0).to(_wide(level.dtype)))
        return grids

    def propose(
        self, objectness: Tensor, deltas: Tensor, anchors: Sequence[Tensor], size: tuple[int, int]
    ) -> list[Tensor]:
        """Each picture's proposals (P_i, 4), the best first (Ren et al. 2015, section 3.3).

        Args:
            objectness: (N, A) logits.
            deltas: (N, A, 4).
            anchors: Per level (A_l, 4); A of all levels together.
            size: Height and width of the images.
        """
        most = self.proposals[0 if self.training else 1]
        boxes, scores, numbers = [], [], []
        counts = [len(grid) for grid in anchors]
        parts = zip(torch.split(objectness, counts, dim=1), torch.split(deltas, counts, dim=1), anchors, strict=True)
        for number, (logits, offsets, grid) in enumerate(parts):
            best, places = logits.topk(min(most, logits.shape[1]), dim=1)  # (N, K)
            chosen = offsets.gather(1, places[..., None].expand(-1, -1, 4))  # (N, K, 4)
            boxes.append(clip(decode_deltas(chosen, grid[places]), size))
            scores.append(best)
            numbers.append(torch.full_like(places, number))
        candidates = zip(torch.cat(boxes, 1), torch.cat(scores, 1), torch.cat(numbers, 1), strict=True)
        return [self._suppressed(*of_picture)[:most] for of_picture in candidates]

    def _suppressed(self, boxes: Tensor, scores: Tensor, level: Tensor) -> Tensor:
        if boxes.is_meta:  # shapes alone, to count: how many would remain is not known, so all do
            return boxes
        large = ((boxes[:, 2:] - boxes[:, :2]) >= LEAST_SIDE).all(dim=1)
        boxes, scores, level = boxes[large], scores[large], level[large]
        return boxes[nms(boxes, scores, iou_threshold=self.proposal_iou, labels=level)]

    def pool(self, levels: Sequence[Tensor], regions: Regions) -> Tensor:
        """What is in each region: (R, C, 7, 7), every region from the level that its size calls for."""
        from torchvision.ops import roi_align  # takes a second to import

        levels = levels[: len(self.strides)]  # the coarsest level of the pyramid is for proposals alone
        dtype = _wide(levels[0].dtype)
        boxes = torch.cat(regions)
        pictures = torch.cat([region.new_full((len(region), 1), number) for number, region in enumerate(regions)])
        rows = torch.cat((pictures, boxes), dim=1).to(dtype)  # (R, 5)
        if len(levels) == 1 or boxes.is_meta:  # shapes alone: on which level a region is makes no difference to them
            pooled: Tensor = roi_align(levels[0].to(dtype), rows, POOLED, 1 / self.strides[0], SAMPLES)
            return pooled.to(levels[0].dtype)
        level = self._level(boxes)
        order = level.argsort(stable=True)  # all regions of the first level, then those of the next
        parts = torch.split(rows[order], level.bincount(minlength=len(levels)).tolist())
        pooled = torch.cat(
            [
                roi_align(map_.to(dtype), part, POOLED, 1 / stride, SAMPLES)
                for map_, part, stride in zip(levels, parts, self.strides, strict=True)
            ]
        )
        return pooled[order.argsort()].to(levels[0].dtype)

    def _level(self, boxes: Tensor) -> Tensor:
        """The number of the level for each region, by the root of its area (Lin et al. 2017, equation 1)."""
        steps = torch.log2(area(boxes).sqrt() / CANONICAL_SIDE) + 1e-6  # in float32, 224 is to be on its level
        canonical = self.strides.index(CANONICAL_STRIDE)
        return (steps.floor() + canonical).clamp(0, len(self.strides) - 1).long()

    def replace_out(self, num_classes: int) -> None:
        """Give the second stage fresh last layers for other classes, on the old ones' device and in their dtype."""
        for name, count in (("classes", 1 + num_classes), ("deltas", 4 * (1 + num_classes))):
            old = getattr(self.head, name)
            setattr(self.head, name, nn.Linear(old.in_features, count).to(old.weight))


def _wide(dtype: torch.dtype) -> torch.dtype:
    """float32 for halves, in which coordinates of pictures are too coarse; else the same."""
    return torch.promote_types(dtype, torch.float32)


def _padded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """A height and a width, each rounded up to a multiple."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


class Options(TypedDict, total=False):
    """What the builders take; see `FasterRCNN`."""

    num_classes: int
    pyramid: bool
    pyramid_width: int
    hidden: int
    frozen_norm: bool
    norm_eps: float | None
    proposals: tuple[int, int]
    proposal_iou: float


@register(
    "faster_rcnn",
    source=SOURCE,
    input_size=INPUT_SIZE,
    summary="two stages on a feature pyramid of ResNet-50",
    task="detection",
)
@register_family(
    "faster_rcnn", source=SOURCE, input_size=INPUT_SIZE, summary="two stages on any backbone", task="detection"
)
def faster_rcnn(
    backbone: str | ClassificationNetwork = "resnet50", /, *, in_channels: int = 3, **options: Unpack[Options]
) -> FasterRCNN:
    """Faster R-CNN; on ResNet-50 with 90 classes: 41,808,406 parameters, of which 53,120 belong to BatchNorms."""
    return FasterRCNN(build_backbone(backbone, in_channels), **options)
