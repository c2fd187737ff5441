"""A network that ends at one of its stages: mid-layer feature extraction.

Where the last stages have learnt to overlook what a new task asks for (whether a door is open, how sharp a picture is),
the features of an earlier stage serve better than anything that comes after it, and cost less.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from hubel.models.network import ClassificationNetwork


def truncate(network: ClassificationNetwork, through: str, num_classes: int | None = None) -> ClassificationNetwork:
    """The stages of a network up to one of them, and a new head.

    The head takes the mean of the map over all places, standardises it (BatchNorm: the values of stages in the middle
    have any scale) and ends in one linear layer.

    Args:
        network: The network; the new one takes over its stages.
        through: The last stage that is kept.
        num_classes: Number of logits; None: as many as the network has.

    Returns:
        A network with equal `forward_stages` as far as it goes.

    Raises:
        ValueError: There is no such stage; all are named.
    """
    names = [name for name, _ in network.stages.named_children()]
    if through not in names:
        raise ValueError(f"there is no stage '{through}' to end at: expected one of {', '.join(names)}")
    kept = names[: names.index(through) + 1]
    channels = network.out_channels[: len(kept)]
    head: list[tuple[str, nn.Module]] = [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten(1)),
        ("norm", nn.BatchNorm1d(channels[-1])),
        ("out", nn.Linear(channels[-1], num_classes or network.num_classes)),
    ]
    return ClassificationNetwork(
        {name: network.stages.get_submodule(name) for name in kept},
        nn.Sequential(OrderedDict(head)),
        in_channels=network.in_channels,
        strides=network.strides[: len(kept)],
        out_channels=channels,
        size=network.size,
        smallest=network.smallest,
        aux_heads={name: head for name, head in network.aux_heads.items() if name in kept[:-1]},
        aux_weight=network.aux_weight,
    )
