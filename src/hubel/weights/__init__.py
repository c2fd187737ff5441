"""Published weights: the catalogue, reading checkpoints, and other libraries' parameter names."""

from hubel.weights.catalogue import find_weights, weights_for
from hubel.weights.checkpoint import read_checkpoint
from hubel.weights.entry import WeightsEntry
from hubel.weights.loading import PretrainedModel, build_with_weights, create_model

__all__ = [
    "PretrainedModel",
    "WeightsEntry",
    "build_with_weights",
    "create_model",
    "find_weights",
    "read_checkpoint",
    "weights_for",
]
