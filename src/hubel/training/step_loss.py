"""The loss of one step from the network's inputs: with mixed pictures and auxiliary heads where a run has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from hubel import runtime
from hubel.data.loading.mixing import mix
from hubel.models.network import ClassificationNetwork
from hubel.tasks.task import AnyTask, LabelTask, PlaceTask, ScheduledTask

# Of a network, normalised pictures (N, C, H, W), their targets, and a seed whose last number is the step: the mean
# loss, and the summed score.
StepLoss = Callable[[Any, torch.Tensor, Any, tuple[int, ...]], tuple[torch.Tensor, torch.Tensor]]


def step_loss_of(task: AnyTask, *, trained_aux: Sequence[str], mixup: float, cutmix: float) -> StepLoss:
    """What a task's steps compute.

    Args:
        task: Gives the loss.
        trained_aux: The auxiliary heads that train. A `PlaceTask` does with them what it will.
        mixup: The α of mixup; 0: off, as always for a `PlaceTask`.
        cutmix: The α of CutMix; 0: off, likewise.
    """
    if isinstance(task, PlaceTask):
        return partial(_of_places, task)
    return partial(_of_labels, task, trained_aux, mixup, cutmix)


def targets_on(targets: Any, device: torch.device) -> Any:
    """The targets of a batch, a tensor or a list with tensors for each picture, on a device."""
    if isinstance(targets, torch.Tensor):
        return runtime.to_device(targets, device)
    return [type(of_one)(*(runtime.to_device(part, device) for part in of_one)) for of_one in targets]


def _of_places(
    task: PlaceTask, network: Any, images: torch.Tensor, targets: Any, seed: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(task, ScheduledTask):
        task = task.at_step(seed[-1])
    return task.loss(network, images, targets)


def _of_labels(
    task: LabelTask,
    trained_aux: Sequence[str],
    mixup: float,
    cutmix: float,
    network: ClassificationNetwork,
    images: torch.Tensor,
    labels: torch.Tensor,
    seed: tuple[int, ...],
) -> tuple[torch.Tensor, torch.Tensor]:
    """The losses for both labels where pictures are mixed with each other, and those of auxiliary heads that train."""
    targets = [(1.0, labels)]
    if mixup or cutmix:
        mixed = mix(images, labels, mixup=mixup, cutmix=cutmix, seed=seed)
        images, targets = mixed.images, [(mixed.share, mixed.labels), (1 - mixed.share, mixed.others)]
    if trained_aux:
        logits, aux = network.forward_with_aux(images)
        outputs = [(1.0, logits), *((network.aux_weight, aux[name]) for name in trained_aux)]
    else:
        outputs = [(1.0, network(images))]
    losses = [weight * share * task.loss(logits, target) for weight, logits in outputs for share, target in targets]
    return sum(losses[1:], start=losses[0]), task.score(outputs[0][1].detach(), labels)
