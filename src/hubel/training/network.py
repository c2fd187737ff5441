"""A run's network: which one where none is named, whether the one that is named suits the task, and how it is built."""

from __future__ import annotations

import torch
from torch import nn

from hubel.config import TrainConfig
from hubel.errors import ConfigError
from hubel.models.registry import list_families, list_models, model_entry
from hubel.preprocessing import Preprocess
from hubel.tasks.registry import answers, networks_for
from hubel.tasks.task import Task
from hubel.training.progress import Reporter
from hubel.weights import PretrainedModel, build_with_weights

# The usual network of each kind.
DEFAULTS = {
    "classification": "resnet18",
    "localization": "localizer/resnet18",
    "detection": "yolo_n",
    "segmentation": "unet/resnet18",
}

_NAMED = 2  # models of a kind that an error names beside the usual one


def with_network(config: TrainConfig, task: Task) -> TrainConfig:
    """The configuration with a network that answers a task: the one that it names, or the usual one.

    Raises:
        ConfigError: The one that it names is for another kind of task; some that suit are named.
    """
    kind, name = networks_for(task.name), config.model.name
    if name is None:
        return config.model_copy(update={"model": config.model.model_copy(update={"name": DEFAULTS[kind]})})
    if not answers(own := model_entry(name).task, task.name):
        raise ConfigError(
            f"{name} is a network for {own}, the task is {task.name} {task.describe()}: expected one for {kind}, such "
            f"as {', '.join(_suited(kind))} (`hubel models list --task {kind}` has all)"
        )
    return config


def _suited(kind: str) -> list[str]:
    """Some networks of a kind, the usual one first."""
    usual = DEFAULTS[kind]
    family = usual.partition("/")[0]
    on_any = [f"{family}/BACKBONE"] if family in list_families(kind) else []
    return list(dict.fromkeys([usual, *list_models(kind)[:_NAMED], *on_any]))


def build_network(config: TrainConfig, task: Task, reporter: Reporter) -> PretrainedModel:
    """The network that a configuration names, its new layers drawn from the run's seed.

    Raises:
        HubelError: A name, an option or weights that cannot be used.
    """
    assert config.model.name is not None
    torch.manual_seed(config.seed)
    built = build_with_weights(
        config.model.name,
        num_classes=task.outputs,
        in_channels=config.model.in_channels,
        weights=config.model.weights,
        progress=reporter.downloading,
        **config.model.arguments,
    )
    for note in built.notes:
        reporter.message(note)
    return built


def check_takes(network: nn.Module, preprocess: Preprocess, name: str) -> None:
    """Make sure that a network takes the inputs that it will get.

    Raises:
        ConfigError: It does not; what it takes is told.
    """
    check = getattr(network, "check_input", None)
    if check is None:
        return
    try:
        check(torch.empty(2, preprocess.channels, *preprocess.size, device="meta"))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}; set another data.size") from error
