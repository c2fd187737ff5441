"""How a run's pictures become its network's inputs: from the settings, the weights, the task and the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hubel.bundle import inspect_bundle
from hubel.config import DataConfig
from hubel.data.sources import Sample
from hubel.errors import ConfigError, WeightsError
from hubel.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocess, ResizeRule
from hubel.weights.checkpoint import file_of_run

# Below this side nobody crops the margin away: every pixel counts.
_SMALLEST_CROPPED_SIZE = 64

# All of a picture counts where objects are searched for; its proportions do where their sides are told apart.
_RULES: dict[str, ResizeRule] = {"detection": "fit", "localization": "stretch"}

# Masks are predicted at the pictures' own scale unless these are larger: their shorter side in pixels, and what it is
# then scaled to.
_LARGEST_NATIVE = 1024
_REDUCED = 512


def choose_preprocess(
    data: DataConfig,
    *,
    network_size: Sequence[int],
    fixed_size: bool,
    channels: int,
    weights: Preprocess | None,
    whole: bool = True,
    name: str,
    usual: ResizeRule = "shorter_side",
    usual_resize_to: int | None = None,
) -> Preprocess:
    """The preprocessing of a run: what was set goes before what the weights need, that before the task's usual one.

    Without known statistics ImageNet's are taken; a network from random weights gets the training split's later.

    Args:
        data: What was set.
        network_size: Height and width of the network's standard input.
        fixed_size: Whether it takes no other.
        channels: Of its input.
        weights: The input that its weights were trained on; None: it has none, or that is not known.
        whole: Whether they are the weights of all of it: of a backbone alone, they say nothing of sizes.
        name: Of the network, for messages.
        usual: The task's resize rule.
        usual_resize_to: The shorter side where that is `shorter_side`; None: a little more than the input's.

    Raises:
        ConfigError: The network takes another size only.
    """
    sized = weights if whole else None
    height, width = (data.size, data.size) if data.size else sized.size if sized else network_size
    if fixed_size and (height, width) != tuple(network_size):
        raise ConfigError(
            f"{name} takes inputs of {network_size[0]}×{network_size[1]} only, data.size is {data.size}: leave it out"
        )
    side = max(height, width)
    if data.resize_to is not None:
        resize_to = data.resize_to
    elif sized is not None:
        resize_to = max(side, round(sized.resize_to * side / max(sized.size)))
    elif usual_resize_to is not None:
        resize_to = max(side, usual_resize_to)
    else:
        resize_to = side if side < _SMALLEST_CROPPED_SIZE else round(side * 8 / 7)
    mean, std = (weights.mean, weights.std) if weights else (IMAGENET_MEAN, IMAGENET_STD)
    if len(mean) != channels:
        mean, std = (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
    return Preprocess(
        channels=channels,
        size=(height, width),
        resize=data.resize or (sized.resize if sized else usual),
        resize_to=resize_to,
        interpolation=data.interpolation or (weights.interpolation if weights else "bilinear"),
        antialias=weights.antialias if weights else True,
        mean=mean,
        std=std,
    )


def usual_rule(task: str, samples: Sequence[Sample]) -> tuple[ResizeRule, int | None]:
    """How the pictures of a task are usually brought to size, and the shorter side where they are scaled by it.

    Args:
        task: Its name.
        samples: The training pictures.
    """
    if task in ("reconstruction", "generation"):
        return "shorter_side", 1  # as large as the input: no margin is cropped away
    if task != "segmentation":
        return _RULES.get(task, "shorter_side"), None
    sizes = [getattr(sample.label, "size", (0, 0)) for sample in samples]
    if max(map(min, sizes)) <= _LARGEST_NATIVE:
        return "native", None
    return "shorter_side", _REDUCED


def preprocess_of_bundle(weights: str | None) -> Preprocess | None:
    """What a bundle that serves as starting weights says of its inputs; None for anything else."""
    if weights is None or not (file := Path(file_of_run(weights))).is_file():
        return None
    try:
        return inspect_bundle(file).preprocess
    except WeightsError:
        return None
