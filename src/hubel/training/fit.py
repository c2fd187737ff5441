"""The fit loop: plain PyTorch, one step after the other, with everything that makes it exact and safe around it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from hubel import runtime
from hubel.config import Phase
from hubel.data.decoded.store import PictureStore
from hubel.data.loading.loader import Loader
from hubel.data.targets import Batch
from hubel.errors import TrainingError
from hubel.inference.predictions import predictions_of
from hubel.models.network import ClassificationNetwork
from hubel.preprocessing import Preprocess
from hubel.results import Metrics
from hubel.results.naming import counted
from hubel.tasks.task import AnyTask, LabelTask, Predictions
from hubel.training.averaging import moving_average
from hubel.training.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from hubel.training.computed_once import ComputedOnce, compute_once, pays
from hubel.training.fit_settings import FitSettings
from hubel.training.interruption import Interrupted, StopRequest
from hubel.training.loss_reader import LossReader
from hubel.training.optimization import build_optimizer, schedule, set_learning_rate
from hubel.training.progress import Reporter, StepReport
from hubel.training.step_loss import StepLoss, step_loss_of, targets_on
from hubel.training.steps import take_steps
from hubel.transfer.cached_features import FeatureSettings
from hubel.transfer.freezing import FrozenStages, layer_groups

_SECONDS_PER_REPORT = 0.2


class Fit:
    """Trains a network phase by phase and keeps the best epoch, or the last one where nothing validates.

    Args:
        network: On its device already.
        task: Gives the loss and the metrics.
        preprocess: From uint8 pictures to the network's input.
        train: Loads the training split.
        validation: Loads the validation split, which chooses the epoch; None: there is none, and the last one is kept.
        settings: How.
        save_best: Called with the network's tensors and the validation metrics, if any, whenever an epoch is the best
            so far.
        load_best: Gives the tensors of the best epoch back.
        write_history: Called with all epochs' rows, and the network as it would be kept, after each epoch.
        reporter: Hears what happens.
        stop: Asked after each step.
    """

    def __init__(
        self,
        network: nn.Module,
        task: AnyTask,
        preprocess: Preprocess,
        train: Loader,
        validation: Loader | None,
        settings: FitSettings,
        *,
        save_best: Callable[[Mapping[str, torch.Tensor], Metrics | None], None],
        load_best: Callable[[], Mapping[str, torch.Tensor]],
        write_history: Callable[[list[dict[str, Any]], nn.Module], None],
        reporter: Reporter,
        stop: StopRequest,
    ) -> None:
        self.network, self.task, self.preprocess = network, task, preprocess
        self.train, self.validation, self.settings = train, validation, settings
        self.save_best, self.load_best, self.write_history = save_best, load_best, write_history
        self.reporter, self.stop = reporter, stop
        self.device = next(network.parameters()).device
        self.progress = Progress()
        self._frozen: FrozenStages
        self._features = FeatureSettings(self.device, settings.bfloat16, settings.transfer.half)
        self._average: AveragedModel | None = None
        self._computed: ComputedOnce | None = None  # where the frozen layers have run already
        self._optimizer: torch.optim.Optimizer
        self._losses = LossReader(train.store, self.device)
        self._step_loss: StepLoss
        self._saved_at = self._reported_at = time.monotonic()
        self._validation_seconds = 0.0

    def run(self, *, resume: bool = False) -> Progress:
        """Train to the end; the network then holds the best epoch's weights.

        Args:
            resume: Go on from the checkpoint.

        Raises:
            Interrupted: The user asked to stop; everything is saved.
            TrainingError: The loss is not a number, or the checkpoint cannot be read.
        """
        checkpoint = None
        if resume:
            checkpoint = load_checkpoint(self.settings.checkpoint)
            self.progress = checkpoint.progress
            self.network.load_state_dict(checkpoint.states["network"])
        try:
            while not self.progress.finished:
                self.start_phase(checkpoint)
                checkpoint = None
                self._run_phase()
                self._end_phase()
        finally:
            for loader in self._loaders:
                loader.close()
        return self.progress

    @property
    def _loaders(self) -> tuple[Loader, ...]:
        return (self.train,) if self.validation is None else (self.train, self.validation)

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average where there is one."""
        return self.network if self._average is None else self._average.module

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.settings.phases[self.progress.phase]

    def start_phase(self, checkpoint: Checkpoint | None = None) -> None:
        """Freeze what the current phase freezes and make its optimiser, with the states of a checkpoint if one came."""
        phase = self.phase
        self._frozen = FrozenStages(self.network, phase.train, freeze_batch_norm=phase.batch_norm == "frozen")
        groups = layer_groups(self.network, self._frozen.trained)
        self._optimizer = build_optimizer(groups, self.settings.optimizer, phase)
        self._trainable = [p for p in self.network.parameters() if p.requires_grad]
        self._average = moving_average(self.network, self.settings.average_decay)
        self._step_loss = step_loss_of(
            self.task,
            trained_aux=self._frozen.trained_aux,
            mixup=self.settings.mixup,
            cutmix=self.settings.cutmix,
        )
        if checkpoint is not None:
            self._optimizer.load_state_dict(checkpoint.states["optimizer"])
            if self._average is not None and "average" in checkpoint.states:
                self._average.load_state_dict(checkpoint.states["average"])
        self.reporter.message(f"phase {phase.name}: {counted(phase.epochs, 'epoch')}")
        self._computed = self._compute_frozen_layers()

    def _compute_frozen_layers(self) -> ComputedOnce | None:
        """Run what is frozen once for every picture, where that is less work than to run it in every epoch."""
        transfer, network = self.settings.transfer, self.network
        mixing = bool(self.settings.mixup or self.settings.cutmix)
        if not pays(self.phase, self._frozen, transfer, mixing=mixing):
            return None
        assert isinstance(network, ClassificationNetwork)
        loaders = (self.train, self.validation)
        return compute_once(
            network, self._frozen.trained, loaders, self.preprocess, self._features, transfer, self.reporter
        )

    def _run_phase(self) -> None:
        progress, patience = self.progress, self.settings.patience
        while progress.epoch < self.phase.epochs:
            if patience and progress.epochs_without_gain >= patience:
                self.reporter.message(f"no gain in {counted(patience, 'epoch')}: phase {self.phase.name} ends early")
                return
            try:
                self.train_epoch()
                self._end_epoch()
            except RuntimeError as error:
                raise self._explained(error) from error

    def _end_phase(self) -> None:
        """Go back to the best epoch, and on to the next phase, if there is one."""
        self._frozen.check()
        self.network.load_state_dict(dict(self.load_best()))
        if self.progress.phase + 1 < len(self.settings.phases):
            self.progress.start_phase(self.progress.phase + 1)
        else:
            self.progress.finished = True
            self._save()

    def train_epoch(self) -> None:
        """The rest of the current epoch's steps."""
        progress = self.progress
        self._frozen.set_training_mode()
        source = self._computed.train if self._computed else self.train
        batches = source.epoch(progress.total_epochs, start_batch=progress.batch)
        take_steps(batches, self._step, progress=progress, losses=self._losses, after_step=self._after_step)

    def _step(self, batch: Batch) -> None:
        """One update of the weights."""
        progress, phase = self.progress, self.phase
        done = progress.epoch * len(self.train) + progress.batch
        set_learning_rate(self._optimizer, schedule(done, phase.epochs * len(self.train), phase.warmup))
        runtime.seed(self.device, self.settings.seed * 1_000_003 + progress.total_steps)
        inputs = runtime.to_device(batch.images, self.device)
        targets = targets_on(batch.labels, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            loss, score = self._loss(inputs, targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(self._trainable, self.settings.optimizer.clip_norm)
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self.network)
        self._losses.add(loss, score, batch)

    def _loss(self, inputs: torch.Tensor, targets: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss and the summed score of uint8 pictures (N, H, W, C).

        Where the frozen layers have run already, their outputs come instead of pictures.
        """
        if self._computed:
            return self._computed.loss(self.network, self.task, inputs, targets)
        images = self.preprocess.normalise(inputs)  # (N, C, H, W)
        return self._step_loss(self.network, images, targets, (self.settings.seed, self.progress.total_steps))

    def _after_step(self) -> None:
        now = time.monotonic()
        if now - self._reported_at >= _SECONDS_PER_REPORT and self.progress.images:
            self._reported_at = now
            self.reporter.step(self._step_report())
        stopping = self.stop.signal is not None
        if stopping or now - self._saved_at >= self.settings.checkpoint_seconds:
            self._losses.read(self.progress)
            self._save()
        if stopping:
            self._raise_interrupted()

    def _end_epoch(self) -> None:
        """Validate, keep the best, write the row and the checkpoint."""
        progress = self.progress
        began = time.perf_counter()
        metrics = self._validated()
        self._validation_seconds = time.perf_counter() - began
        progress.epoch += 1
        progress.total_epochs += 1
        rank = None if metrics is None else self.task.rank(metrics)
        # Of equals, what has learnt longer; without validation, what has learnt longest.
        best = rank is None or progress.best_rank is None or rank >= progress.best_rank
        progress.epochs_without_gain = 0 if best else progress.epochs_without_gain + 1
        if best:
            progress.best_rank, progress.best_epoch = rank, progress.total_epochs
        row = self._row(metrics)
        progress.history.append(row)
        progress.start_epoch()
        self._tell_lost()
        if best:
            self.save_best(self.kept.state_dict(), metrics)
        self._save()
        self.write_history(progress.history, self.kept)
        self.reporter.epoch(row, best=best and metrics is not None)
        if self.stop.signal is not None:
            self._raise_interrupted()

    def _tell_lost(self) -> None:
        for loader in self._loaders:
            for item in loader.newly_lost():
                self.reporter.message(f"can no longer be read, left out: {item.sample.name} ({item.reason})")

    def _validated(self) -> Metrics | None:
        """The metrics of the validation pictures that can be read; None where there is no validation.

        Raises:
            TrainingError: The network gives values that are not finite.
        """
        if self.validation is None:
            return None
        store, predictions = self._predicted(self.validation)
        if isinstance(predictions, np.ndarray) and not np.isfinite(predictions).all():
            raise TrainingError(
                f"after epoch {self.progress.total_epochs + 1} the network gives values that are not finite: lower the "
                "learning rate; what was saved before is whole"
            )
        return self.task.measure(predictions, store.labels)

    def _predicted(self, validation: Loader) -> tuple[PictureStore, Predictions]:
        """The readable validation pictures, and what is predicted for them."""
        if self._computed:
            logits = self._computed.validation_logits(self.kept, self._features)
            store, logits = validation.without_lost(logits)
            assert isinstance(self.task, LabelTask)
            return store, self.task.predictions(logits)
        return predictions_of(
            self.kept,
            self.task,
            self.preprocess,
            validation,
            device=self.device,
            bfloat16=self.settings.bfloat16,
        )

    def _row(self, metrics: Metrics | None) -> dict[str, Any]:
        progress = self.progress
        validated = {} if metrics is None else metrics.figures()
        if metrics is not None and not math.isnan(metrics.loss):
            validated = {"loss": metrics.loss, **validated}
        return {
            "epoch": progress.total_epochs,
            "phase": self.phase.name,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "train_loss": progress.loss_sum / progress.images,
            f"train_{self.task.score_name}": progress.score_sum / progress.images,
            **{f"validation_{name}": value for name, value in validated.items()},
            "seconds": round(progress.seconds + self._validation_seconds, 3),
            "images_per_second": round(progress.images / progress.seconds, 1),
            "wait_share": round(progress.wait_seconds / progress.seconds, 4),
        }

    def _step_report(self) -> StepReport:
        progress, phases = self.progress, self.settings.phases
        steps = len(self.train)
        epochs_before = sum(phase.epochs for phase in phases[: progress.phase])
        epochs = sum(phase.epochs for phase in phases)
        epochs_left = epochs - epochs_before - progress.epoch
        seconds_per_step = progress.seconds / max(progress.images / self.train.batch_size, 1)
        steps_left = epochs_left * steps - progress.batch
        return StepReport(
            epoch=epochs_before + progress.epoch + 1,
            epochs=epochs,
            step=progress.batch,
            steps=steps,
            loss=progress.loss_sum / progress.images,
            score=progress.score_sum / progress.images,
            score_name=self.task.score_name,
            images_per_second=progress.images / progress.seconds,
            seconds_left=steps_left * seconds_per_step + epochs_left * self._validation_seconds,
        )

    def _save(self) -> None:
        states = {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}
        if self._average is not None:
            states["average"] = self._average.state_dict()
        save_checkpoint(self.settings.checkpoint, Checkpoint(self.progress, states))
        self._saved_at = time.monotonic()

    def _explained(self, error: RuntimeError) -> Exception:
        """What to say of an error that torch raises, wherever the loop is, when a worker has died."""
        if self.stop.signal is not None:
            return Interrupted(self.stop.signal, "stopped; what was done since the last save will be done again")
        return self.train.explained(error)

    def _raise_interrupted(self) -> None:
        number = self.stop.signal or 0
        raise Interrupted(number, f"stopped at epoch {self.progress.total_epochs + 1}, batch {self.progress.batch}")
