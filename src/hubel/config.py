"""The whole of a training run as one frozen, validated value that is written as YAML into the run's folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hubel.errors import ConfigError, unknown_name

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
TaskName = Literal[
    "classification",
    "multilabel",
    "regression",
    "localization",
    "detection",
    "segmentation",
    "reconstruction",
    "generation",
]

# What the loss of masks may be made of; see `SegmentationConfig`.
MASK_LOSSES = ("cross_entropy", "weighted", "dice", "focal", "border")


class Settings(BaseModel):
    """A group of settings: frozen; a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Settings):
    """Where the pictures are and how they are read.

    Attributes:
        path: The data set: a folder, manifest, archive, tar shards, or `torchvision:NAME`; see `hubel.data.layouts`.
        size: Side of the network's input in pixels; None: the network's own.
        resize_to: The shorter side in pixels before the centre crop; None: the weights' own, else 8/7 of `size`
            (256 for 224) from 64 pixels on and `size` below.
        resize: `shorter_side` (keep the aspect ratio, crop the centre), `stretch`, `fit` (keep the aspect ratio, frame
            it in grey) or `native` (no scaling); None: the weights' own, or what the task needs.
        interpolation: The resampling filter; None: the weights' own, else bilinear.
        validation_fraction: Share of a folder without splits (or of `train`) that chooses the epoch.
        test_fraction: Share of a folder without splits that is kept for the end.
        group: Which pictures belong together and are never on both sides of a division: a regular expression that is
            searched for in the file's name (where it has a slash: in its path below `path`); what its first parentheses
            match, or all that it matches, is the group.
        groups: The same as a CSV file with the columns `path` (below the data set's folder) and `group`.
        folds: Cross-validation with so many folds instead of one division; None: none.
        fold: The fold, from 1, that this run holds out for its test; None: all in turn.
        near_duplicates: Of up to so many pictures, near duplicates stay together in a division; 0: never searched.
        max_unreadable: Share of pictures that may be unreadable before the run is refused.
        workers: Processes that load pictures; None: as many as pay.
        shuffle_buffer: Through how many pictures tar shards are shuffled, which are read from front to back.
        cache_gb: How much disk the decoded pictures may take, in GB (1e9 bytes); 0: never cache.
    """

    path: str = ""
    size: Annotated[int, Field(ge=8)] | None = None
    resize_to: Annotated[int, Field(ge=8)] | None = None
    resize: Literal["shorter_side", "stretch", "fit", "native"] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    group: str | None = None
    groups: str | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=1)] | None = None
    near_duplicates: Annotated[int, Field(ge=0)] = 20_000
    max_unreadable: Fraction = 0.01
    workers: Annotated[int, Field(ge=0)] | None = None
    shuffle_buffer: Annotated[int, Field(ge=1)] = 5000
    cache_gb: Annotated[float, Field(ge=0)] = 20.0


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
    arguments: dict[str, Any] = {}


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

    @model_validator(mode="after")
    def _the_game_has_labels_to_smooth(self) -> Self:
        if self.smoothing and self.game not in ("non-saturating", "least-squares"):
            raise ValueError(f"generative.smoothing came with the game {self.game}, which has no labels: leave it out")
        return self


class TrainConfig(Settings):
    """A training run from beginning to end.

    Attributes:
        data: Where the pictures are and how they are read.
        model: The network.
        augment: How training pictures are varied.
        optimizer: The optimiser.
        transfer: What is done with frozen layers.
        detection: How boxes are learnt and reported.
        segmentation: How masks are learnt and predicted.
        generative: How networks learn that need no labels.
        task: What is learnt: `classification` (one class a picture), `multilabel` (several labels a picture, perhaps
            none), `regression` (a number), `localization` (the class and the box of one object), `detection` (all
            objects), `segmentation` (the class of every pixel), `reconstruction` or `generation` (of pictures, without
            labels); None: what the data's labels and the network say.
        recipe: A name of `hubel.training.recipes`, or a YAML file of phases; None: `detector` for
            detection, else `gradual` with weights and `scratch` without.
        phases: The recipe spelled out; it goes before `recipe`'s name, and a run's own config.yaml has it.
        epochs: Passes over the training split in all phases together; None: the recipe's.
        learning_rate: The head's in the first phase, to which the other phases' keep their ratio; `find`: found by a
            range test on the training pictures before the run begins (Smith 2017); None: the recipe's.
        batch_size: Pictures a step; None: 8 for detection, else 32.
        average_decay: Decay of the moving average of the weights that is validated and kept instead of the weights
            themselves (Polyak and Juditsky 1992), such as 0.999; 0: no average; None: 0.99 for detection, else 0.
        label_smoothing: Share of the probability that is spread over all classes (Szegedy et al. 2016, section 7), or
            over a label's being there and not; None: 0.1 for one class a picture, else 0.
        label_threshold: Where a picture may have several labels, the probability from which on it is given one; `f1`:
            for each label, the one with the highest F1 on the validation pictures, chosen when training has ended.
        imbalance: What is done about training classes of unequal size: `none`; `weights`, in the loss, N / (K · n) for
            a class with n of N pictures in K classes, (N - n) / n for the positives of one of several labels;
            `sampling`, every class (of several labels, a picture's rarest one) equally often in every epoch; `focal`,
            the focal loss (Lin et al. 2017) with γ = 2. With any but `none` the epoch is chosen by its macro F1.
        patience: Epochs without a better validation result after which a phase ends; 0: never early.
        seed: Of the initial weights, the order, the augmentation and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `float32`, `bfloat16` (autocast), or `auto`: bfloat16 where it is faster, see
            `hubel.training.precision`.
        threads: Of the CPU's arithmetic; None: `$OMP_NUM_THREADS` where it is set, else all the process may use.
        checkpoint_seconds: How often, within an epoch, all is saved for `--resume`.
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    augment: AugmentConfig = AugmentConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    transfer: TransferConfig = TransferConfig()
    detection: DetectionConfig = DetectionConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    generative: GenerativeConfig = GenerativeConfig()
    task: TaskName | None = None
    recipe: str | None = None
    phases: tuple[Phase, ...] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    learning_rate: float | Literal["find"] | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None
    average_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None
    label_threshold: Annotated[float, Field(gt=0, lt=1)] | Literal["f1"] = 0.5
    imbalance: Literal["none", "weights", "sampling", "focal"] = "none"
    patience: Annotated[int, Field(ge=0)] = 10
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    checkpoint_seconds: Positive = 120.0

    @field_validator("learning_rate", mode="plain")
    @classmethod
    def _is_a_rate(cls, value: Any) -> float | str | None:
        if value is None:
            return None
        if value == "find":
            return "find"
        try:
            rate = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            rate = math.nan
        if not 0 < rate < math.inf:
            raise ValueError("expected a positive number, or find")
        return rate

    @model_validator(mode="after")
    def _fractions_leave_something_to_train_on(self) -> Self:
        if self.data.validation_fraction + self.data.test_fraction >= 1:
            raise ValueError("data.validation_fraction and data.test_fraction together leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _the_fold_is_one_of_the_folds(self) -> Self:
        if self.data.fold is not None and self.data.fold > (self.data.folds or 0):
            raise ValueError(f"data.fold is {self.data.fold}, data.folds {self.data.folds}: expected one of the folds")
        return self

    def to_yaml(self) -> str:
        """This configuration as YAML that `from_yaml` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    @classmethod
    def from_values(cls, values: dict[str, Any], *, where: str = "settings") -> Self:
        """Validate nested values.

        Raises:
            ConfigError: A field that does not exist (the nearest one is offered) or a value that does not fit.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _one_line(error, where) from None

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a configuration file.

        Raises:
            ConfigError: The file is missing, is not YAML, or has a field or value that does not fit.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path} is no configuration: expected `name: value` lines, such as a run's config.yaml")
        return cls.from_values(values, where=str(path))


def parse_settings(assignments: list[str]) -> dict[str, Any]:
    """Nested values from `key.key=value` texts; each value is read as YAML (`0.1`, `true`, `[0.3, 1]`, `null`).

    Raises:
        ConfigError: A text without `=`, or a value that is not YAML.
    """
    nested: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"setting '{text}' has no value: expected key=value, such as data.size=160")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"the value of setting '{text}' cannot be read: expected a number, a word or a list"
            ) from error
        *parents, last = key.strip().split(".")
        group = nested
        for parent in parents:
            group = group.setdefault(parent, {})
            if not isinstance(group, dict):
                raise ConfigError(f"setting '{key}' gives a value inside another value, '{parent}'")
        group[last] = parsed
    return nested


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The nested values of `base` with those of `changes` laid over them."""
    merged = dict(base)
    for key, value in changes.items():
        both_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_nested else value
    return merged


def _one_line(error: ValidationError, where: str) -> ConfigError:
    """The first thing that pydantic found wrong (unknown fields before all else), told as hubel tells errors."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    location = [part for part in first["loc"] if not isinstance(part, int)]
    field = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        *parents, _ = location
        group: Any = TrainConfig
        for parent in parents:
            group = {"phases": Phase}.get(str(parent)) or group.model_fields[str(parent)].annotation
        prefix = "".join(f"{parent}." for parent in parents)
        return unknown_name("setting", field, [prefix + name for name in group.model_fields])
    message = first["msg"].removeprefix("Value error, ")
    given = f"{field} is {first['input']!r}: " if field and first["type"] != "missing" else f"{field}: " * bool(field)
    return ConfigError(f"{where}: {given}{message[:1].lower()}{message[1:]}")
