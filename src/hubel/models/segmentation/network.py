"""What every segmentation network offers: a logit for each class at each pixel, stages, a head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models.network import LogitsWithAux, check_images, check_stages, replace_last_layer


class SegmentationNetwork(nn.Module):
    """A network from images (N, in_channels, H, W) to logits (N, num_classes, H - 2 margin, W - 2 margin).

    A subclass says in `forward` how the maps flow through the stages.

    Attributes:
        stages: Named children in the order of the computation: the encoder's, then the decoder's.
        head: From the last map to logits; what knows the classes is `head.out`.
        aux_heads: Heads that help to train, each under the name of the stage whose map it takes.
        aux_weight: What the loss of each auxiliary head counts, beside 1 for that of the head.
        in_channels: Channels of the input.
        strides: Per stage, how many input pixels one step in its map is.
        out_channels: Per stage, the channels of its map.
        smallest: The least height and width that it takes.
        margin: How many pixels the logits lack on each side of the input; 0: they are as large as it.
        remainder: What the division of height and width by the greatest stride must leave; None: any size is taken.
        sees_borders: Whether a logit depends on where the input ends, through padding or the like. Without it a part
            of a picture gives, pixel by pixel, what the whole picture gives.
        encoder: The stages that are a classification network's; the others, a decoder, train wherever the head does.
            None: all of them.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        head: nn.Module,
        *,
        in_channels: int,
        strides: Sequence[int],
        out_channels: Sequence[int],
        smallest: int = 1,
        margin: int = 0,
        remainder: int | None = None,
        sees_borders: bool = True,
        encoder: Sequence[str] | None = None,
        aux_heads: Mapping[str, nn.Module] | None = None,
        aux_weight: float = 0.0,
    ) -> None:
        super().__init__()
        check_stages(stages, strides, out_channels, aux_heads or {})
        self.stages = nn.ModuleDict(stages)
        self.head = head
        self.aux_heads = nn.ModuleDict(aux_heads or {})
        self.aux_weight = aux_weight
        self.in_channels = in_channels
        self.strides = tuple(strides)
        self.out_channels = tuple(out_channels)
        self.smallest = smallest
        self.margin = margin
        self.remainder = remainder
        self.sees_borders = sees_borders
        self.encoder = tuple(stages if encoder is None else encoder)

    @property
    def out(self) -> nn.Module:
        """What knows the classes, `head.out`."""
        return cast(nn.Module, self.head.out)

    @property
    def num_classes(self) -> int:
        """How many logits a pixel has."""
        return cast(int, self.out.out_channels)

    @property
    def stride(self) -> int:
        """How many input pixels one step in the coarsest map is."""
        return max(self.strides)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes, H - 2 margin, W - 2 margin) of images (N, in_channels, H, W).

        Raises:
            ValueError: The input has another number of channels, or a size that the network cannot take.
        """
        raise NotImplementedError

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """Logits of the head and of every auxiliary head, for training; in both modes, all of the same shape."""
        return LogitsWithAux(self(x), {})

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError that names both shapes where the input does not fit the network."""
        check_images(x, self.in_channels, None, self.smallest)
        if any(side != self.nearest_side(side) for side in x.shape[2:]):
            sides = " and ".join(str(self.nearest_side(side)) for side in x.shape[2:])
            raise ValueError(
                f"the input has shape {tuple(x.shape)}: this network takes H and W that are a multiple "
                f"of {self.stride} plus {self.remainder}; the next ones are {sides} "
                "(hubel.tasks.tiles.predict_mask takes any picture)"
            )

    def nearest_side(self, side: int) -> int:
        """The least height or width that the network takes and that is no less than `side`."""
        side = max(side, self.smallest)
        return side if self.remainder is None else side + (self.remainder - side) % self.stride

    def replace_out(self, num_classes: int) -> None:
        """Give the head, and every auxiliary head, a new last layer of the same kind for another number of classes.

        A new layer starts as a fresh network's does, on the old one's device and in its dtype.
        """
        for head in (self.head, *self.aux_heads.values()):
            replace_last_layer(head, num_classes)


def pixel_classifier(channels: int, num_classes: int) -> nn.Sequential:
    """A head that is one 1×1 convolution, `out`."""
    return nn.Sequential(OrderedDict(out=nn.Conv2d(channels, num_classes, 1)))


def centred(x: Tensor, size: Sequence[int]) -> Tensor:
    """The middle (N, C, *size) of a map; where the map is smaller, its border pixels are repeated outwards.

    What cannot be divided evenly is cut off, or added, at the end.
    """
    surplus = [have - want for have, want in zip(x.shape[2:], size, strict=True)]
    if not any(surplus):
        return x
    (top, height), (left, width) = ((max(0, each) // 2, want) for each, want in zip(surplus, size, strict=True))
    x = x[:, :, top : top + height, left : left + width]
    missing = [max(0, -each) for each in surplus]
    if not any(missing):
        return x
    (above, below), (before, after) = ((each // 2, each - each // 2) for each in missing)
    return F.pad(x, (before, after, above, below), mode="replicate")
