"""What a run will do, told before it does it: the stages that train in each phase, the rates, the time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from hubel import runtime
from hubel.config import OptimizerConfig, Phase, TransferConfig
from hubel.preprocessing import Preprocess
from hubel.results.naming import counted
from hubel.training.computed_once import pays
from hubel.training.optimization import build_optimizer
from hubel.transfer.freezing import FrozenStages, layer_groups

# The loss of a step of a network in training.
TrialLoss = Callable[[nn.Module], torch.Tensor]

# Two steps to warm up (memory, kernels), and one that counts.
_STEPS = 3


@dataclass(frozen=True)
class PlannedPhase:
    """What one phase will do.

    Attributes:
        phase: The phase.
        stages: The stages that train.
        parameters: How many parameters train.
        rates: The highest learning rates, the head's first.
        computed_once: Whether frozen layers run once for every picture.
        seconds: Estimated from a few measured steps; validation is included, decoding is not.
    """

    phase: Phase
    stages: tuple[str, ...]
    parameters: int
    rates: tuple[float, ...]
    computed_once: bool
    seconds: float

    def line(self) -> str:
        """The plan as a line for a person."""
        stages = f"{self.stages[0]} to {self.stages[-1]} and head" if len(self.stages) > 1 else ""
        trained = stages or " and ".join((*self.stages, "head"))
        epochs = counted(self.phase.epochs, "epoch")
        rates = ", ".join(f"{rate:.2g}" for rate in self.rates)
        once = ", frozen layers run once" if self.computed_once else ""
        return (
            f"plan: phase {self.phase.name}, {epochs}, trains {trained} ({self.parameters:,} parameters), highest "
            f"learning rates {rates}{once}; about {_duration(self.seconds)}"
        )


def make_plan(
    network: nn.Module,
    phases: Sequence[Phase],
    optimizer: OptimizerConfig,
    transfer: TransferConfig,
    preprocess: Preprocess,
    *,
    pictures: tuple[int, int],
    batch_size: int,
    mixing: bool = False,
    bfloat16: bool = False,
    loss: TrialLoss | None = None,
) -> list[PlannedPhase]:
    """Plan the phases of a run, measuring a few steps of each.

    Args:
        network: On its device; it is not changed, a copy is measured.
        phases: What trains, how long, how fast.
        optimizer: The optimiser.
        transfer: What is done with frozen layers.
        preprocess: From uint8 pictures to the network's input.
        pictures: How many the training and the validation split have.
        batch_size: Pictures a step.
        mixing: Whether pictures are mixed with each other.
        bfloat16: Whether the arithmetic runs under bfloat16 autocast.
        loss: Of a step on real pictures, where what a network does depends on them; None: random pictures serve.
    """
    training, validation = pictures
    batch = min(batch_size, training)
    plan: list[PlannedPhase] = []
    with torch.autocast(next(network.parameters()).device.type, torch.bfloat16, enabled=bfloat16):
        images = _random_images(network, preprocess, batch)
        predicted = _seconds_of_prediction(network, images) / batch
        for phase in phases:
            trial = copy.deepcopy(network)
            frozen = FrozenStages(trial, phase.train, freeze_batch_norm=phase.batch_norm == "frozen")
            built = build_optimizer(layer_groups(trial, frozen.trained), optimizer, phase)
            once = pays(phase, frozen, transfer, mixing=mixing)
            if once and not frozen.trained:
                seconds = predicted * (transfer.views * training + validation)
            else:
                step = _seconds_of_step(trial, frozen, built, loss or partial(_mean_square, images))
                seconds = phase.epochs * (step / batch * training + predicted * validation)
            planned = PlannedPhase(
                phase=phase,
                stages=frozen.trained,
                parameters=sum(p.numel() for p in trial.parameters() if p.requires_grad),
                rates=tuple(dict.fromkeys(group["peak_lr"] for group in built.param_groups)),
                computed_once=once,
                seconds=seconds,
            )
            plan.append(planned)
    return plan


@torch.inference_mode()
def _seconds_of_prediction(network: nn.Module, images: torch.Tensor) -> float:
    trial = copy.deepcopy(network).eval()
    trial(images)
    began = _now(images.device)
    trial(images)
    return _now(images.device) - began


def _seconds_of_step(
    trial: nn.Module,
    frozen: FrozenStages,
    optimizer: torch.optim.Optimizer,
    loss: TrialLoss,
) -> float:
    frozen.set_training_mode()
    device = next(trial.parameters()).device
    began = 0.0
    for step in range(_STEPS):
        if step == _STEPS - 1:
            began = _now(device)
        optimizer.zero_grad(set_to_none=True)
        loss(trial).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return _now(device) - began


def _mean_square(images: torch.Tensor, network: nn.Module) -> torch.Tensor:
    outputs: torch.Tensor = network(images)
    return outputs.square().mean()


def _random_images(network: nn.Module, preprocess: Preprocess, batch: int) -> torch.Tensor:
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)
    shape = (batch, *preprocess.size, preprocess.channels)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return preprocess.normalise(runtime.to_device(pixels, device))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
