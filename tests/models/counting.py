"""Two counts of multiply-accumulates that owe nothing to `hubel.models.complexity`."""

from __future__ import annotations

from collections import Counter
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def macs_by_torch(network: nn.Module, input_size: tuple[int, int, int]) -> dict[str, int]:
    """Half of what torch's counter of FLOPs sees, of every module that has any; the network's own name is ""."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.empty(1, *input_size, device="meta"))
    root = type(network).__name__
    counts = {name: sum(flops.values()) for name, flops in counter.get_flop_counts().items() if name != "Global"}
    assert all(flops % 2 == 0 for flops in counts.values())
    return {name.removeprefix(root).removeprefix("."): flops // 2 for name, flops in counts.items() if flops}


def macs_by_formula(network: nn.Module, input_size: tuple[int, int, int]) -> dict[str, int]:
    """Of every convolution k_h k_w C_in / groups C_out at each place of its output; of a linear layer in times out.

    A transposed convolution multiplies at each place of its input.
    """
    counts: Counter[str] = Counter()

    def count(name: str, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            places = given[0] if isinstance(layer, nn.ConvTranspose2d) else output
            (window_height, window_width), (height, width) = layer.kernel_size, places.shape[2:]
            weights = window_height * window_width * layer.in_channels // layer.groups * layer.out_channels
            counts[name] += height * width * weights
        elif isinstance(layer, nn.Linear):
            counts[name] += layer.in_features * layer.out_features

    handles = [
        layer.register_forward_hook(partial(count, name))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    ]
    with torch.no_grad():
        network(torch.empty(1, *input_size, device="meta"))
    for handle in handles:
        handle.remove()
    return dict(counts)
