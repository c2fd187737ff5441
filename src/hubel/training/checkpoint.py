"""`last.ckpt`: all that a run needs to go on exactly where it was."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import torch

from hubel.errors import TrainingError
from hubel.files import write_whole

CHECKPOINT_NAME = "last.ckpt"


@dataclass
class Progress:
    """How far a run has come.

    Order, augmentation and dropout are functions of the seed and of these counters, so no random state is kept.

    Attributes:
        phase: Position of the current phase.
        epoch: Finished epochs of the current phase.
        batch: Finished batches of the current epoch.
        total_epochs: Finished epochs of the whole run.
        total_steps: Finished steps of the whole run.
        loss_sum: Sum of the losses of the current epoch's pictures.
        score_sum: Sum of what the task scores of them, such as how many are right.
        images: Their number.
        seconds: Time that the current epoch has taken.
        wait_seconds: Of these, spent waiting for pictures.
        history: The rows of `metrics.csv`.
        best_epoch: The finished epoch with the best validation result, from 1; 0: none yet.
        best_rank: The rank of its validation metrics, as the task ranks them.
        epochs_without_gain: Finished epochs of the current phase since its last gain.
        finished: Whether all phases are done.
    """

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    total_epochs: int = 0
    total_steps: int = 0
    loss_sum: float = 0.0
    score_sum: float = 0.0
    images: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_rank: tuple[float, ...] | None = None
    epochs_without_gain: int = 0
    finished: bool = False

    def start_epoch(self) -> None:
        """Forget the sums of the epoch that has ended."""
        self.batch, self.images = 0, 0
        self.loss_sum, self.score_sum, self.seconds, self.wait_seconds = 0.0, 0.0, 0.0, 0.0

    def start_phase(self, phase: int) -> None:
        """Begin a phase at its first epoch."""
        self.phase, self.epoch, self.epochs_without_gain = phase, 0, 0
        self.start_epoch()


class Checkpoint(NamedTuple):
    """What a run goes on from.

    Attributes:
        progress: How far it has come.
        states: What `state_dict` gave, by whose it is, such as `network` and `optimizer`: a loop puts in what it needs.
    """

    progress: Progress
    states: Mapping[str, dict[str, Any]]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    content = {"progress": asdict(checkpoint.progress), "states": dict(checkpoint.states)}
    write_whole(path, lambda file: torch.save(content, cast("IO[bytes]", file)))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote, on the CPU.

    Raises:
        TrainingError: The file is missing or damaged.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(Progress(**content["progress"]), content["states"])
    except FileNotFoundError as error:
        raise TrainingError(
            f"nothing to resume at {path.parent}: it holds no {path.name}; start without --resume"
        ) from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"{path} cannot be resumed from ({first}); start again without --resume") from error
