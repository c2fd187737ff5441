"""`yolo`: one pass, no anchors; a detector for practice, on any classification network.

A pyramid whose maps go down to the finest and up again (S. Liu et al., PANet, 2018, arXiv:1803.01534, figure 1; with
CSP blocks as in YOLOX), and at every level a head with two branches, one for the classes and one for the box (Z. Ge et
al., YOLOX, 2021, arXiv:2107.08430, figure 2). Every position of a map predicts, for the point in the middle of its
cell, a logit per class and how far the box reaches to the left, up, right and down (Tian et al., FCOS, 2019,
arXiv:1904.01355), each as a distribution over whole numbers of strides (X. Li et al., Generalized Focal Loss, 2020,
arXiv:2006.04388). There is no logit for "an object is here": with task-aligned assignment (Feng et al., TOOD, 2021,
arXiv:2108.07755) the classes' scores say that, too.

For images (N, C, H, W), with c3, c4, c5 = 256 w, 512 w, 1024 w of the size's width w:

| part | maps |
| --- | --- |
| `backbone` | strides 8, 16, 32, any channels |
| `neck` | (N, c3, H/8, W/8), (N, c4, H/16, W/16), (N, c5, H/32, W/32) |
| `heads` | one for each level, 256 w channels inside; P = positions of all levels |

What the outputs mean (loss and results) is in `hubel.tasks.detectors.yolo`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict, TypeVar, Unpack

import torch
from torch import Tensor, nn

from hubel.models.backbone import Backbone, build_backbone
from hubel.models.detection.csp_darknet import ConvNormAct, CSPBlock, CSPDarknet, scaled_depth, scaled_width
from hubel.models.detection.pyramid import resized
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import register, register_family
from hubel.nn.boxes import map_points

STRIDES = (8, 16, 32)
SOURCE = "Ge et al. 2021, arXiv:2107.08430; Feng et al. 2021, arXiv:2108.07755"
INPUT_SIZE = (3, 640, 640)

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

# A fresh head expects five objects on every level of a picture of 640×640, as YOLO's later versions do: about as many
# as there are. With the hundredth of all points that suits the focal loss (Lin et al. 2017, arXiv:1708.02002, section
# 3.3) the first gradients are the background's, and Adam, which remembers a thousand steps, learns rare classes late.
EXPECTED_OBJECTS, EXPECTED_SIDE = 5, 640


class YOLOOutput(NamedTuple):
    """Raw outputs for all P points of all levels, fine to coarse, row by row.

    Attributes:
        class_logits: (N, P, num_classes); of each class by itself, for a sigmoid.
        distances: (N, P, 4, bins), to the left, up, right and down: logits of 0, 1, ... strides, or for one bin a value
            whose softplus is the number of strides.
        points: (P, 2): x and y in pixels.
        strides: (P,): the level's stride in pixels.
    """

    class_logits: Tensor
    distances: Tensor
    points: Tensor
    strides: Tensor


class PathAggregation(nn.Module):
    """The neck: coarse maps are carried down to the fine ones, and what comes of it up again.

    Args:
        in_channels: Of the backbone's three maps, fine to coarse.
        out_channels: Of the neck's.
        count: Bottlenecks in every CSP block.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: Sequence[int], count: int) -> None:
        super().__init__()
        (b3, b4, b5), (c3, c4, c5) = in_channels, out_channels
        self.lateral5 = ConvNormAct(b5, c4, 1)
        self.down4 = CSPBlock(c4 + b4, c4, count, shortcut=False)
        self.lateral4 = ConvNormAct(c4, c3, 1)
        self.down3 = CSPBlock(c3 + b3, c3, count, shortcut=False)
        self.stride3 = ConvNormAct(c3, c3, 3, stride=2)
        self.up4 = CSPBlock(c3 + c3, c4, count, shortcut=False)
        self.stride4 = ConvNormAct(c4, c4, 3, stride=2)
        self.up5 = CSPBlock(c4 + c4, c5, count, shortcut=False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Three maps, fine to coarse, to three of the same sizes."""
        m3, m4, m5 = maps
        l5 = self.lateral5(m5)  # (N, c4, H/32, W/32)
        l4 = self.lateral4(self.down4(torch.cat((resized(l5, m4), m4), dim=1)))  # (N, c3, H/16, W/16)
        n3 = self.down3(torch.cat((resized(l4, m3), m3), dim=1))  # (N, c3, H/8, W/8)
        # Behind convolutions without padding a level is not quite half of the one before.
        n4 = self.up4(torch.cat((resized(self.stride3(n3), l4), l4), dim=1))  # (N, c4, H/16, W/16)
        n5 = self.up5(torch.cat((resized(self.stride4(n4), l5), l5), dim=1))  # (N, c5, H/32, W/32)
        return [n3, n4, n5]


class DecoupledHead(nn.Module):
    """Of one level: a branch for the classes and one for the box, two 3×3 convolutions each."""

    def __init__(self, in_channels: int, width: int, num_classes: int, bins: int, stride: int) -> None:
        super().__init__()
        self.stem = ConvNormAct(in_channels, width, 1)
        self.class_branch = nn.Sequential(ConvNormAct(width, width, 3), ConvNormAct(width, width, 3))
        self.box_branch = nn.Sequential(ConvNormAct(width, width, 3), ConvNormAct(width, width, 3))
        self.classes = nn.Conv2d(width, num_classes, 1)
        self.distances = nn.Conv2d(width, 4 * bins, 1)
        self.bins = bins
        self.stride = stride
        start_classes(self.classes, stride)
        nn.init.zeros_(self.distances.weight)
        nn.init.ones_(self.distances.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) to logits (N, H · W, num_classes) and distances (N, H · W, 4, bins)."""
        x = self.stem(x)
        logits = self.classes(self.class_branch(x)).flatten(2).transpose(1, 2)
        distances = self.distances(self.box_branch(x)).flatten(2).transpose(1, 2)
        return logits, distances.unflatten(2, (4, self.bins))


def start_classes(layer: nn.Conv2d, stride: int) -> None:
    """Small weights, and a bias at which as many objects are found as are expected, evenly among classes and points."""
    prior = EXPECTED_OBJECTS / layer.out_channels * (stride / EXPECTED_SIDE) ** 2
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))  # type: ignore[arg-type]


class YOLO(nn.Module):
    """The detector; pictures may have any size, multiples of 32 fit best.

    Args:
        backbone: Any classification network with maps of strides 8, 16 and 32, with whatever weights it has.
        num_classes: Number of classes.
        width: Factor of the neck's and the heads' channels.
        depth: Factor of the neck's 3 bottlenecks for each CSP block.
        bins: Over how many whole numbers of strides, from 0, each distance is distributed (16 reach 480 pixels to every
            side at stride 32); 1: a distance is one number.
        frozen_norm: Keep the backbone's BatchNorms as they are; see `Backbone`.

    Raises:
        ValueError: The backbone lacks a stride, or there are no bins.
    """

    # What depends on the number of classes.
    out_layers = tuple(f"heads.stride{stride}.classes." for stride in STRIDES)

    def __init__(
        self,
        backbone: ClassificationNetwork,
        *,
        num_classes: int = 80,
        width: float = 0.25,
        depth: float = 1 / 3,
        bins: int = 16,
        frozen_norm: bool = False,
    ) -> None:
        super().__init__()
        if bins < 1:
            raise ValueError(f"bins is {bins}: expected at least 1")
        self.backbone = Backbone(backbone, STRIDES, frozen_norm=frozen_norm)
        self.in_channels = self.backbone.in_channels
        channels = [scaled_width(count, width) for count in (256, 512, 1024)]
        self.neck = PathAggregation(self.backbone.out_channels, channels, scaled_depth(3, depth))
        inside = scaled_width(256, width)
        self.heads = nn.ModuleDict(
            OrderedDict(
                (f"stride{stride}", DecoupledHead(count, inside, num_classes, bins, stride))
                for stride, count in zip(STRIDES, channels, strict=True)
            )
        )

    @property
    def num_classes(self) -> int:
        """How many classes it tells apart."""
        return next(iter(self._heads())).classes.out_channels

    def _heads(self) -> list[DecoupledHead]:
        return [head for head in self.heads.values() if isinstance(head, DecoupledHead)]

    def forward(self, x: Tensor) -> YOLOOutput:
        """Raw outputs of images (N, in_channels, H, W), in both modes."""
        maps = self.neck(self.backbone(x))
        logits, distances = zip(*(head(map_) for head, map_ in zip(self._heads(), maps, strict=True)), strict=True)
        points = [
            map_points((map_.shape[2], map_.shape[3]), stride, device=x.device)
            for map_, stride in zip(maps, STRIDES, strict=True)
        ]
        strides = [part.new_full((len(part),), stride) for part, stride in zip(points, STRIDES, strict=True)]
        return YOLOOutput(torch.cat(logits, 1), torch.cat(distances, 1), torch.cat(points), torch.cat(strides))

    def replace_out(self, num_classes: int) -> None:
        """Give every level a fresh last layer for another number of classes, on the old one's device, in its dtype."""
        for head in self._heads():
            old = head.classes
            head.classes = nn.Conv2d(old.in_channels, num_classes, 1).to(old.weight)
            start_classes(head.classes, head.stride)


class Options(TypedDict, total=False):
    """What the builders take; see `YOLO`."""

    num_classes: int
    bins: int
    frozen_norm: bool


def _build(
    backbone: str | ClassificationNetwork | None, in_channels: int, width: float, depth: float, options: Options
) -> YOLO:
    if backbone is None:
        backbone = CSPDarknet(width, depth, in_channels=in_channels)
    return YOLO(build_backbone(backbone, in_channels), width=width, depth=depth, **options)


def _named(name: str, summary: str) -> Callable[[Builder], Builder]:
    """Make a builder known under a name, on its own backbone, and under `<name>/<backbone>`."""

    def enter(builder: Builder) -> Builder:
        about: _About = {"source": SOURCE, "input_size": INPUT_SIZE, "task": "detection"}
        on_any = register_family(name, summary=f"{name} on any backbone", **about)
        return on_any(register(name, summary=summary, **about)(builder))

    return enter


class _About(TypedDict):
    source: str
    input_size: tuple[int, int, int]
    task: str


@_named("yolo_n", "one pass, no anchors; for a laptop")
def yolo_n(
    backbone: str | ClassificationNetwork | None = None, /, *, in_channels: int = 3, **options: Unpack[Options]
) -> YOLO:
    """The smallest."""
    return _build(backbone, in_channels, 0.25, 1 / 3, options)


@_named("yolo_s", "one pass, no anchors; small")
def yolo_s(
    backbone: str | ClassificationNetwork | None = None, /, *, in_channels: int = 3, **options: Unpack[Options]
) -> YOLO:
    """Twice as wide as the smallest."""
    return _build(backbone, in_channels, 0.5, 1 / 3, options)


@_named("yolo_m", "one pass, no anchors; medium")
def yolo_m(
    backbone: str | ClassificationNetwork | None = None, /, *, in_channels: int = 3, **options: Unpack[Options]
) -> YOLO:
    """Three times as wide as the smallest, and twice as deep."""
    return _build(backbone, in_channels, 0.75, 2 / 3, options)


@_named("yolo_l", "one pass, no anchors; for a server")
def yolo_l(
    backbone: str | ClassificationNetwork | None = None, /, *, in_channels: int = 3, **options: Unpack[Options]
) -> YOLO:
    """Four times as wide as the smallest, and three times as deep."""
    return _build(backbone, in_channels, 1.0, 1.0, options)
