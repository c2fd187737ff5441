"""Recipes: a list of phases, as data. A phase says what trains, how long and how fast."""

from __future__ import annotations

from collections.abc import Callable

from hubel.config import Phase, TrainConfig
from hubel.errors import unknown_name

# The head's highest learning rate: (a network from random weights, a new head on trained features, everything finely).
_RATES = {"adamw": (1e-3, 3e-3, 1e-3), "sgd": (0.05, 0.05, 0.01)}


def _scratch(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """Everything, from random weights."""
    return (Phase(name="scratch", epochs=epochs or 30, learning_rate=_RATES[optimizer][0]),)


def _head(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """The backbone frozen, statistics included: a classifier on deep features."""
    return (Phase(name="head", epochs=epochs or 10, train="head", learning_rate=_RATES[optimizer][1]),)


def _full(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """Everything at once, at a low rate, earlier groups slower."""
    return (Phase(name="full", epochs=epochs or 10, learning_rate=_RATES[optimizer][2], ratio=4, batch_norm="frozen"),)


def _gradual(epochs: int | None, optimizer: str) -> tuple[Phase, ...]:
    """The head first (a fifth of the epochs), then everything with differential rates and frozen statistics."""
    epochs = epochs or 10
    first = max(1, round(epochs / 5))
    head = _head(first, optimizer)
    return head + _full(epochs - first, optimizer) if epochs > first else head


RECIPES: dict[str, Callable[[int | None, str], tuple[Phase, ...]]] = {
    "scratch": _scratch,
    "head": _head,
    "full": _full,
    "gradual": _gradual,
}


def recipe_of(config: TrainConfig) -> tuple[Phase, ...]:
    """The phases of a configuration's recipe, whatever phases it spells out.

    Raises:
        ConfigError: There is no such recipe.
    """
    return resolve_recipe(
        config.recipe,
        pretrained=config.model.weights is not None,
        epochs=config.epochs,
        optimizer=config.optimizer.name,
        learning_rate=config.learning_rate,
    )


def resolve_recipe(
    name: str | None, *, pretrained: bool, epochs: int | None, optimizer: str, learning_rate: float | None
) -> tuple[Phase, ...]:
    """A recipe's phases.

    Args:
        name: One of `RECIPES`; None: `gradual` for a network with weights, `scratch` for one without.
        pretrained: Whether the network starts from weights.
        epochs: Of all phases together; None: the recipe's own.
        optimizer: Its name, on which the learning rates depend.
        learning_rate: The head's in every phase; None: the recipe's.

    Raises:
        ConfigError: There is no such recipe.
    """
    name = name or ("gradual" if pretrained else "scratch")
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    phases = RECIPES[name](epochs, optimizer)
    if learning_rate is not None:
        phases = tuple(phase.model_copy(update={"learning_rate": learning_rate}) for phase in phases)
    return phases
