"""The feature pyramid: maps of every stride with the meaning of the coarsest.

T.-Y. Lin, P. Dollár, R. Girshick, K. He, B. Hariharan, S. Belongie, Feature Pyramid Networks for Object Detection,
2017, arXiv:1612.03144, section 3 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class FeaturePyramid(nn.Module):
    """Top-down pathway with lateral connections.

    Each backbone map is brought to `width` channels by a 1×1 convolution, the coarser level is added, doubled in size
    by repeating pixels, and a 3×3 convolution makes the level. One more level subsamples the coarsest by 2 (section
    4.1: only the anchors of the greatest size use it).

    Args:
        in_channels: Of the backbone's maps, fine to coarse.
        width: Channels of every level; d in the paper.
    """

    def __init__(self, in_channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in in_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in in_channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps, fine to coarse, to as many levels (N, width, H, W) and one that is coarser by 2."""
        levels: list[Tensor] = []
        above: Tensor | None = None
        for map_, lateral, smooth in zip(reversed(maps), reversed(self.lateral), reversed(self.smooth), strict=True):
            merged = lateral(map_)  # (N, width, H, W)
            if above is not None:
                merged = merged + resized(above, merged)
            levels.insert(0, smooth(merged))
            above = merged
        return [*levels, F.max_pool2d(levels[-1], 1, stride=2)]


def resized(map_: Tensor, like: Tensor) -> Tensor:
    """A map at the height and width of another one, by nearest pixels; the map itself where it has them."""
    return map_ if map_.shape[2:] == like.shape[2:] else F.interpolate(map_, size=like.shape[2:], mode="nearest")
