"""Weights of a network for pictures with other channels: the kernels that meet these are adapted."""

from __future__ import annotations

from torch import Tensor, nn

from hubel.models import ClassificationNetwork
from hubel.models.segmentation import SegmentationNetwork
from hubel.results.naming import counted

Network = ClassificationNetwork | SegmentationNetwork


def stored_channels(model: Network, stored: dict[str, Tensor]) -> int | None:
    """How many input channels stored tensors of a network are for; None where they do not tell."""
    name = _first_convolution(model)
    return stored[name].shape[1] if name in stored and stored[name].ndim == 4 else None


def with_own_channels(model: Network, stored: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """Adapt the first convolution to the network's input channels.

    Every new kernel is the mean of the old ones, scaled so that the sum over the channels stays: a grey
    picture gives what it gave as a picture with three equal channels.
    """
    name, channels = _first_convolution(model), stored_channels(model, stored)
    if name is None or channels is None or channels == model.in_channels:
        return stored
    kernel = stored[name].sum(dim=1, keepdim=True) / model.in_channels
    notes.append(
        f"first convolution adapted: {counted(channels, 'input channel')} in the file, {model.in_channels} wanted"
    )
    return {**stored, name: kernel.repeat(1, model.in_channels, 1, 1)}


def _first_convolution(model: Network) -> str | None:
    """The name of the weight that the input's channels meet."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return f"{name}.weight" if module.in_channels == model.in_channels else None
    return None
