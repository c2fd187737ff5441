"""The loss of one step: a task whose loss changes in the course of training is asked at that step."""

from __future__ import annotations

import torch

from hubel.config import GenerativeConfig
from hubel.models import build_model
from hubel.tasks.reconstruction import ReconstructionTask
from hubel.training.step_loss import step_loss_of


def test_a_scheduled_task_is_asked_at_the_step():
    torch.manual_seed(0)
    network = build_model("vae", in_channels=1, size=16, widths=(8,), code_size=3).eval()  # codes are their means
    x = torch.rand(5, 1, 16, 16)
    task = ReconstructionTask(GenerativeConfig(beta=2.0, kl_warmup=4), beta=2.0)
    compute = step_loss_of(task, trained_aux=(), mixup=0.0, cutmix=0.0)
    losses = [compute(network, x, None, (7, step))[0] for step in (0, 2, 4, 5)]
    assert torch.equal(losses[0], task.at_step(0).loss(network, x, None)[0])
    assert losses[0] < losses[1] < losses[2]
    assert torch.equal(losses[2], losses[3])
