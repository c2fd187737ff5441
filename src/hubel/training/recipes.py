"""Recipes: a list of phases, as data. A phase says what trains, how long and how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import yaml

from hubel.config import Phase, TrainConfig
from hubel.errors import ConfigError, unknown_name

# The head's highest learning rate: (a network from random weights, a new head on trained features, everything finely).
_RATES = {"adamw": (1e-3, 3e-3, 1e-3), "sgd": (0.05, 0.05, 0.01)}
_DETECTOR_RATES = {"adamw": 1e-3, "sgd": 0.01}  # Faster R-CNN's in docs/results/; `yolo` has 2e-3 there


def _scratch(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """Everything, from random weights."""
    return (Phase(name="scratch", epochs=epochs or 30, learning_rate=_RATES[optimizer][0]),)


def _head(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """The backbone frozen, statistics included: a classifier on deep features."""
    return (Phase(name="head", epochs=epochs or 10, train="head", learning_rate=_RATES[optimizer][1]),)


def _mid(epochs: int | None, optimizer: str, train: str = "later") -> tuple[Phase, ...]:
    """The head first, then the later half of the stages with it: mid-layer feature extraction, partial fine-tuning."""
    epochs = epochs or 10
    first = max(1, round(epochs / 5))
    head = _head(first, optimizer)
    return (*head, _finely("later", epochs - first, optimizer, train=train)) if epochs > first else head


def _full(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """Everything at once, at a low rate, earlier groups slower."""
    return (_finely("full", epochs or 10, optimizer, train="all"),)


def _finely(name: str, epochs: int, optimizer: str, *, train: str) -> Phase:
    """Trained features changed a little: a low rate, each earlier group 4 times slower, statistics as they are."""
    rate = _RATES[optimizer][2]
    return Phase(name=name, epochs=epochs, train=train, learning_rate=rate, ratio=4, batch_norm="frozen")


def _detector(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """Everything at once, statistics too; what follows the backbone is new, and learns faster than the backbone."""
    return (Phase(name="detector", epochs=epochs or 60, learning_rate=_DETECTOR_RATES[optimizer], ratio=2),)


def _gradual(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """The head first (a fifth of the epochs), then the later half of the stages (another fifth), then everything."""
    epochs = epochs or 10
    first = max(1, round(epochs / 5))
    later = first if epochs >= 3 * first else 0
    phases = _head(first, optimizer)
    if later:
        phases += (_finely("later", later, optimizer, train="later"),)
    if epochs > first + later:
        phases += (_finely("full", epochs - first - later, optimizer, train="all"),)
    return phases


RECIPES: dict[str, Callable[[int | None, str], tuple[Phase, ...]]] = {
    "scratch": _scratch,
    "head": _head,
    "mid": _mid,
    "full": _full,
    "gradual": _gradual,
    "detector": _detector,
}

_RATE_OF_GANS = 2e-4  # Radford et al. 2016, arXiv:1511.06434, section 3

# Chosen by a probe of the pictures (`hubel.training.auto`), so that it has no phases before these are known.
AUTO = "auto"


def phases_from(train: str, *, epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """The phases that end with training from some stage on, as `auto` chooses them.

    Args:
        train: `head` (the recipe of that name), `all` (the recipe `gradual`), or a stage (the recipe `mid` from there).
        epochs: Of all phases together; None: the recipe's own.
        optimizer: Its name.
    """
    if train in ("head", "all"):
        return RECIPES["head" if train == "head" else "gradual"](epochs, optimizer)
    return _mid(epochs, optimizer, train)


def plays_adversary(config: TrainConfig) -> bool:
    """Whether a configuration is that of a GAN, which is the usual network for generation."""
    return config.model.name == "dcgan" or (config.model.name is None and config.task == "generation")


def recipe_of(config: TrainConfig) -> tuple[Phase, ...]:
    """The phases of a configuration's recipe, whatever phases it spells out.

    Raises:
        ConfigError: There is no such recipe.
    """
    if plays_adversary(config):
        if config.recipe not in (None, "scratch") or config.learning_rate == "find":
            raise ConfigError(
                "a GAN trains both its networks from the beginning, and has no loss whose fall would tell a rate: "
                f"leave out {'--recipe' if config.recipe not in (None, 'scratch') else '--lr find'}"
            )
        rate = config.learning_rate or _RATE_OF_GANS
        return (Phase(name="adversarial", epochs=config.epochs or 60, learning_rate=float(rate)),)
    return resolve_recipe(
        config.recipe,
        pretrained=config.model.weights is not None,
        epochs=config.epochs,
        optimizer=config.optimizer.name,
        learning_rate=config.learning_rate,
    )


def resolve_recipe(
    name: str | None,
    *,
    pretrained: bool,
    epochs: int | None,
    optimizer: str,
    learning_rate: float | Literal["find"] | None,
) -> tuple[Phase, ...]:
    """A recipe's phases.

    Args:
        name: One of `RECIPES`, or the path of a YAML file (see `read_recipe`), whose epochs and rates hold; None:
            `gradual` for a network with weights, `scratch` for one without.
        pretrained: Whether the network starts from weights.
        epochs: Of all phases together; None: the recipe's own.
        optimizer: Its name, on which the learning rates depend.
        learning_rate: The head's in the first phase, to which the other phases' keep their ratio; None, or `find` until
            it is found: the recipe's.

    Raises:
        ConfigError: There is no such recipe, its file cannot be used, or it depends on the pictures.
    """
    if name == AUTO:
        raise ConfigError(
            "the recipe auto has no phases before it has seen the pictures: `hubel probe DATA` tells what it would do"
        )
    if learning_rate == "find":
        learning_rate = None
    if name is not None and is_file(name):
        if epochs is not None or learning_rate is not None:
            raise ConfigError(f"epochs and learning_rate have no effect beside the recipe {name}: change them there")
        return read_recipe(Path(name))
    name = name or ("gradual" if pretrained else "scratch")
    if name not in RECIPES:
        error = unknown_name("recipe", name, [*RECIPES, AUTO])
        raise ConfigError(f"{error}; the path of a YAML file is fine, too (hubel train --print-recipe shows one)")
    phases = RECIPES[name](epochs, optimizer)
    if learning_rate is not None:
        phases = with_learning_rate(phases, learning_rate)
    return phases


def with_learning_rate(phases: Sequence[Phase], learning_rate: float) -> tuple[Phase, ...]:
    """Phases whose first has this learning rate of the head, to which the others keep their ratio."""
    first = phases[0].learning_rate
    return tuple(
        phase.model_copy(update={"learning_rate": learning_rate * (phase.learning_rate / first)}) for phase in phases
    )


def is_file(name: str) -> bool:
    """Whether a recipe's name is the path of a file."""
    return name.endswith((".yaml", ".yml"))


def read_recipe(path: Path) -> tuple[Phase, ...]:
    """The phases in a YAML file, as `recipe_yaml` writes them.

    Raises:
        ConfigError: The file is missing, is not YAML, or has a field or value that does not fit.
    """
    config = TrainConfig.from_yaml(path)
    if not config.phases or config.model_fields_set != {"phases"}:
        raise ConfigError(f"{path} is no recipe: expected `phases:` with a list of phases, and nothing else")
    return config.phases


def recipe_yaml(phases: tuple[Phase, ...]) -> str:
    """Phases as YAML that `read_recipe` reads back."""
    values = {"phases": [phase.model_dump(mode="json") for phase in phases]}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
