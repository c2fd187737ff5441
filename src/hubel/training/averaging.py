"""A moving average of the weights, which is often better than where the last steps have led.

Polyak and Juditsky 1992, doi:10.1137/0330046; exponential as in Tarvainen and Valpola 2017, arXiv:1703.01780.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """An exponential moving average of a network's weights; its `module` is the averaged network.

    Until many steps are done the decay is lower, (1 + n) / (10 + n) after n of them, so that the average forgets where
    it began. Buffers, such as BatchNorm's statistics, are those of the network itself.

    Args:
        network: What is averaged; `update_parameters(network)` takes its weights in.
        decay: Of the average, 0 to 1; 0: no average.
    """
    if decay == 0:
        return None

    @torch.no_grad()
    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Any) -> None:
        done = float(steps)
        torch._foreach_lerp_(list(averaged), list(current), 1 - min(decay, (1 + done) / (10 + done)))

    return AveragedModel(network, multi_avg_fn=average)
