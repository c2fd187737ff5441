"""The loss of one step from the network's inputs: with mixed pictures and auxiliary heads where a run has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hubel.data.mixing import mix
from hubel.models.network import ClassificationNetwork
from hubel.tasks.task import Task


def step_loss(
    network: ClassificationNetwork,
    task: Task,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    trained_aux: Sequence[str],
    mixup: float,
    cutmix: float,
    seed: tuple[int, ...],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and outputs (N, outputs of the task) of normalised pictures (N, C, H, W) and their labels.

    Where pictures are mixed with each other, the loss is that for both labels; where auxiliary heads train, theirs are
    added, each with the network's weight for them.

    Args:
        network: In the mode that the phase wants.
        task: Gives the loss.
        images: Float.
        labels: As the task's loss takes them.
        trained_aux: The auxiliary heads that train.
        mixup: The α of mixup; 0: off.
        cutmix: The α of CutMix; 0: off.
        seed: Of the mixing.
    """
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
    return sum(losses[1:], start=losses[0]), outputs[0][1]
