"""A training run from beginning to end as one value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from hubel.config.augmentation import AugmentConfig
from hubel.config.data import DataConfig
from hubel.config.learning import ModelConfig, OptimizerConfig, Phase, TransferConfig
from hubel.config.reading import in_one_line, read_yaml
from hubel.config.settings import Positive, Settings
from hubel.config.tasks import DetectionConfig, GenerativeConfig, SegmentationConfig

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
        seed: Of the initial weights, the order, the augmentation, dropout, and of what `data.fraction` draws.
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

    @model_validator(mode="after")
    def _a_part_is_a_share_or_a_number(self) -> Self:
        if self.data.fraction is not None and self.data.per_class is not None:
            raise ValueError("data.fraction and data.per_class came: expected one of them")
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
            raise in_one_line(error, cls, where) from None

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a configuration file.

        Raises:
            ConfigError: The file is missing, is not YAML, or has a field or value that does not fit.
        """
        return cls.from_values(read_yaml(path), where=str(path))
