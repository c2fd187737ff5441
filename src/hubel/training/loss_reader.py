"""The losses of steps, read from the device and added up; one that is no number ends the run."""

from __future__ import annotations

import torch

from hubel.data.decoded.store import PictureStore
from hubel.data.targets import Batch
from hubel.errors import TrainingError
from hubel.training.checkpoint import Progress

# Steps between two readings of the loss on a GPU, where each reading waits for the device.
_STEPS_PER_READING = 16


class LossReader:
    """Holds what steps have given until it is read.

    Args:
        store: Whose pictures the batches are of.
        device: Where the losses are.
    """

    def __init__(self, store: PictureStore, device: torch.device) -> None:
        self._store = store
        self._most = 1 if device.type == "cpu" else _STEPS_PER_READING
        self._unread: list[tuple[torch.Tensor, torch.Tensor, Batch]] = []

    def add(self, loss: torch.Tensor, score: torch.Tensor, batch: Batch) -> None:
        """Take what a step has given: the batch's mean loss, and the sum over its pictures of what is scored."""
        self._unread.append((loss.detach(), score, batch))

    @property
    def due(self) -> bool:
        """Whether enough has come to be read."""
        return len(self._unread) >= self._most

    def read(self, progress: Progress) -> None:
        """Add what the last steps gave to the epoch's sums.

        Raises:
            TrainingError: A loss is not a number; the step and the batch's files are named.
        """
        first_step = progress.total_steps - len(self._unread)
        for number, (loss_tensor, score, batch) in enumerate(self._unread):
            loss = loss_tensor.item()
            if loss - loss != 0:  # NaN or infinite
                files = ", ".join(self._store.samples[i].name for i in batch.indices.tolist())
                self._unread.clear()
                raise TrainingError(
                    f"the loss is {loss} at step {first_step + number + 1} (epoch {progress.total_epochs + 1}): "
                    f"lower the learning rate, or look at this batch's pictures: {files}"
                )
            progress.loss_sum += loss * len(batch.labels)
            progress.score_sum += score.item()
            progress.images += len(batch.labels)
        self._unread.clear()
