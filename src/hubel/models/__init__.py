"""The networks and their registry; importing this package makes every network known."""

from hubel.models import classification as classification
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import ModelEntry, build_model, list_models, model_entry, register

__all__ = ["ClassificationNetwork", "ModelEntry", "build_model", "list_models", "model_entry", "register"]
