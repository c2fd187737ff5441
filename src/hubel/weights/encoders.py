"""Classifiers that begin where learning without labels has ended: `encoder/NAME` with the weights of a network NAME."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubel.errors import WeightsError
from hubel.models import ClassificationNetwork, build_model
from hubel.models.generative import start_from_encoder
from hubel.weights.checkpoint import StatedNetwork, read_checkpoint, stated_network
from hubel.weights.input_channels import with_own_channels


@dataclass(frozen=True)
class StartedClassifier:
    """A classifier whose stages are trained and whose head is new.

    Attributes:
        model: The classifier.
        arguments: Of its builder, with those of the network that has learnt.
        notes: Where the weights are from, and what was changed.
    """

    model: ClassificationNetwork
    arguments: Mapping[str, Any]
    notes: tuple[str, ...]


def classifier_from_encoder(
    name: str,
    backbone: str,
    file: Path,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    **arguments: Any,
) -> StartedClassifier | None:
    """Build a classifier on the encoder of a network that has learnt without labels, and give it that one's weights.

    Args:
        name: Of the classifier, `encoder/<backbone>`.
        backbone: The network that has learnt.
        file: Its weights. Of a bundle, what it says of the network holds where `in_channels` and `arguments` leave it
            open.
        num_classes: Number of logits; None: the default.
        in_channels: Channels of the input; None: those of the bundle, or the default.
        arguments: The backbone's own.

    Returns:
        The classifier; None where the weights are those of a classifier already.

    Raises:
        WeightsError: The weights cannot be read, are another network's, or have other shapes. (Of convolutions other
            numbers of input channels are adapted, but not under a spectral norm.)
    """
    stated = stated_network(file) or StatedNetwork(backbone, {}, in_channels)
    if stated.name == name:
        return None
    if stated.name != backbone:
        raise WeightsError(
            f"{file} is a model of {stated.name}: {name} begins with the weights of a {backbone} that has learnt "
            f"without labels, or of a trained {name}"
        )
    options = {**stated.arguments, **arguments}
    model = build_model(name, num_classes=num_classes, in_channels=in_channels or stated.in_channels, **options)
    assert isinstance(model, ClassificationNetwork)
    tensors = read_checkpoint(file)
    if tensors.keys() <= model.state_dict().keys():
        return None
    notes: list[str] = []
    of_classifier = {name.removeprefix("discriminator."): tensor for name, tensor in tensors.items()}
    stages = start_from_encoder(model, with_own_channels(model, of_classifier, notes))
    note = f"{stages[0]} to {stages[-1]} have" if len(stages) > 1 else f"{stages[0]} has"
    notes.append(f"{note} the weights of {file} ({backbone}), the head starts fresh")
    return StartedClassifier(model, options, tuple(notes))
