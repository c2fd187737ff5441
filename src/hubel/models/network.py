"""What every classification network offers: stages, a head, a map from each stage, perhaps auxiliary heads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class OutputLayer(Protocol):
    """What a last layer that is neither dense nor a 1×1 convolution offers, so that `replace_out` can make another."""

    def for_classes(self, num_classes: int) -> nn.Module:
        """A new layer of the same kind for `num_classes` classes."""


class LogitsWithAux(NamedTuple):
    """What `forward_with_aux` returns.

    Attributes:
        logits: Of the head, (N, num_classes).
        aux: Of the auxiliary heads by the stage that each follows, in order; each (N, num_classes).
    """

    logits: Tensor
    aux: dict[str, Tensor]


@runtime_checkable
class Staged(Protocol):
    """A network in named stages and a head, whatever its task: what costs, memory and tables are told of.

    The attributes are as for `ClassificationNetwork`; `stages` has the stages as its children, in the order of the
    computation.
    """

    stages: nn.Module
    head: nn.Module
    aux_heads: nn.ModuleDict
    in_channels: int
    strides: tuple[int, ...]

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """Logits of the head and of every auxiliary head."""


class ClassificationNetwork(nn.Module):
    """A network that is `head(features(x))`.

    Attributes:
        stages: Named children, one per row of the paper's table or per resolution; their composition is
            `features`.
        head: From the last map to logits; its last layer is `head.out`.
        aux_heads: Heads that help to train, each under the name of the stage whose map it takes; the last layer of
            each is its `out`. `forward` leaves them alone.
        aux_weight: What the loss of each auxiliary head counts, beside 1 for that of the head.
        in_channels: Channels of the input.
        strides: Per stage, how many input pixels one step in its map is.
        out_channels: Per stage, the channels of its map.
        size: The only height and width that the network takes, or None where it takes any.
        smallest: The least height and width that it takes.
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
        smallest: int = 1,
        aux_heads: Mapping[str, nn.Module] | None = None,
        aux_weight: float = 0.0,
    ) -> None:
        super().__init__()
        check_stages(stages, strides, out_channels, aux_heads or {})
        self.stages = nn.Sequential(OrderedDict(stages))
        self.head = head
        self.aux_heads = nn.ModuleDict(aux_heads or {})
        self.aux_weight = aux_weight
        self.in_channels = in_channels
        self.strides = tuple(strides)
        self.out_channels = tuple(out_channels)
        self.size = size
        self.smallest = smallest

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
        for layer in self._layers():
            x = layer(x)
        return x

    def _layers(self) -> Iterator[nn.Module]:
        """The stages, and instead of a plain sequence that nobody watches its parts, one by one.

        Whoever calls a sequence holds its input until the sequence ends. Part by part, a stage that begins by pooling
        does not keep the large map before it alive.
        """
        for stage in self.stages:
            if type(stage) is nn.Sequential and not (stage._forward_hooks or stage._forward_pre_hooks):
                yield from stage
            else:
                yield stage

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage's map, by the stage's name, in order; the last one is `features(x)`."""
        self.check_input(x)
        maps = {}
        for name, stage in self.stages.named_children():
            x = stage(x)
            maps[name] = x
        return maps

    def forward_with_aux(self, x: Tensor) -> LogitsWithAux:
        """Logits of the head and of every auxiliary head, for training; in both modes."""
        if not self.aux_heads:
            return LogitsWithAux(self(x), {})
        self.check_input(x)
        aux = {}
        for name, stage in self.stages.named_children():
            x = stage(x)
            # Here and not behind the last stage: the backward pass goes the other way round, and would else begin
            # with the gradients of the auxiliary heads while all activations are still kept.
            if name in self.aux_heads:
                aux[name] = self.aux_heads[name](x)
        return LogitsWithAux(self.head(x), aux)

    def check_input(self, x: Tensor) -> None:
        """Raise a ValueError that names both shapes where the input does not fit the network."""
        check_images(x, self.in_channels, self.size, self.smallest)

    def replace_out(self, num_classes: int) -> None:
        """Give the head, and every auxiliary head, a new last layer of the same kind for another number of classes.

        A new layer starts as a fresh network's does, on the old one's device and in its dtype.
        """
        for head in (self.head, *self.aux_heads.values()):
            replace_last_layer(head, num_classes)


def check_stages(
    stages: Collection[str], strides: Sequence[int], out_channels: Sequence[int], aux_heads: Collection[str]
) -> None:
    """Raise a ValueError where a network's stages and what is told of each do not belong together."""
    if not len(stages) == len(strides) == len(out_channels):
        raise ValueError(f"{len(stages)} stages, {len(strides)} strides and {len(out_channels)} channels came")
    if unknown := [name for name in aux_heads if name not in stages]:
        raise ValueError(f"auxiliary heads came for {', '.join(unknown)}: expected names of stages")


def replace_last_layer(head: nn.Module, num_classes: int) -> None:
    """Give a head a new `out` of the same kind for another number of classes; see `ClassificationNetwork`."""
    old = cast(nn.Module, head.out)
    if isinstance(old, OutputLayer):
        new = old.for_classes(num_classes)
    elif isinstance(old, nn.Conv2d):  # 1×1, for maps
        new = nn.Conv2d(old.in_channels, num_classes, 1, bias=old.bias is not None)
    else:
        dense = cast(nn.Linear, old)
        new = nn.Linear(dense.in_features, num_classes, bias=dense.bias is not None)
    tensor = [*old.parameters(), *old.buffers()][0]
    head.out = new.to(device=tensor.device, dtype=tensor.dtype).train(old.training)


def check_images(x: Tensor, in_channels: int, size: tuple[int, int] | None, smallest: int) -> None:
    """Raise a ValueError that names both shapes where images do not fit a network.

    Args:
        x: The images.
        in_channels: As for `ClassificationNetwork`, and so are the others.
        size: The only height and width, or None.
        smallest: The least height and width.
    """
    height, width = size or ("H", "W")
    wanted = f"(N, {in_channels}, {height}, {width})"
    if x.ndim != 4 or x.shape[1] != in_channels or (size and tuple(x.shape[2:]) != size):
        raise ValueError(f"the input has shape {tuple(x.shape)}: this network takes {wanted}")
    if min(x.shape[2:]) < smallest:
        raise ValueError(
            f"the input has shape {tuple(x.shape)}: this network takes {wanted}, H and W at least {smallest}"
        )
