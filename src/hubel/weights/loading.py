"""A network with weights in it: found, recognised, fitted and loaded strictly."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hubel.errors import ConfigError, HubelError, WeightsError
from hubel.files import expanded
from hubel.models import ClassificationNetwork, build_model, list_models
from hubel.models.registry import model_entry, truncated
from hubel.models.segmentation import SegmentationNetwork
from hubel.preprocessing import Preprocess
from hubel.results.naming import some
from hubel.weights.catalogue import find_weights, recognise_file
from hubel.weights.checkpoint import file_of_run, read_checkpoint, stated_arguments
from hubel.weights.encoders import classifier_from_encoder
from hubel.weights.entry import WeightsEntry
from hubel.weights.hub import Progress
from hubel.weights.input_channels import stored_channels, with_own_channels
from hubel.weights.names import recognise

Tensors = dict[str, Tensor]

# Networks whose last layers are `head.out`, so that their classes can be other ones than a file's.
WithHead = ClassificationNetwork | SegmentationNetwork

# What the name of a weights file ends in; names in the catalogue have dots, too.
_FILE_SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".bin", ".ckpt", ".tar", ".pkl")


@dataclass(frozen=True)
class PretrainedModel:
    """A network, and what came with its weights.

    Attributes:
        model: The network, in training mode.
        preprocess: The input that the weights were trained on, where that is known.
        notes: What was changed to make the weights fit, a line each.
        classes: The names of the network's classes, where the weights are published and their classes were kept.
        weights: The name of published weights in the catalogue, such as `resnet50.imagenet1k_v2` for `imagenet`.
        whole: Whether the weights are the whole network's, and not its backbone's alone.
        arguments: Of the network's builder, with those that published weights want.
    """

    model: nn.Module
    preprocess: Preprocess | None = None
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    weights: str | None = None
    whole: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    weights: str | Path | None = None,
    **arguments: Any,
) -> nn.Module:
    """Build a network, with fresh weights, with published ones or with those of a file.

    Args:
        name: A name of `hubel.list_models()`, or `timm/<name>` for any network of timm.
        num_classes: Number of logits. None is the weights' own number, or the network's default. Where the
            weights have another number, the last layer is new.
        in_channels: Channels of the input. None is the weights' own number, or the network's default. Where
            the weights have another number, the first convolution's kernels are adapted.
        weights: None; `"imagenet"`, the best published ImageNet weights; another name of published weights
            (`hubel models show NAME` lists a network's); or the path of a run's folder, a safetensors file or a torch
            checkpoint, in hubel's parameter names or in those of the library that the network is known from. Published
            weights are downloaded once.
        arguments: The network's own options; what is left open is as the weights say, where they are a bundle.

    Returns:
        The network, in training mode, on the CPU.

    Raises:
        ConfigError: An unknown network, weights' name or argument.
        WeightsError: The weights cannot be had, cannot be read or are those of another network.
    """
    return build_with_weights(
        name, num_classes=num_classes, in_channels=in_channels, weights=weights, **arguments
    ).model


def build_with_weights(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    weights: str | Path | None = None,
    progress: Progress | None = None,
    through: str | None = None,
    **arguments: Any,
) -> PretrainedModel:
    """As `create_model`, and say how pictures must be prepared, what the classes are and what was changed.

    Args:
        name: As for `create_model`, and so are the others.
        num_classes: Number of logits.
        in_channels: Channels of the input.
        weights: None, a name of published weights, or a path.
        progress: Hears how far a download is; None: a bar, where stderr is a terminal.
        through: The last stage that is kept; a new head follows it.
        arguments: The network's own options.

    Of `<family>/<backbone>`, published weights (`imagenet`, or another name of the backbone's) are the backbone's; a
    file may hold those of the backbone or of the whole network.
    """
    weights = weights and file_of_run(weights)
    if weights is None:
        return PretrainedModel(
            build_model(name, num_classes=num_classes, in_channels=in_channels, through=through, **arguments)
        )
    if through is not None:
        whole = build_with_weights(name, in_channels=in_channels, weights=weights, progress=progress, **arguments)
        try:
            model = truncated(whole.model, through, num_classes)
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from error
        ends = f"the network ends after {through}, with a new head"
        return replace(whole, model=model, notes=(*whole.notes, ends), classes=None)
    entry_of_network = model_entry(name)  # an unknown network is told before anything else
    if (backbone := entry_of_network.backbone) is not None:
        options = {"num_classes": num_classes, "in_channels": in_channels, **arguments}
        if model_entry(backbone).task in ("reconstruction", "generation"):
            started = classifier_from_encoder(name, backbone, _find(weights, backbone, progress)[0], **options)
            if started is not None:
                return PretrainedModel(started.model, notes=started.notes, arguments=started.arguments)
        elif _are_of_backbone(weights, name, backbone, options):
            return _with_pretrained_backbone(name, backbone, weights, progress, options)
    path, entry = _find(weights, name, progress)
    arguments = {**(entry.arguments if entry else stated_arguments(path, name)), **arguments}
    preprocess, classes = (entry.preprocess, entry.labels) if entry else (None, None)
    tensors = read_checkpoint(path)
    model = build_model(name, num_classes=num_classes, in_channels=in_channels, **arguments)
    notes: list[str] = []
    if isinstance(model, WithHead):
        stored = _in_own_names(model, tensors)
        if "aux_heads" in arguments and not model.aux_heads:
            stored = _without_aux_heads(name, arguments, tensors, notes)
        channels = stored_channels(model, stored)
        if in_channels is None and channels not in (None, model.in_channels):
            model = build_model(name, num_classes=num_classes, in_channels=channels, **arguments)
            assert isinstance(model, WithHead)
        count = _stored_classes(stored)
        if num_classes is None and count not in (None, model.num_classes):
            model.replace_out(count)
        classes = classes if model.num_classes == count else None
        stored = _with_own_aux_heads(model, with_own_channels(model, stored, notes), notes)
        tensors = _with_own_head(model, stored, notes)
        preprocess = preprocess and _for_channels(preprocess, model.in_channels)
    else:
        tensors = _with_own_last_layers(model, _in_own_names(model, tensors), num_classes, notes)
        classes = classes if num_classes in (None, len(classes or ())) else None
    _load(model, tensors, str(weights), name, notes)
    named = entry.name if entry else None
    return PretrainedModel(model, preprocess, tuple(notes), classes, named, arguments=arguments)


def _find(weights: str | Path, network: str, progress: Progress | None) -> tuple[Path, WeightsEntry | None]:
    """The file that `weights` means, and what the catalogue knows of it."""
    path = expanded(weights)
    if _is_file(weights):
        return path, recognise_file(path, network)
    try:
        entry = find_weights(str(weights), network)
    except HubelError:
        if path.exists():
            return path, None
        raise
    return entry.path(progress), entry


def _is_file(weights: str | Path) -> bool:
    """Whether it must be a path; otherwise it may be a name of published weights."""
    return isinstance(weights, Path) or os.sep in weights or Path(weights).suffix.lower() in _FILE_SUFFIXES


def _with_pretrained_backbone(
    name: str, backbone: str, weights: str | Path, progress: Progress | None, options: dict[str, Any]
) -> PretrainedModel:
    """A network on a backbone that has weights; all that follows the backbone starts fresh."""
    trained = build_with_weights(backbone, in_channels=options.pop("in_channels"), weights=weights, progress=progress)
    assert isinstance(trained.model, ClassificationNetwork)
    model = build_model(name, backbone=trained.model, in_channels=trained.model.in_channels, **options)
    note = f"the backbone has the weights of {trained.weights or weights}, what follows it starts fresh"
    return replace(trained, model=model, notes=(*trained.notes, note), classes=None, whole=False)


def _are_of_backbone(weights: str | Path, name: str, backbone: str, options: dict[str, Any]) -> bool:
    """Whether weights for a network on a backbone are its alone: as published ones are, and files with nothing more."""
    if not _is_file(weights):
        return True
    with torch.device("meta"):
        model, alone = build_model(name, **options), build_model(backbone)
    stored = _in_own_names(model, read_checkpoint(expanded(weights)))
    return not (model.state_dict().keys() - alone.state_dict().keys()) & stored.keys()


def _in_own_names(model: nn.Module, tensors: Tensors) -> Tensors:
    """The file's tensors under the network's own names; those that it has no name for keep theirs."""
    naming = recognise(model, tensors)
    own = {naming.file_name(name): name for name in model.state_dict()}
    return {own.get(name, name): tensor for name, tensor in tensors.items()}


def _without_aux_heads(name: str, arguments: dict[str, Any], tensors: Tensors, notes: list[str]) -> Tensors:
    """The file's tensors under the network's own names, without those of auxiliary heads, which were not asked for."""
    with torch.device("meta"):
        whole = build_model(name, **{**arguments, "aux_heads": True})
    stored = _in_own_names(whole, tensors)
    kept = {name: tensor for name, tensor in stored.items() if not name.startswith("aux_heads.")}
    if len(kept) < len(stored):
        notes.append("auxiliary heads left out: the file has some, none are wanted")
    return kept


def _with_own_aux_heads(model: WithHead, stored: Tensors, notes: list[str]) -> Tensors:
    """Keep the network's own fresh auxiliary heads where the file has none."""
    own = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("aux_heads.")}
    if not own or own.keys() & stored.keys():
        return stored
    notes.append("auxiliary heads start fresh: the file has none")
    return {**stored, **own}


def _stored_classes(stored: Tensors) -> int | None:
    sizes = {tensor.shape[0] for name, tensor in stored.items() if name.startswith("head.out.") and tensor.ndim}
    return sizes.pop() if len(sizes) == 1 else None


def _with_own_head(model: WithHead, stored: Tensors, notes: list[str]) -> Tensors:
    """Keep the network's own fresh last layers where the file's have another number of classes."""
    classes = _stored_classes(stored)
    weight = stored.get("head.out.weight")
    if weight is not None and isinstance(model.out, nn.Linear) and weight.shape[2:] == (1, 1):
        stored = {**stored, "head.out.weight": weight.flatten(1)}  # a 1×1 convolution on a pooled map
    if classes in (None, model.num_classes):
        return stored
    model.replace_out(model.num_classes)  # some networks' own start is for training from scratch, and far too wild here
    last = re.compile(r"^(head|aux_heads\.\w+)\.out\.")
    fresh = {name: tensor for name, tensor in model.state_dict().items() if last.match(name)}
    notes.append(f"head replaced: {classes} classes in the file, {model.num_classes} wanted")
    return {**stored, **fresh}


def _with_own_last_layers(model: nn.Module, stored: Tensors, num_classes: int | None, notes: list[str]) -> Tensors:
    """Keep a detector's fresh last layers (`out_layers`) where another number of classes was asked for."""
    last = tuple(getattr(model, "out_layers", ()))
    own = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(last)}
    other = [name for name, tensor in own.items() if name in stored and stored[name].shape != tensor.shape]
    if num_classes is None or not other:
        return stored
    notes.append(f"last layers replaced: another number of classes in the file, {num_classes} wanted")
    return {**stored, **own}


def _load(model: nn.Module, stored: Tensors, weights: str, network: str, notes: list[str]) -> None:
    """Load strictly; on a mismatch, show the first names of every kind."""
    own = model.state_dict()
    # Files from before PyTorch 0.4.1 have no such counters, and networks with a fixed momentum do not use
    # them.
    counters = {name: own[name] for name in own.keys() - stored.keys() if name.endswith("num_batches_tracked")}
    stored = {**stored, **counters}
    shapes = [
        f"{name} {tuple(stored[name].shape)} in the file, {tuple(tensor.shape)} in the network"
        for name, tensor in own.items()
        if name in stored and stored[name].shape != tensor.shape
    ]
    kinds = {
        "not in the file": [name for name in own if name not in stored],
        "not in the network": [name for name in stored if name not in own],
        "of another shape": shapes,
    }
    if problems := [f"{len(names)} {kind}: {some(names, 3)}" for kind, names in kinds.items() if names]:
        raise WeightsError(f"weights {weights} do not fit {network}: {'; '.join(problems)}{_hint(stored, network)}")
    stored_types = {str(tensor.dtype) for name, tensor in stored.items() if tensor.dtype != own[name].dtype}
    if stored_types:
        notes.append(f"converted to the network's number type from {', '.join(sorted(stored_types))}")
    model.load_state_dict(stored, strict=True)


def _hint(tensors: Tensors, network: str) -> str:
    """Which other one of hubel's networks finds all of its tensors here, apart from its last layer.

    A file of ResNet-34 has all that ResNet-18 needs, and more: of several networks it is the one with the most tensors.
    """
    sizes = {name: tensor.shape for name, tensor in tensors.items()}
    fitting: dict[str, int] = {}
    for name in list_models():
        if name == network:
            continue
        with torch.device("meta"):
            model = build_model(name)
        naming = recognise(model, sizes)
        own = {naming.file_name(key): tensor.shape for key, tensor in model.state_dict().items()}
        last = naming.file_name("head.out.")
        checked = [key for key in own if not key.startswith(last) and not key.endswith("num_batches_tracked")]
        if all(sizes.get(key) == own[key] for key in checked):
            fitting[name] = len(checked)
    return f"; they fit {max(fitting, key=lambda name: fitting[name])}" if fitting else ""


def _for_channels(preprocess: Preprocess, channels: int) -> Preprocess | None:
    """The same preparation for another number of channels: grey gets the mean of the colours' statistics."""
    if channels == preprocess.channels:
        return preprocess
    if channels != 1:
        return None
    mean, std = (sum(values) / len(values) for values in (preprocess.mean, preprocess.std))
    return replace(preprocess, channels=1, mean=(mean,), std=(std,))
