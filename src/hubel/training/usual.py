"""How a task is usually trained, where the settings leave it open."""

from __future__ import annotations

from dataclasses import dataclass

from hubel.config import TrainConfig

# Pictures a step, and pictures computed together where nothing is trained.
BATCH_SIZE = 32


@dataclass(frozen=True)
class Usual:
    """What is usual for a task.

    Attributes:
        recipe: A name of `hubel.training.recipes`; None: what is usual for a network with weights, or without.
        batch_size: Pictures a step.
        average_decay: Of the moving average of the weights.
    """

    recipe: str | None = None
    batch_size: int = BATCH_SIZE
    average_decay: float = 0.0


# A picture has many objects to learn from, and data sets with boxes have few pictures: small batches, many steps. The
# figures of neighbouring steps differ by much, that of their average does not.
_USUAL = {"detection": Usual(recipe="detector", batch_size=8, average_decay=0.99)}


def with_usual_settings(config: TrainConfig, task: str) -> TrainConfig:
    """The configuration with what it leaves open as is usual for a task.

    Args:
        config: What was set.
        task: The task's name.
    """
    usual = _USUAL.get(task, Usual())
    changes: dict[str, object] = {}
    if config.recipe is None and config.phases is None:
        changes["recipe"] = usual.recipe
    if config.batch_size is None:
        changes["batch_size"] = usual.batch_size
    if config.average_decay is None:
        changes["average_decay"] = usual.average_decay
    return config.model_copy(update=changes)
