"""Settings of the augmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hubel.config.settings import Fraction, Positive, Settings


class AugmentConfig(Settings):
    """How training pictures are varied; a field that is set overrides the preset's.

    Attributes:
        preset: `none`, `light` (crop and mirror), `standard` (resized crop, mirror, brightness and contrast ±20 %) or
            `strong`; None: `standard` for inputs from 64 pixels on, `light` below. What the names of the classes speak
            against is left out.
        crop: Whether a crop lies anywhere; otherwise in the centre.
        mirror: Probability of a left-right mirror image.
        flip: Probability of an upside-down image.
        turn: Probability of a turn by 90, 180 or 270 degrees.
        scale: Least and greatest share of the picture's area that a resized crop covers.
        ratio: Least and greatest aspect ratio of a resized crop.
        pad: Pixels of zero padding before a crop without resizing.
        share: Share of the pictures that rotation, zoom, shear, translation, elastic deformation, saturation, hue, pca,
            blur and noise happen to.
        rotate: Largest rotation in degrees.
        zoom: Largest relative change of size.
        shear: Largest shear in degrees.
        translate: Largest translation, as a share of the side.
        elastic: Root mean square of a smooth random displacement, as a share of the side.
        elastic_smoothness: Its smoothness, as a share of the side.
        outside: What is shown beyond the picture's edge: `black`, or the picture reflected (`reflect`).
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        hue: Largest turn of all colours in degrees.
        pca: Standard deviation of AlexNet's change of colour, 0.1 there.
        erase: Probability that a box is erased.
        erase_area: Least and greatest share of the picture that is erased.
        blur: Largest σ of a blur in pixels.
        noise: Largest σ of noise, as a share of the range of values.
        mosaic: Probability that a picture with boxes is joined with three others.
        keep_boxes: Whether geometric changes that would cut more than a tenth off a box are left out.
        policy: `randaugment` or `trivialaugment`, instead of what a preset does beside crops and mirror images.
        operations: How many operations RandAugment does to each picture.
        magnitude: How strong they are, 0 to 30.
        excluded: Operations that a policy never does.
        mixup: α of mixup (Zhang et al. 2018): pictures of a batch are blended, and so are their labels; 0: off.
        cutmix: α of CutMix (Yun et al. 2019): a box of a picture shows another one; 0: off. With both, one by chance.
    """

    preset: Literal["none", "light", "standard", "strong"] | None = None
    crop: bool | None = None
    mirror: Fraction | None = None
    flip: Fraction | None = None
    turn: Fraction | None = None
    scale: tuple[Positive, Positive] | None = None
    ratio: tuple[Positive, Positive] | None = None
    pad: Annotated[int, Field(ge=0)] | None = None
    share: Fraction | None = None
    rotate: float | None = None
    zoom: float | None = None
    shear: float | None = None
    translate: Fraction | None = None
    elastic: float | None = None
    elastic_smoothness: float | None = None
    outside: Literal["black", "reflect"] | None = None
    brightness: Fraction | None = None
    contrast: Fraction | None = None
    saturation: Fraction | None = None
    hue: float | None = None
    pca: float | None = None
    erase: Fraction | None = None
    erase_area: tuple[Positive, Positive] | None = None
    blur: float | None = None
    noise: Fraction | None = None
    mosaic: Fraction | None = None
    keep_boxes: bool | None = None
    policy: Literal["randaugment", "trivialaugment"] | None = None
    operations: int | None = None
    magnitude: int | None = None
    excluded: tuple[str, ...] | None = None
    mixup: Annotated[float, Field(ge=0)] = 0.0
    cutmix: Annotated[float, Field(ge=0)] = 0.0
