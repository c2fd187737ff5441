"""Masks of pictures of any size: whole, or in overlapping tiles without seams.

A segmentation network takes sides that fit its stride, and one that does not pad returns less than it is given. Here a
picture is continued beyond its border by mirroring, fed whole or in tiles, and what comes back is cut to the picture:
the overlap-tile strategy of Ronneberger et al. 2015, arXiv:1505.04597, figure 2.

What makes tiles seamless: the middle of a tile's output is kept, so far from the tile's edge that none of the kept
logits sees it, and tiles begin at multiples of the network's stride, so that every pool meets the same pixels as in the
whole picture. A network without padding (`sees_borders` is false) needs just the pixels that it does not return, and
equals the whole picture everywhere. A padded one needs its receptive field on each side, and equals the whole picture
except near the picture's border, where the whole picture is continued by zeros in every layer and tiles by mirroring in
the picture. Both hold in evaluation mode, where BatchNorm is a fixed scale and shift; in training mode it mixes all
pixels of a batch. A network that pools globally (squeeze and excitation, for example) sees all of what it is given:
there, no tiles are seamless.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import torch

from hubel.errors import ConfigError
from hubel.models.complexity import output_field
from hubel.models.evaluating import evaluating

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubel.models.segmentation.network import SegmentationNetwork

Prepare = Callable[[torch.Tensor], torch.Tensor]


class Tiling(TypedDict, total=False):
    """How a picture is cut; all functions here take it as keywords.

    Attributes:
        tile: The greatest height and width that the network is fed at once; None: the whole picture is.
        overlap: How many pixels around the kept part of a tile the network is fed; None: as many as make tiles
            seamless, see `seamless_overlap`. Fewer are faster, and leave seams.
        batch_size: Tiles computed together; 1 where nothing is said.
    """

    tile: int | None
    overlap: int | None
    batch_size: int


def logit_strips(
    network: SegmentationNetwork, picture: npt.NDArray[Any], prepare: Prepare, **tiling: Unpack[Tiling]
) -> Iterator[torch.Tensor]:
    """The logits of every pixel of a picture, some rows at a time: no more than a row of tiles is held.

    Args:
        network: It is run in evaluation mode, and left in the mode that it is in.
        picture: (H, W, C), of any type that `prepare` takes; may be a memory map, of which a tile at a time is read.
        prepare: From tiles (N, h, w, C) of the picture's type to the network's input (N, C, h, w) in float on any
            device, such as `Preprocess.normalise`; pixel by pixel.
        tiling: How the picture is cut; see `Tiling`.

    Yields:
        float32 (num_classes, rows, W) on the CPU, from the top.

    Raises:
        ConfigError: The tile is too small for the overlap, or the network can have no seamless tiles.
    """
    width = picture.shape[1]
    strip = torch.empty(0)
    for (rows, columns), logits in _computed(network, picture, prepare, **tiling):
        if columns.start == 0:
            strip = logits.new_empty(len(logits), rows.stop - rows.start, width)
        strip[:, :, columns] = logits
        if columns.stop == width:
            yield strip


def predict_mask(
    network: SegmentationNetwork,
    picture: npt.NDArray[Any],
    prepare: Prepare,
    *,
    out: npt.NDArray[np.uint8] | None = None,
    **tiling: Unpack[Tiling],
) -> npt.NDArray[np.uint8]:
    """The most probable class of every pixel of a picture.

    Never more than a batch of tiles is held as logits: with a memory map as picture and as `out`, memory does not grow
    with the picture.

    Args:
        network: As for `logit_strips`, and so are the others; it has at most 256 classes.
        picture: The picture.
        prepare: From the picture's pixels to the network's input.
        out: uint8 (H, W) to write into; None: a new array.
        tiling: How the picture is cut.

    Returns:
        uint8 (H, W), `out` where that came.
    """
    if network.num_classes > 256:
        raise ValueError(f"the network has {network.num_classes} classes: a mask of uint8 holds 256")
    mask = np.empty(picture.shape[:2], np.uint8) if out is None else out
    for (rows, columns), logits in _computed(network, picture, prepare, **tiling):
        mask[rows, columns] = logits.argmax(dim=0).to(torch.uint8).numpy()
    return mask


def seamless_overlap(network: SegmentationNetwork) -> int:
    """How many pixels around the kept part of a tile a network must be fed so that no seam can be seen.

    Raises:
        ConfigError: A logit depends on everything that the network is fed.
    """
    if not network.sees_borders:
        return network.margin
    side = network.nearest_side(4 * network.stride)
    reaches = [_reach(network, each) for each in (side, network.nearest_side(side + 4 * network.stride))]
    if reaches[0] != reaches[1]:
        raise ConfigError(
            "this network has layers that see all that it is fed (such as squeeze and excitation): no tiles are "
            "seamless; give an overlap, or leave tile out"
        )
    # Followed through upsampling, the field is exact but for a step of the coarsest map.
    beyond = max(0, reaches[0] + network.stride - network.margin)
    return network.margin + _rounded_up(beyond, network.stride)


def sensible_overlap(network: SegmentationNetwork, tile: int) -> int:
    """As many pixels as make tiles seamless, and no more than a quarter of the tile.

    What a logit sees of pixels that far away is little: the gradients fall off like a normal distribution well inside
    the receptive field (Luo et al. 2016, arXiv:1701.04128, section 2). So a tile is always good for something.
    """
    most = network.margin + max(0, tile // 4 - network.margin) // network.stride * network.stride
    try:
        return min(seamless_overlap(network), most)
    except ConfigError:
        return most


def mirrored(positions: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """The pixels of a side of a length that positions beyond its ends show, mirrored as often as it takes."""
    if length == 1:
        return np.zeros_like(positions)
    positions = np.abs(positions) % (2 * length - 2)  # there and back, the outermost pixels once
    return np.minimum(positions, 2 * length - 2 - positions)


def _reach(network: SegmentationNetwork, side: int) -> int:
    """How far from a pixel its logits can see, by the arithmetic of the layers, for a square input."""
    fields = output_field(network, (network.in_channels, side, side))
    return math.ceil(max(max(network.margin - span.low, span.high - network.margin) for span in fields))


@dataclass(frozen=True)
class _Axis:
    """How one side of a picture is cut.

    Attributes:
        length: Pixels of the picture.
        kept: Pixels that each tile adds to the result; the last one may add fewer.
        before: Pixels that the network is fed before those.
        fed: Pixels that the network is fed.
    """

    length: int
    kept: int
    before: int
    fed: int

    def starts(self) -> range:
        return range(0, self.length, self.kept)

    def pixels(self, start: int) -> npt.NDArray[np.int64]:
        """The picture's pixels that a tile is fed, mirrored at the borders, as often as it takes."""
        return mirrored(np.arange(start - self.before, start - self.before + self.fed), self.length)

    def part(self, start: int) -> slice:
        """Where the kept part of a tile lies in the result."""
        return slice(start, min(start + self.kept, self.length))


def _axis(network: SegmentationNetwork, length: int, tile: int | None, overlap: int) -> _Axis:
    """The cutting of one side.

    Raises:
        ConfigError: The tile is too small.
    """
    stride = network.stride
    whole = _rounded_up(length, stride)
    if tile is None or _fed(network, whole, overlap) <= tile:
        kept = whole
    else:
        kept = (tile - 2 * overlap) // stride * stride
        if kept > 0 and _fed(network, kept, overlap) > tile:
            kept -= stride
        if kept < stride:
            least = _fed(network, stride, overlap)
            raise ConfigError(
                f"tile is {tile}: with {overlap} pixels of overlap on each side, this network needs at least {least}; "
                "give a larger tile, or an overlap that leaves seams"
            )
    return _Axis(length, kept, overlap, _fed(network, kept, overlap))


def _fed(network: SegmentationNetwork, kept: int, overlap: int) -> int:
    return network.nearest_side(kept + 2 * overlap)


def _rounded_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _computed(
    network: SegmentationNetwork,
    picture: npt.NDArray[Any],
    prepare: Prepare,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    batch_size: int = 1,
) -> Iterator[tuple[tuple[slice, slice], torch.Tensor]]:
    """Where each tile's kept part lies in the picture, and its logits (num_classes, h, w), float32 on the CPU."""
    if picture.ndim != 3 or 0 in picture.shape:
        raise ValueError(f"a picture of shape {picture.shape} came: expected (H, W, C), at least one pixel")
    if overlap is None:
        overlap = network.margin if tile is None else seamless_overlap(network)
    elif overlap < network.margin or (overlap - network.margin) % network.stride:
        raise ConfigError(
            f"overlap is {overlap}: expected {network.margin}, which this network does not return, or more by a "
            f"multiple of its stride {network.stride}"
        )
    high, wide = (_axis(network, length, tile, overlap) for length in picture.shape[:2])
    inside = overlap - network.margin
    device = next(network.parameters()).device
    with evaluating(network):
        corners = list(product(high.starts(), wide.starts()))
        for number in range(0, len(corners), batch_size):
            places = corners[number : number + batch_size]
            tiles = np.stack([picture[np.ix_(high.pixels(y), wide.pixels(x))] for y, x in places])
            with torch.inference_mode():
                logits = network(prepare(torch.from_numpy(tiles).to(device))).float().cpu()
            for (y, x), each in zip(places, logits, strict=True):
                rows, columns = high.part(y), wide.part(x)
                bottom, right = (inside + part.stop - part.start for part in (rows, columns))
                yield (rows, columns), each[:, inside:bottom, inside:right]
