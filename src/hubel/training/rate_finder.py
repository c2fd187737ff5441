"""A learning rate that suits the network and the pictures, found by trying: the range test.

Smith 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3; with rates that grow
exponentially instead of linearly, so that six orders of magnitude are searched.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from hubel import runtime
from hubel.config import OptimizerConfig, Phase
from hubel.data.loading.loader import Loader
from hubel.data.targets import Batch
from hubel.preprocessing import Preprocess
from hubel.tasks.task import AnyTask
from hubel.training.optimization import build_optimizer, set_learning_rate
from hubel.training.step_loss import step_loss_of, targets_on
from hubel.transfer.freezing import FrozenStages, layer_groups

LOWEST_RATE, HIGHEST_RATE, STEPS = 1e-6, 1.0, 100

_SMOOTHING = 0.9  # of the exponential mean: it remembers some ten steps, a factor of four in the rate
_GIVEN_UP = 4.0  # times the least smoothed loss
_SLOPE_STEPS = 10  # to either side, over which a slope is measured
_UNSETTLED = 10  # steps at the beginning, in which the mean is of few losses


@dataclass(frozen=True)
class RateSearch:
    """What a range test has seen.

    Attributes:
        rates: The head's learning rate of each step.
        losses: The loss of each step, before the step.
        smoothed: Their exponential mean, corrected for its beginning.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls most steeply; None where it never falls.

        The fall at a step is the smoothed loss ten steps before it minus that ten steps after it; equal numbers of
        steps are equal factors of the rate, so this is the slope over the rate's logarithm. Only what lies between the
        tenth step, from which on the mean has settled, and the least smoothed loss, behind which it rises, counts.
        """
        smoothed = np.array(self.smoothed[_UNSETTLED:])
        if not len(smoothed):
            return None
        until_least = smoothed[: int(smoothed.argmin()) + 1]
        falls = until_least[: -2 * _SLOPE_STEPS] - until_least[2 * _SLOPE_STEPS :]
        if not len(falls) or falls.max() <= 0:
            return None
        return self.rates[_UNSETTLED + _SLOPE_STEPS + int(falls.argmax())]

    def rows(self) -> list[dict[str, float]]:
        """A row per step for `rates.csv`."""
        columns = zip(self.rates, self.losses, self.smoothed, strict=True)
        return [
            {"step": step, "learning_rate": rate, "loss": loss, "smoothed_loss": smoothed}
            for step, (rate, loss, smoothed) in enumerate(columns, start=1)
        ]


def search_rate(
    network: nn.Module,
    task: AnyTask,
    preprocess: Preprocess,
    loader: Loader,
    phase: Phase,
    optimizer: OptimizerConfig,
    *,
    seed: int,
    bfloat16: bool = False,
    mixup: float = 0.0,
    cutmix: float = 0.0,
) -> RateSearch:
    """Train a copy of a network at rates that grow from 1e-6 to 1, and watch the loss.

    The steps are those of the phase (what it freezes, its optimiser, its loss, its augmented pictures in its order), at
    most 100 of them; the search ends when the smoothed loss is 4 times its least one, or no number.

    Args:
        network: On its device; it is not changed.
        task: Gives the loss.
        preprocess: From uint8 pictures to the network's input.
        loader: Of the training pictures.
        phase: The phase whose rate is wanted; its own rate does not matter, its ratio between groups does.
        optimizer: The optimiser.
        seed: Of dropout and of mixing.
        bfloat16: Whether the arithmetic runs under bfloat16 autocast.
        mixup: The α of mixup; 0: off.
        cutmix: The α of CutMix; 0: off.
    """
    trial = copy.deepcopy(network)
    frozen = FrozenStages(trial, phase.train, freeze_batch_norm=phase.batch_norm == "frozen")
    of_head_one = phase.model_copy(update={"learning_rate": 1.0})
    built = build_optimizer(layer_groups(trial, frozen.trained), optimizer, of_head_one)
    trained = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    device = next(trial.parameters()).device
    step_loss = step_loss_of(task, trained_aux=frozen.trained_aux, mixup=mixup, cutmix=cutmix)
    frozen.set_training_mode()

    rates, losses, smoothed, mean = [], [], [], 0.0
    for step, batch in zip(range(STEPS), _batches(loader), strict=False):
        rate = LOWEST_RATE * (HIGHEST_RATE / LOWEST_RATE) ** (step / (STEPS - 1))
        set_learning_rate(built, rate)
        runtime.seed(device, seed * 1_000_003 + step)
        images = preprocess.normalise(runtime.to_device(batch.images, device))
        targets = targets_on(batch.labels, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss, _ = step_loss(trial, images, targets, (seed, step))
        value = loss.item()
        if not math.isfinite(value):
            break
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * value
        rates.append(rate)
        losses.append(value)
        smoothed.append(mean / (1 - _SMOOTHING ** (step + 1)))
        if smoothed[-1] > _GIVEN_UP * min(smoothed):
            break
        built.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(trained, optimizer.clip_norm)
        built.step()
    return RateSearch(tuple(rates), tuple(losses), tuple(smoothed))


def _batches(loader: Loader) -> Iterator[Batch]:
    """The training batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from loader.epoch(epoch)
        epoch += 1
