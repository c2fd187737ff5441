"""What a picture of a network shows, as values: chains of layers, branches that meet again, what repeats.

Two parts are equal if one would draw them alike: the same layers with the same sizes. Where they are in the network
(`path`) and what comes in (`given`, and the channels that a pooling layer passes on) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Shape: TypeAlias = tuple[int, ...]
Kind: TypeAlias = Literal["convolution", "linear", "pooling", "elementwise", "rearrangement", "other"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer, and what follows it value by value.

    Attributes:
        kind: What it does, roughly; `"elementwise"` (normalisation, activation) and `"rearrangement"` only where there
            is no layer before them to which they could be a note.
        what: Such as `"3×3 conv"`.
        details: Such as `("64", "/2")`: channels, stride, groups.
        notes: What follows value by value, such as `("BatchNorm", "ReLU")`.
        shape: Of its output, without the batch.
        path: The module that runs it.
        extent: Height and width of the map that it makes; nothing where it leaves them alone by its nature.
    """

    kind: Kind
    what: str
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shape: Shape = field(compare=False)
    path: str = field(default="", compare=False)
    extent: Shape = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", () if self.kind == "elementwise" else self.shape[1:])


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Branches from one tensor that meet again.

    Attributes:
        operation: How they meet: `"add"`, `"concatenate"`, `"multiply"`, ...
        branches: Each one a chain; an empty one is the identity.
        notes: What follows value by value.
        shape: Of the output, without the batch.
        given: The shape of what all branches take.
        path: The module that runs the operation.
    """

    operation: str
    branches: tuple[Chain, ...]
    notes: tuple[str, ...] = ()
    shape: Shape
    given: Shape = field(default=(), compare=False)
    path: str = field(default="", compare=False)

    @property
    def is_shortcut(self) -> bool:
        """Whether one of two branches leads around the other: it is the identity, or a layer or two beside more."""
        lengths = sorted(map(len, self.branches))
        return len(lengths) == 2 and lengths[0] <= 2 and lengths[0] < max(lengths[1], 1) and not self.concatenates

    @property
    def concatenates(self) -> bool:
        """Whether the branches' channels lie side by side."""
        return self.operation == "concatenate"


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Layers of which each takes the concatenated outputs of all earlier ones.

    Attributes:
        layer: What each of them is.
        count: How many there are.
        start: Channels of the block's input.
        growth: Channels that each layer adds.
        shape: Of the concatenation of all, without the batch.
        path: The module that runs the last concatenation.
    """

    layer: Chain
    count: int
    start: int
    growth: int
    shape: Shape
    path: str = field(default="", compare=False)

    def channels(self, layer: int) -> int:
        """Channels that a layer takes, the first being layer 1: k0 + k(l - 1)."""
        return self.start + self.growth * (layer - 1)


@dataclass(frozen=True, kw_only=True)
class Tangle:
    """Layers whose links are none of the above.

    Attributes:
        layers: In the order of the computation; the first one stands for the input.
        links: From which layer to which.
        shape: Of the output, without the batch.
        path: The module that runs the last one.
    """

    layers: tuple[Layer, ...]
    links: tuple[tuple[int, int], ...]
    shape: Shape
    path: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one module of the network's own does, such as a residual block.

    Attributes:
        items: Its layers.
        name: Its name in its stage.
        kind: Its class.
    """

    items: Chain
    name: str = field(compare=False)
    kind: str = field(compare=False)

    @property
    def shape(self) -> Shape:
        """Of the output, without the batch."""
        return self.items[-1].shape


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Equal parts, one after the other.

    Attributes:
        items: What repeats.
        count: How often it is there.
        names: Of the first and of the last, where they have names.
        kind: Their class, where they have one.
    """

    items: Chain
    count: int
    names: tuple[str, ...] = field(default=(), compare=False)
    kind: str = field(default="", compare=False)

    @property
    def shape(self) -> Shape:
        """Of the output, without the batch."""
        return self.items[-1].shape


Item: TypeAlias = Layer | Parallel | Dense | Tangle | Block | Repeat
Chain: TypeAlias = tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage or a head.

    Attributes:
        name: Its name in the network.
        kind: The class of the one block that it is, or of its own module; `""` where it has several parts.
        items: What it does.
        given: The shape of its input, without the batch.
        shape: Of its output.
    """

    name: str = field(compare=False)
    kind: str = field(default="", compare=False)
    items: Chain
    given: Shape = field(compare=False)
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """A network.

    Attributes:
        input_size: Channels, height and width of the image.
        stages: In order.
        head: From the last stage's map to logits; None where the network has no stages of its own.
        aux_heads: By the stage whose map each one takes.
        parameters: How many trainable values there are, without those of the auxiliary heads.
    """

    input_size: tuple[int, int, int]
    stages: tuple[Stage, ...]
    head: Stage | None
    aux_heads: tuple[Stage, ...]
    parameters: int

    @property
    def parts(self) -> tuple[Stage, ...]:
        """The stages and the head."""
        return (*self.stages, self.head) if self.head else self.stages


def parts_in(chain: Chain) -> Iterator[Item]:
    """Every item of a chain and, after each one, every item in it; each as often as the network has it."""
    for item in chain:
        yield item
        match item:
            case Parallel():
                for branch in item.branches:
                    yield from parts_in(branch)
            case Dense():
                for _ in range(item.count):
                    yield from parts_in(item.layer)
            case Tangle():
                yield from item.layers[1:]
            case Block():
                yield from parts_in(item.items)
            case Repeat():
                for _ in range(item.count):
                    yield from parts_in(item.items)
            case _:
                pass


def layers_in(chain: Chain) -> list[Layer]:
    """Every layer of a chain."""
    return [item for item in parts_in(chain) if isinstance(item, Layer)]


def parallels_in(chain: Chain) -> list[Parallel]:
    """Every place where branches meet; dense links are not among them."""
    return [item for item in parts_in(chain) if isinstance(item, Parallel)]


def dense_in(chain: Chain) -> list[Dense]:
    """Every dense block."""
    return [item for item in parts_in(chain) if isinstance(item, Dense)]
