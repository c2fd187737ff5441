"""The loop of a generator and a discriminator: two optimisers, two losses, and no figure that chooses an epoch.

Radford et al. 2016, arXiv:1511.06434, section 3: Adam with β₁ = 0.5 at a rate of 0.0002, real and generated pictures
in batches of their own. Departures: both rates fall along a cosine, to 2 % of the highest at the end; what is kept and
sampled is a moving average of the generator's weights (Yazıcı et al. 2019, arXiv:1806.04498).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hubel import runtime
from hubel.config import GenerativeConfig, Phase
from hubel.data.decoded.store import PictureStore
from hubel.data.loading.loader import Loader
from hubel.data.targets import Batch
from hubel.models.evaluating import evaluating
from hubel.models.generative import DCGAN
from hubel.models.generative.dcgan import ADAM
from hubel.preprocessing import Preprocess
from hubel.tasks.generative.adversarial import (
    CRITIC_STEPS,
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from hubel.tasks.generative.collapse import collapse_alarm, diversity
from hubel.tasks.generative.diffaugment import diffaugment
from hubel.tasks.generative.drawing import pixels_of
from hubel.training.averaging import moving_average
from hubel.training.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from hubel.training.interruption import Interrupted, StopRequest
from hubel.training.loss_reader import LossReader
from hubel.training.progress import Reporter, StepReport
from hubel.training.sheets import ON_A_SHEET, is_due, write_sheet
from hubel.training.steps import take_steps

_SECONDS_PER_REPORT = 0.2
COMPARED = 128  # samples and real pictures whose diversity is compared
# Before this share of the training a generator has seen too little to speak of a collapse.
_BEFORE_ALARMS = 0.5
_GROWS = 1.02  # times the diversity of all earlier epochs
_COSINE = 0.9  # of its way down is gone


@dataclass(frozen=True, kw_only=True)
class AdversarialSettings:
    """What the loop is told beside the networks and the pictures.

    Attributes:
        phase: How long and how fast.
        generative: The game and its parts.
        seed: Of the codes of each step, and of the sheets.
        checkpoint: Where everything is saved.
        checkpoint_seconds: How often within an epoch.
        bfloat16: Whether the arithmetic runs under bfloat16 autocast.
        sheets: The folder for sheets of samples.
    """

    phase: Phase
    generative: GenerativeConfig
    seed: int
    checkpoint: Path
    checkpoint_seconds: float
    bfloat16: bool
    sheets: Path


class AdversarialFit:
    """Trains a GAN; the last epoch's average is kept.

    Args:
        network: On its device already.
        preprocess: From uint8 pictures to the networks' values.
        train: Loads the training split.
        real: Pictures that the samples' diversity is compared with.
        settings: How.
        save: Called after each epoch with the tensors to keep and the epoch's row.
        write_history: Called with all epochs' rows after each epoch.
        reporter: Hears what happens.
        stop: Asked after each step.
    """

    def __init__(
        self,
        network: DCGAN,
        preprocess: Preprocess,
        train: Loader,
        real: PictureStore,
        settings: AdversarialSettings,
        *,
        save: Callable[[Mapping[str, Tensor], Mapping[str, Any]], None],
        write_history: Callable[[list[dict[str, Any]]], None],
        reporter: Reporter,
        stop: StopRequest,
    ) -> None:
        self.network, self.preprocess, self.train, self.settings = network, preprocess, train, settings
        self.save, self.write_history, self.reporter, self.stop = save, write_history, reporter, stop
        self.device = next(network.parameters()).device
        self.progress = Progress()
        rate, game = settings.phase.learning_rate, settings.generative
        self._optimizers = {
            name: torch.optim.Adam(part.parameters(), lr=rate, betas=ADAM["betas"])  # type: ignore[arg-type]
            for name, part in {"generator": network.generator, "discriminator": network.discriminator}.items()
        }
        self._average = moving_average(network.generator, game.generator_average)
        self._discriminator_steps = game.discriminator_steps or (CRITIC_STEPS if game.game == "wasserstein" else 1)
        self._losses = LossReader(train.store, self.device)
        self._of_generator = torch.zeros(2, device=self.device)  # the epoch's summed loss, and of how many steps
        self._longest_gradient = torch.zeros((), device=self.device)  # of the epoch, of either network
        self._real = np.stack([real.array(at) for at in range(min(len(real), COMPARED))])
        self._saved_at = self._reported_at = time.monotonic()
        self.alarms: tuple[str, ...] = ()

    def run(self, *, resume: bool = False) -> Progress:
        """Train to the end.

        Args:
            resume: Go on from the checkpoint.

        Raises:
            Interrupted: The user asked to stop; everything is saved.
            TrainingError: The loss is not a number, or the checkpoint cannot be read.
        """
        if resume:
            self._restore(load_checkpoint(self.settings.checkpoint))
        try:
            while self.progress.epoch < self.settings.phase.epochs:
                self._train_epoch()
                self._end_epoch()
        except RuntimeError as error:  # torch raises its own for a worker that died, wherever the loop is
            if self.stop.signal is not None:
                raise Interrupted(self.stop.signal, "stopped; what followed the last save is done again") from error
            raise self.train.explained(error) from error
        finally:
            self.train.close()
        self.progress.finished = True
        self._save()
        return self.progress

    def kept(self) -> dict[str, Tensor]:
        """The tensors of the network with the generator's average."""
        tensors = self.network.state_dict()
        if self._average is not None:
            averaged = self._average.module.state_dict()
            tensors |= {f"generator.{name}": tensor for name, tensor in averaged.items()}
        return tensors

    def samples(self, count: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Pictures of the generator's average, uint8 (count, H, W, C)."""
        generator = self.network.generator if self._average is None else self._average.module
        codes = self.network.sample_codes(count, torch.Generator().manual_seed(seed)).to(self.device)
        with torch.no_grad(), evaluating(generator):
            pictures = torch.cat([generator(part) for part in torch.split(codes, ON_A_SHEET)])
        return pixels_of(pictures.float().cpu().numpy(), self.network.value_range)

    def _train_epoch(self) -> None:
        progress = self.progress
        self.network.train()
        batches = self.train.epoch(progress.total_epochs, start_batch=progress.batch)
        take_steps(batches, self._step, progress=progress, losses=self._losses, after_step=self._after_step)

    def _step(self, batch: Batch) -> None:
        """One update of the discriminator, and where its turn has come one of the generator."""
        progress, game, network = self.progress, self.settings.generative, self.network
        share = (progress.epoch + progress.batch / len(self.train)) / self.settings.phase.epochs
        for optimizer in self._optimizers.values():
            rate = self.settings.phase.learning_rate * 0.5 * (1 + math.cos(math.pi * _COSINE * share))
            optimizer.param_groups[0]["lr"] = rate
        runtime.seed(self.device, self.settings.seed * 1_000_003 + progress.total_steps)
        real = self.preprocess.normalise(runtime.to_device(batch.images, self.device))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            generated = network.decode(network.sample_codes(len(real)))
        seen = self._seen(real), self._seen(generated.detach())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            judged = network.judge(seen[0]), network.judge(seen[1])
        loss = discriminator_loss(game.game, *judged, smoothing=game.smoothing)
        if game.game == "wasserstein" and game.gradient_penalty:
            penalty = gradient_penalty(network.judge, *seen)
            loss = loss + game.gradient_penalty * penalty
        self._update("discriminator", loss)
        if (progress.total_steps + 1) % self._discriminator_steps == 0:
            self._step_of_generator(generated)
        told = discriminator_accuracy(game.game, *(logits.detach() for logits in judged))
        self._losses.add(loss, torch.tensor(told * len(real)), batch)

    def _step_of_generator(self, generated: Tensor) -> None:
        network = self.network
        network.discriminator.requires_grad_(False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            loss = generator_loss(self.settings.generative.game, network.judge(self._seen(generated)))
        self._update("generator", loss)
        network.discriminator.requires_grad_(True)
        if self._average is not None:
            self._average.update_parameters(network.generator)
        self._of_generator += torch.stack([loss.detach(), torch.ones_like(loss)])

    def _seen(self, images: Tensor) -> Tensor:
        """Pictures as the discriminator sees them, float32."""
        with torch.autocast(self.device.type, enabled=False):
            return diffaugment(images.float(), self.settings.generative.augmentations)

    def _update(self, part: str, loss: Tensor) -> None:
        optimizer = self._optimizers[part]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [weight.grad for weight in optimizer.param_groups[0]["params"] if weight.grad is not None]
        length = torch.nn.utils.get_total_norm(gradients)
        self._longest_gradient = torch.maximum(self._longest_gradient, length)
        optimizer.step()

    def _after_step(self) -> None:
        now = time.monotonic()
        if now - self._reported_at >= _SECONDS_PER_REPORT and self.progress.images:
            self._reported_at = now
            self.reporter.step(self._step_report())
        if self.stop.signal is not None or now - self._saved_at >= self.settings.checkpoint_seconds:
            self._losses.read(self.progress)
            self._save()
        self._raise_if_stopped()

    def _end_epoch(self) -> None:
        """Look at samples, write the row, the bundle and the checkpoint."""
        progress = self.progress
        compared = self.samples(len(self._real), self.settings.seed)
        spread = diversity(compared.astype(np.float32), self._real.astype(np.float32))
        told = progress.score_sum / progress.images
        progress.epoch += 1
        progress.total_epochs += 1
        progress.best_epoch = progress.total_epochs
        row = self._row(told, spread)
        progress.history.append(row)
        self._sound_alarm(told, spread)
        self._write_sheet()
        progress.start_epoch()
        self._of_generator.zero_()
        self._longest_gradient.zero_()
        for item in self.train.newly_lost():
            self.reporter.message(f"can no longer be read, left out: {item.sample.name} ({item.reason})")
        self.save(self.kept(), row)
        self._save()
        self.write_history(progress.history)
        self.reporter.epoch(row, best=False)
        self._raise_if_stopped()

    def _sound_alarm(self, told: float, spread: float) -> None:
        """Say that the generator has collapsed, once when it begins, and that it has recovered.

        Samples that differ more than ever before are no sign of it, however little they still do.
        """
        if self.progress.epoch < _BEFORE_ALARMS * self.settings.phase.epochs:
            return
        earlier = max((row["validation_diversity"] for row in self.progress.history[:-1]), default=0.0)
        grows = spread > _GROWS * earlier > 0
        before = self.alarms
        self.alarms = () if grows else collapse_alarm(diversity=spread, discriminator_accuracy=told)
        if self.alarms and not before:
            self.reporter.message(
                f"the generator has collapsed: {'; '.join(self.alarms)}. Look at the sheets in {self.settings.sheets}; "
                "more epochs, a lower learning rate, generative.smoothing=0.1 or generative.game=hinge with "
                "model.arguments.discriminator_norm=spectral may help"
            )
        elif before and not self.alarms:
            how = "more than in any epoch before" if grows else "again"
            self.reporter.message(f"the samples differ {spread:.0%} as much as real pictures, {how}")

    def _write_sheet(self) -> None:
        epoch, epochs = self.progress.epoch, self.settings.phase.epochs
        if is_due(epoch, epochs):
            write_sheet(self.settings.sheets, epoch, self.samples(ON_A_SHEET, self.settings.seed))

    def _row(self, told: float, spread: float) -> dict[str, Any]:
        progress = self.progress
        summed, steps = self._of_generator.tolist()
        return {
            "epoch": progress.total_epochs,
            "phase": self.settings.phase.name,
            "learning_rate": self._optimizers["generator"].param_groups[0]["lr"],
            "train_loss": progress.loss_sum / progress.images,
            "train_discriminator_accuracy": told,
            "train_generator_loss": summed / steps if steps else math.nan,
            "train_gradient_norm": self._longest_gradient.item(),
            "validation_diversity": spread,
            "seconds": round(progress.seconds, 3),
            "images_per_second": round(progress.images / progress.seconds, 1),
            "wait_share": round(progress.wait_seconds / progress.seconds, 4),
        }

    def _step_report(self) -> StepReport:
        progress, epochs = self.progress, self.settings.phase.epochs
        steps = len(self.train)
        seconds = progress.seconds / max(progress.images / self.train.batch_size, 1)
        return StepReport(
            epoch=progress.epoch + 1,
            epochs=epochs,
            step=progress.batch,
            steps=steps,
            loss=progress.loss_sum / progress.images,
            score=progress.score_sum / progress.images,
            score_name="discriminator_accuracy",
            images_per_second=progress.images / progress.seconds,
            seconds_left=((epochs - progress.epoch) * steps - progress.batch) * seconds,
        )

    def _save(self) -> None:
        states: dict[str, dict[str, Any]] = {"network": self.network.state_dict()}
        states |= {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}
        states["epoch"] = {
            "of_generator": self._of_generator,
            "longest_gradient": self._longest_gradient,
            "alarms": list(self.alarms),
        }
        if self._average is not None:
            states["average"] = self._average.state_dict()
        save_checkpoint(self.settings.checkpoint, Checkpoint(self.progress, states))
        self._saved_at = time.monotonic()

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.progress = checkpoint.progress
        self.network.load_state_dict(checkpoint.states["network"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(checkpoint.states[name])
        self._of_generator = checkpoint.states["epoch"]["of_generator"].to(self.device)
        self._longest_gradient = checkpoint.states["epoch"]["longest_gradient"].to(self.device)
        self.alarms = tuple(checkpoint.states["epoch"]["alarms"])
        if self._average is not None:
            self._average.load_state_dict(checkpoint.states["average"])

    def _raise_if_stopped(self) -> None:
        if (number := self.stop.signal) is not None:
            raise Interrupted(number, f"stopped at epoch {self.progress.total_epochs + 1}, batch {self.progress.batch}")
