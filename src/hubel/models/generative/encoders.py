"""Classifiers on what networks have learnt without labels: `encoder/conv_vae`, `encoder/autoencoder`, `encoder/dcgan`.

Of an autoencoding network it is the encoder's stages, with a linear layer to the classes where the code was; of a GAN
the discriminator, with another last layer, as Radford et al. 2016 (arXiv:1511.06434, section 5) use its features. The
stages keep their names, so that `start_from_encoder` carries weights over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from hubel.errors import WeightsError
from hubel.models.generative.dcgan import DCGAN
from hubel.models.generative.network import AutoencodingNetwork
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import build_model, register_family
from hubel.nn import pooled_linear_head


def start_from_encoder(classifier: ClassificationNetwork, tensors: Mapping[str, Tensor]) -> list[str]:
    """Give a classifier's stages the weights that a network learnt without labels; its head stays as it is.

    Args:
        classifier: `encoder/NAME`, built with that network's arguments.
        tensors: The state dict of the network NAME.

    Returns:
        The names of the stages.

    Raises:
        WeightsError: A tensor of the stages is missing, or has another shape.
    """
    stages = classifier.stages.state_dict()
    taken = {}
    for name, tensor in stages.items():
        came = tensors.get(f"stages.{name}", tensors.get(f"discriminator.stages.{name}"))
        if came is None:
            raise WeightsError(
                f"the weights have no tensor 'stages.{name}': expected those of the network on whose encoder the "
                "classifier is, such as conv_vae for encoder/conv_vae"
            )
        if came.shape != tensor.shape:
            raise WeightsError(
                f"'stages.{name}' has shape {tuple(came.shape)} in the weights and {tuple(tensor.shape)} in the "
                "classifier: give the classifier the arguments that the weights' network had"
            )
        taken[name] = came
    classifier.stages.load_state_dict(taken)
    return [name for name, _ in classifier.stages.named_children()]


def classifier_on_encoder(network: AutoencodingNetwork, num_classes: int) -> ClassificationNetwork:
    """The encoder's stages, which become the classifier's own, and a linear layer in the place of the code."""
    stages = dict(network.encoder.named_children())
    head = pooled_linear_head(network.code_size, num_classes)  # on a code that is a map
    if "code" in stages:
        code = cast(nn.Linear, stages.pop("code").get_submodule("dense"))
        head = nn.Sequential(OrderedDict(flatten=nn.Flatten(1), out=nn.Linear(code.in_features, num_classes)))
    if not stages:
        raise ValueError("the encoder has no layer before its code: expected at least one width")
    return ClassificationNetwork(
        stages,
        head,
        in_channels=network.in_channels,
        strides=network.strides[: len(stages)],
        out_channels=network.out_channels[: len(stages)],
        size=network.size,
        smallest=1 if network.size else max(network.strides),
    )


@register_family(
    "encoder",
    source="the encoder of an autoencoding network, or the discriminator of a GAN",
    input_size=None,
    summary="a classifier on the encoder of a network that learns without labels",
    task="classification",
    backbone_tasks=("reconstruction", "generation"),
)
def encoder(
    backbone: str, /, *, num_classes: int = 10, in_channels: int | None = None, **arguments: Any
) -> ClassificationNetwork:
    """A classifier with the stages of a network that learns without labels.

    Args:
        backbone: Of `list_models("reconstruction")` or `list_models("generation")`.
        num_classes: Number of logits.
        in_channels: Channels of the pictures; None: the backbone's default.
        arguments: The backbone's own.
    """
    network = build_model(backbone, in_channels=in_channels, **arguments)
    if isinstance(network, DCGAN):
        network.discriminator.replace_out(num_classes)
        return network.discriminator
    if not isinstance(network, AutoencodingNetwork):
        raise ValueError(f"{backbone} has no encoder: expected a network for reconstruction or generation")
    return classifier_on_encoder(network, num_classes)
