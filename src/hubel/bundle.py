"""A trained model as one file: the tensors, and all that is needed to use them.

A bundle is a `.safetensors` file. Its header's metadata holds one JSON document under the key `hubel`: version, task,
network, preprocessing, classes, metrics, the data's fingerprint and the configuration. There is no pickle in it, and
no time of day either, so the same run writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from hubel.errors import ConfigError, HubelError, WeightsError
from hubel.files import expanded, write_whole
from hubel.models.registry import build_model, model_entry
from hubel.preprocessing import Preprocess
from hubel.version import __version__
from hubel.weights.checkpoint import BUNDLE_NAME
from hubel.weights.hub import Progress
from hubel.weights.loading import build_with_weights

FORMAT = 1


@dataclass(frozen=True)
class TargetScale:
    """How a network's output becomes a number: output × standard deviation + mean.

    Attributes:
        mean: Of the training values.
        standard_deviation: Of the training values, above 0.
    """

    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class Bundle:
    """Everything of a trained model but its tensors.

    Attributes:
        task: What it was trained for.
        network: The network's name in the registry.
        arguments: Arguments of its builder beside `num_classes` and `in_channels`.
        preprocess: From a picture to its input.
        classes: The names of the classes or labels; the order is that of its outputs. None for a number.
        metrics: One object per measured split, as in `metrics.json`.
        fingerprint: Of the data and its division into splits.
        config: The resolved configuration that trained it.
        version: Of the hubel that wrote it.
        temperature: What its outputs are divided by, so that probabilities mean what they say (temperature scaling:
            Guo et al. 2017, arXiv:1706.04599, section 4.2); 1 where it was not calibrated.
        thresholds: The probability from which on a picture is given each label, where it may have several; else empty.
        scale: Of the number that it predicts; None where it predicts classes.
    """

    task: str
    network: str
    preprocess: Preprocess
    classes: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    scale: TargetScale | None = None

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one for each class, or one for a number."""
        return len(self.classes) or 1

    def to_dict(self) -> dict[str, Any]:
        """This value as the JSON document in the file's header."""
        some: dict[str, Any] = {} if self.temperature == 1 else {"temperature": self.temperature}
        if self.thresholds:
            some["thresholds"] = list(self.thresholds)
        if self.scale is not None:
            some["scale"] = asdict(self.scale)
        return {
            "format": FORMAT,
            "hubel": self.version,
            "task": self.task,
            "network": {"name": self.network, "arguments": dict(self.arguments)},
            "preprocess": self.preprocess.to_dict(),
            "classes": list(self.classes),
            "metrics": dict(self.metrics),
            "fingerprint": self.fingerprint,
            "config": dict(self.config),
            **some,
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Bundle:
        """The value that `to_dict` wrote."""
        return cls(
            task=document["task"],
            network=document["network"]["name"],
            arguments=document["network"]["arguments"],
            preprocess=Preprocess.from_dict(document["preprocess"]),
            classes=tuple(document["classes"]),
            metrics=document["metrics"],
            fingerprint=document["fingerprint"],
            config=document["config"],
            version=document["hubel"],
            temperature=document.get("temperature", 1.0),
            thresholds=tuple(document.get("thresholds", ())),
            scale=TargetScale(**document["scale"]) if "scale" in document else None,
        )


def save_bundle(path: Path, bundle: Bundle, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a bundle, whole or not at all."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"hubel": json.dumps(bundle.to_dict(), ensure_ascii=False)}
    write_whole(path, save(on_cpu, metadata=metadata))


def inspect_bundle(path: Path) -> Bundle:
    """Read what a bundle says of itself, without its tensors.

    Args:
        path: The file, or a run's folder.

    Raises:
        WeightsError: The file is missing, is damaged, is no bundle, or was written by a newer hubel.
    """
    path = bundle_path(path)
    try:
        with safe_open(path, framework="pt") as file:
            document = (file.metadata() or {}).get("hubel")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no bundle: {error}; expected the {BUNDLE_NAME} of a run") from error
    if document is None:
        raise WeightsError(
            f"{path} holds tensors but says nothing of their network: expected a bundle such as a run's {BUNDLE_NAME}; "
            f"to start training from bare weights use `hubel train DATA --model NAME --weights {path}`"
        )
    try:
        values = json.loads(document)
        if values["format"] > FORMAT:
            raise WeightsError(
                f"{path} was written by hubel {values['hubel']} in format {values['format']}, this is hubel "
                f"{__version__}, which reads up to format {FORMAT}: use a newer hubel"
            )
        return Bundle.from_dict(values)
    except (LookupError, TypeError, ValueError, ConfigError) as error:
        raise WeightsError(
            f"what {path} says of its model is damaged ({type(error).__name__}: {error}): take another copy of the file"
        ) from error


def load_bundle(path: Path) -> tuple[Bundle, nn.Module]:
    """Rebuild a bundle's network with its weights, in evaluation mode on the CPU.

    Args:
        path: The file, or a run's folder.

    Raises:
        WeightsError: As `inspect_bundle`, or the tensors do not fit the network.
    """
    path = bundle_path(path)
    bundle = inspect_bundle(path)
    network = build_model(
        bundle.network,
        num_classes=bundle.outputs if model_entry(bundle.network).has_classes else None,
        in_channels=bundle.preprocess.channels,
        **bundle.arguments,
    )
    try:
        network.load_state_dict(load_tensors(path), strict=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise WeightsError(f"{path} does not fit {bundle.network} of hubel {__version__}: {first}") from error
    return bundle, network.eval()


def published_bundle(
    network: str, *, weights: str | Path = "imagenet", progress: Progress | None = None
) -> tuple[Bundle, nn.Module]:
    """A network with published weights as a bundle: ready to predict their publisher's classes.

    Args:
        network: A name of `hubel.list_models()`, or `timm/<name>`.
        weights: A name of published weights, or the path of their file.
        progress: Hears how far a download is; None: a bar, where stderr is a terminal.

    Returns:
        The bundle and its network, in evaluation mode on the CPU.

    Raises:
        WeightsError: The weights cannot be had, or are none of which the catalogue knows preparation and classes.
    """
    built = build_with_weights(network, weights=weights, progress=progress)
    if built.preprocess is None or built.classes is None:
        raise WeightsError(
            f"nothing is known of the classes of {weights}, or of how pictures are prepared for it: expected ImageNet "
            f"weights that `hubel models show {network}` lists; to fine-tune with others use `hubel train`"
        )
    bundle = Bundle(
        task=model_entry(network).task,
        network=network,
        preprocess=built.preprocess,
        classes=built.classes,
        arguments=built.arguments,
        config={"model": {"name": network, "weights": built.weights}},
    )
    return bundle, built.model.eval()


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A bundle's tensors by name, on the CPU."""
    try:
        with safe_open(bundle_path(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, it has only keys()
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error


def bundle_path(path: Path) -> Path:
    """The bundle's file of a path that may be a run's folder, and may begin with a home folder's `~`.

    Raises:
        HubelError: There is no such file.
    """
    path = expanded(path)
    if path.is_dir():
        if not (path / BUNDLE_NAME).is_file():
            raise HubelError(f"{path} holds no {BUNDLE_NAME}: expected the folder of a run that has finished an epoch")
        return path / BUNDLE_NAME
    if not path.is_file():
        raise HubelError(f"no model at {path}: expected a bundle such as runs/NAME/{BUNDLE_NAME}, or a run's folder")
    return path
