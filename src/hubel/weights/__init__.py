"""Published weights: the catalogue, reading checkpoints, and other libraries' parameter names."""

from hubel.weights.catalogue import CATALOGUE, WeightsEntry, weights_for
from hubel.weights.checkpoint import read_checkpoint
from hubel.weights.loading import PretrainedModel, build_with_weights, create_model

__all__ = [
    "CATALOGUE",
    "PretrainedModel",
    "WeightsEntry",
    "build_with_weights",
    "create_model",
    "read_checkpoint",
    "weights_for",
]
