"""What every classification network offers: stages, a head, and a map from each stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from torch import Tensor, nn


class OutputLayer(Protocol):
    """What a last layer that is no `nn.Linear` offers, so that `replace_out` can make another one."""

    def for_classes(self, num_classes: int) -> nn.Module:
        """A new layer of the same kind for `num_classes` classes."""


class ClassificationNetwork(nn.Module):
    """A network that is `head(features(x))`.

    Attributes:
        stages: Named children, one per row of the paper's table or per resolution; their composition is
            `features`.
        head: From the last map to logits; its last layer is `head.out`.
        in_channels: Channels of the input.
        strides: Per stage, how many input pixels one step in its map is.
        out_channels: Per stage, the channels of its map.
        size: The only height and width that the network takes, or None where it takes any.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        head: nn.Module,
        *,
        in_channels: int,
        strides: Sequence[int],
        out_channels: Sequence[int],
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if not len(stages) == len(strides) == len(out_channels):
            raise ValueError(f"{len(stages)} stages, {len(strides)} strides and {len(out_channels)} channels came")
        self.stages = nn.Sequential(OrderedDict(stages))
        self.head = head
        self.in_channels = in_channels
        self.strides = tuple(strides)
        self.out_channels = tuple(out_channels)
        self.size = size

    @property
    def out(self) -> nn.Module:
        """The last layer, `head.out`."""
        return cast(nn.Module, self.head.out)

    @property
    def num_classes(self) -> int:
        """How many logits `forward` returns."""
        return cast(int, self.out.out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, H, W)."""
        return cast(Tensor, self.head(self.features(x)))

    def features(self, x: Tensor) -> Tensor:
        """The last stage's map (N, C_out, H / stride, W / stride) of images (N, in_channels, H, W).

        Raises:
            ValueError: The input has another number of channels, or a size that the network cannot take.
        """
        self.check_input(x)
        return cast(Tensor, self.stages(x))

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage's map, by the stage's name, in order; the last one is `features(x)`."""
        self.check_input(x)
        maps = {}
        for name, stage in self.stages.named_children():
            x = stage(x)
            maps[name] = x
        return maps

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError that names both shapes where the input does not fit the network."""
        height, width = self.size or ("H", "W")
        wanted = f"(N, {self.in_channels}, {height}, {width})"
        if x.ndim != 4 or x.shape[1] != self.in_channels or (self.size and tuple(x.shape[2:]) != self.size):
            raise ValueError(f"the input has shape {tuple(x.shape)}: this network takes {wanted}")

    def replace_out(self, num_classes: int) -> None:
        """Give the network a new last layer of the same kind for another number of classes.

        The new layer starts as a fresh network's does, on the old one's device and in its dtype.
        """
        old = self.out
        new = (
            nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
            if isinstance(old, nn.Linear)
            else cast(OutputLayer, old).for_classes(num_classes)
        )
        tensor = [*old.parameters(), *old.buffers()][0]
        self.head.out = new.to(device=tensor.device, dtype=tensor.dtype).train(old.training)
