"""Settings of single tasks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hubel.config.settings import Settings

# What the loss of masks may be made of; see `SegmentationConfig`.
MASK_LOSSES = ("cross_entropy", "weighted", "dice", "focal", "border")

# What `generative.diffaugment` may be made of; see `hubel.tasks.generative.diffaugment`.
DIFFAUGMENTS = ("color", "translation", "cutout", "affine")


class DetectionConfig(Settings):
    """How boxes are learnt and reported.

    Attributes:
        least_score: Objects that a detector is less sure of are not reported. Average precision counts all.
        iou_threshold: Of two reports that overlap more than this, the surer one remains; None: what the kind of
            detector is usually read with, 0.5 or 0.6.
        class_aware: Whether reports of different classes leave each other alone.
        soft: Whether the score of a report that overlaps a surer one shrinks instead (soft-NMS: Bodla et al. 2017).
        most: The most objects of a picture; None: what the kind of detector is usually read with, 100 or 300.
        box_loss: Of localisation: `squared`, the squared errors of centre, width and height, or `giou`.
    """

    least_score: Annotated[float, Field(ge=0, lt=1)] = 0.25
    iou_threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    class_aware: bool = True
    soft: bool = False
    most: Annotated[int, Field(ge=1)] | None = None
    box_loss: Literal["squared", "giou"] = "squared"


class SegmentationConfig(Settings):
    """How masks are learnt and predicted.

    Attributes:
        loss: What is trained on, parts joined by `+`: `cross_entropy`; `weighted`, with classes weighted by their
            inverse share of the training pixels; `focal`, with γ = 2 (Lin et al. 2017); `dice`, the soft Dice loss;
            `border`, the cross entropy times U-Net's weights of thin borders between objects. `weighted+border` is
            U-Net's own loss (Ronneberger et al. 2015, equation 2).
        tile: Larger pictures are predicted in tiles; so many pixels are the most that a network is fed along a side.
        overlap: How many pixels around the kept part of a tile the network is fed; None: as many as leave no seams, and
            at most a quarter of the tile.
    """

    loss: str = "cross_entropy+dice"
    tile: Annotated[int, Field(ge=32)] = 2048
    overlap: Annotated[int, Field(ge=0)] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the loss."""
        return tuple(part.strip() for part in self.loss.split("+"))

    @field_validator("loss")
    @classmethod
    def _has_known_parts(cls, value: str) -> str:
        parts = [part.strip() for part in value.split("+")]
        if unknown := [part for part in parts if part not in MASK_LOSSES]:
            raise ValueError(f"there is no part '{unknown[0]}', expected {', '.join(MASK_LOSSES)}, joined by +")
        if len(set(parts)) < len(parts):
            raise ValueError("expected each part once")
        if parts == ["border"]:
            raise ValueError("it is 0 inside of objects, expected another part beside it: weighted+border")
        return value


class GenerativeConfig(Settings):
    """How networks learn that need no labels; their noise, code and likelihood are arguments of the network's own.

    Attributes:
        loss: Of plain autoencoders: `cross_entropy` (of pixels as probabilities) or `squared_error`; None: the first
            where the network's output is a sigmoid.
        beta: The weight of the codes' divergence in variational autoencoders (Higgins et al. 2017); 1: the ELBO.
        kl_warmup: Steps in which that weight rises from 0 (Sønderby et al. 2016).
        free_bits: Nats that each value of the code has for nothing (Kingma et al. 2016).
        sparsity: The weight of a penalty on the codes of plain autoencoders.
        sparsity_target: How active a value of the code should be on average, above 0 and below 1, as a
            Kullback-Leibler divergence; None: the penalty is the codes' absolute values.
        importance_samples: Codes of each picture for the importance-weighted bound, once training has ended.
        game: What a GAN is trained on: `non-saturating`, `least-squares`, `wasserstein` or `hinge`, see
            `hubel.tasks.generative.adversarial`.
        smoothing: What the discriminator's target for real pictures lacks to 1, in the first two games.
        gradient_penalty: The weight of the gradient penalty in `wasserstein`.
        discriminator_steps: Of the discriminator for one of the generator; None: 5 in `wasserstein`, else 1.
        generator_average: Decay of the moving average of the generator's weights, which is kept; 0: no average.
        diffaugment: How the discriminator of a GAN is shown pictures, real and generated ones alike: `color`,
            `translation`, `cutout`, `affine`, joined by `+`, see `hubel.tasks.generative.diffaugment`; None: as they
            are.
    """

    loss: Literal["cross_entropy", "squared_error"] | None = None
    beta: Annotated[float, Field(ge=0)] = 1.0
    kl_warmup: Annotated[int, Field(ge=0)] = 0
    free_bits: Annotated[float, Field(ge=0)] = 0.0
    sparsity: Annotated[float, Field(ge=0)] = 0.0
    sparsity_target: Annotated[float, Field(gt=0, lt=1)] | None = None
    importance_samples: Annotated[int, Field(ge=0)] = 16
    game: Literal["non-saturating", "least-squares", "wasserstein", "hinge"] = "non-saturating"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    gradient_penalty: Annotated[float, Field(ge=0)] = 10.0
    discriminator_steps: Annotated[int, Field(ge=1)] | None = None
    generator_average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    diffaugment: str | None = None

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The parts of `diffaugment`."""
        return tuple(part.strip() for part in (self.diffaugment or "").split("+") if part.strip())

    @field_validator("diffaugment")
    @classmethod
    def _has_known_augmentations(cls, value: str | None) -> str | None:
        parts = [] if value is None else [part.strip() for part in value.split("+")]
        if unknown := [part for part in parts if part not in DIFFAUGMENTS]:
            raise ValueError(f"there is no part '{unknown[0]}', expected {', '.join(DIFFAUGMENTS)}, joined by +")
        return value

    @model_validator(mode="after")
    def _the_game_has_labels_to_smooth(self) -> Self:
        if self.smoothing and self.game not in ("non-saturating", "least-squares"):
            raise ValueError(f"generative.smoothing came with the game {self.game}, which has no labels: leave it out")
        return self
