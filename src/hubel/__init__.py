"""hubel: convolutional networks on your own images.

The public API and nothing else; each name is loaded when it is first used, so that `import hubel` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hubel.version import __version__

if TYPE_CHECKING:
    from hubel.errors import HubelError
    from hubel.evaluation.cross_validation import cross_validate
    from hubel.evaluation.evaluate import evaluate
    from hubel.inference.predictor import load
    from hubel.models.complexity import complexity
    from hubel.models.registry import list_models
    from hubel.preprocessing import Preprocess
    from hubel.training.api import train
    from hubel.weights import create_model

__all__ = [
    "HubelError",
    "Preprocess",
    "__version__",
    "complexity",
    "create_model",
    "cross_validate",
    "evaluate",
    "list_models",
    "load",
    "train",
]

_HOMES = {
    "HubelError": "hubel.errors",
    "Preprocess": "hubel.preprocessing",
    "complexity": "hubel.models.complexity",
    "create_model": "hubel.weights",
    "cross_validate": "hubel.evaluation.cross_validation",
    "evaluate": "hubel.evaluation.evaluate",
    "list_models": "hubel.models.registry",
    "load": "hubel.inference.predictor",
    "train": "hubel.training.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hubel' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
