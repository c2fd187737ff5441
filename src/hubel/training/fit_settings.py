"""What the fit loop is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hubel.config import OptimizerConfig, Phase, TransferConfig


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What the loop is told beside the network and the pictures.

    Attributes:
        phases: What trains, how long, how fast.
        optimizer: The optimiser.
        seed: Of the dropout of each step.
        patience: Epochs of a phase without a gain after which it ends; 0: never early.
        checkpoint: Where everything is saved.
        checkpoint_seconds: How often within an epoch.
        bfloat16: Whether the arithmetic runs under bfloat16 autocast.
        transfer: What is done with frozen layers.
        average_decay: Of the moving average of the weights; 0: none.
        mixup: The α of mixup; 0: off.
        cutmix: The α of CutMix; 0: off.
    """

    phases: Sequence[Phase]
    optimizer: OptimizerConfig
    transfer: TransferConfig
    seed: int
    patience: int
    checkpoint: Path
    checkpoint_seconds: float
    bfloat16: bool
    average_decay: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
