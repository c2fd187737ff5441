"""Settings of the network and of how it learns: optimiser, phases of a recipe, what is done with frozen layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hubel.config.settings import BYTES_PER_GB, Fraction, Positive, Settings


class ModelConfig(Settings):
    """The network and where its weights come from.

    Attributes:
        name: A name of `hubel models list`, `timm/<name>`, or `<family>/<backbone>`; None: the task's usual one, see
            `hubel.training.network`.
        weights: None (random), a name in the catalogue, or a path.
        in_channels: 3 (RGB) or 1 (grey); None: the network's own.
        arguments: Further arguments of the network's builder.
    """

    name: str | None = None
    weights: str | None = None
    in_channels: Literal[1, 3] | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)


class OptimizerConfig(Settings):
    """The optimiser.

    Attributes:
        name: `adamw` (Loshchilov and Hutter 2019) or `sgd` (with Nesterov momentum).
        weight_decay: Decoupled for AdamW, L2 for SGD; never on biases and normalisation.
        momentum: For SGD.
        clip_norm: Largest L2 norm of the gradient; 0: no clipping.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    clip_norm: Annotated[float, Field(ge=0)] = 5.0


class Phase(Settings):
    """A part of a recipe: what trains, how long, how fast.

    Attributes:
        name: What it is called in the log.
        epochs: How many passes over the training split.
        train: `all`, `later` (the later half of the stages), `head`, or the name of the first stage that trains (it and
            all later ones do).
        learning_rate: The head's, at its highest; it warms up linearly and then falls along a cosine to 0.
        ratio: How many times slower each earlier layer group learns than its later neighbour.
        warmup: Share of the phase in which the learning rate rises.
        batch_norm: `train`, or `frozen`: statistics stay as they are in the stages that train, too.
    """

    name: str
    epochs: Annotated[int, Field(ge=1)]
    train: str = "all"
    learning_rate: Positive
    ratio: Annotated[float, Field(ge=1)] = 1.0
    warmup: Fraction = 0.1
    batch_norm: Literal["train", "frozen"] = "train"


class TransferConfig(Settings):
    """What is done with the frozen layers of a phase.

    Attributes:
        views: How often each picture goes through the frozen layers, once as it is evaluated and then augmented; what
            they give is kept, and only the rest is trained. 0: they run in every step, on pictures augmented anew, as
            always where the labels are boxes or masks.
        cache_gb: How much memory or disk may be taken for that, in GB (1e9 bytes); where more would be needed, frozen
            layers run in every step.
        half: Whether it is kept as float16 instead of float32.
        fold: Whether BatchNorm is folded into convolutions there.
    """

    views: Annotated[int, Field(ge=0)] = 1
    cache_gb: Annotated[float, Field(ge=0)] = 8.0
    half: bool = False
    fold: bool = True

    @property
    def cache_bytes(self) -> int:
        """`cache_gb` in bytes."""
        return int(self.cache_gb * BYTES_PER_GB)
