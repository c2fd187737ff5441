"""A run's network: which one where none is named, whether the one that is named suits the task, and how it is built."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from hubel.config import TrainConfig
from hubel.errors import ConfigError
from hubel.models.generative import DCGAN, AutoencodingNetwork
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
    "reconstruction": "conv_autoencoder",
    "generation": "dcgan",
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


def with_size(config: TrainConfig) -> TrainConfig:
    """The configuration of a network that is built for one size: for `data.size` where that is set.

    Such networks make pictures, or are classifiers on the encoder of one that does.

    Raises:
        ConfigError: The network's own size is set, too, and is another one.
    """
    size, arguments = config.data.size, config.model.arguments
    assert config.model.name is not None
    entry = model_entry(config.model.name)
    options = (entry if entry.backbone is None else model_entry(entry.backbone)).arguments
    if size is None or "size" not in (options or ()):
        return config
    if arguments.get("size", size) not in (size, [size, size], (size, size)):
        raise ConfigError(f"data.size is {size}, model.arguments.size is {arguments['size']}: leave one of them out")
    return config.model_copy(
        update={"model": config.model.model_copy(update={"arguments": arguments | {"size": size}})}
    )


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
        num_classes=task.outputs if model_entry(config.model.name).has_classes else None,
        in_channels=config.model.in_channels,
        weights=config.model.weights,
        progress=reporter.downloading,
        **config.model.arguments,
    )
    for note in built.notes:
        reporter.message(note)
    return built


def check_learns(network: nn.Module, task: Task, config: TrainConfig) -> None:
    """Make sure that a network that makes pictures can do what its task asks of it.

    Raises:
        ConfigError: It is a GAN, which has no encoder, and is to give pictures back; or a setting is for other loops.
    """
    if isinstance(network, DCGAN):
        phases = len(config.phases or ())
        refused = {
            f"{phases} phases": (phases > 1, "has no layers that are frozen at first: expected one phase"),
            "optimizer.name=sgd": (config.optimizer.name == "sgd", "trains with the paper's Adam: leave it out"),
            "average_decay": (config.average_decay, "has generative.generator_average: leave it out"),
            "generative.game=wasserstein": (
                config.generative.game == "wasserstein"
                and config.generative.gradient_penalty
                and any(isinstance(layer, nn.BatchNorm2d) for layer in network.discriminator.modules()),
                "has BatchNorm in its discriminator, while a gradient penalty is of each picture alone: set "
                "model.arguments.discriminator_norm=none",
            ),
            "data.validation_fraction=0": (
                not config.data.validation_fraction,
                "is stopped from collapsing by a look at validation pictures: leave it some",
            ),
        }
        for setting, (is_set, why) in refused.items():
            if is_set:
                raise ConfigError(f"{setting} came, but the network is a GAN, which {why}")
    if isinstance(network, DCGAN) and task.name == "reconstruction":
        raise ConfigError(
            "a GAN has no encoder and gives no picture back, the task is reconstruction: expected --task generation, "
            "or a network such as conv_vae"
        )


def makes_pictures(network: nn.Module) -> bool:
    """Whether a network puts out pictures of the kind that it takes."""
    return isinstance(network, AutoencodingNetwork | DCGAN)


def with_values_of(network: nn.Module, preprocess: Preprocess) -> Preprocess:
    """The preprocessing whose inputs have the values that a network's own pictures have."""
    low, high = cast("tuple[float, float]", network.value_range)
    channels = preprocess.channels
    return preprocess.with_statistics(((0.0 - low) / (high - low),) * channels, (1 / (high - low),) * channels)


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
