"""The whole of a training run as one frozen, validated value that is written as YAML into the run's folder.

`TrainConfig` is that value; its groups are in the files beside it, each setting with what it means.
"""

from hubel.config.augmentation import AugmentConfig
from hubel.config.data import DataConfig
from hubel.config.learning import ModelConfig, OptimizerConfig, Phase, TransferConfig
from hubel.config.reading import merge, parse_settings
from hubel.config.run import TaskName, TrainConfig
from hubel.config.tasks import DetectionConfig, GenerativeConfig, SegmentationConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "DetectionConfig",
    "GenerativeConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Phase",
    "SegmentationConfig",
    "TaskName",
    "TrainConfig",
    "TransferConfig",
    "merge",
    "parse_settings",
]
