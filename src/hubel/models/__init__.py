"""The networks and their registry; importing this package makes every network known."""

from hubel.models import classification as classification
from hubel.models import detection as detection
from hubel.models import generative as generative
from hubel.models import localization as localization
from hubel.models import segmentation as segmentation
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import (
    ModelEntry,
    build_model,
    list_families,
    list_models,
    model_entry,
    register,
    register_family,
)

__all__ = [
    "ClassificationNetwork",
    "ModelEntry",
    "build_model",
    "list_families",
    "list_models",
    "model_entry",
    "register",
    "register_family",
]
