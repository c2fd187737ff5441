"""In which numbers a run computes: bfloat16 autocast where the hardware multiplies these faster, else float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from hubel.models.complexity import complexity

Precision = Literal["float32", "bfloat16"]

# On a processor, small networks spend their time elsewhere, and grouped convolutions have no fast bfloat16 kernels:
# EfficientNet-Lite0 trains more slowly in it, ResNet-18 at nearly twice the speed (`benchmarks/training_step.py`).
_LEAST_MACS = 200_000_000
_MOST_IN_GROUPS = 0.01


def choose_precision(
    setting: Literal["auto", "float32", "bfloat16"],
    device: torch.device,
    network: nn.Module,
    input_size: Sequence[int],
) -> Precision:
    """What `auto` means for a network on a device.

    Args:
        setting: `auto`, or the answer.
        device: Where the network trains.
        network: The network.
        input_size: Channels, height and width of its input.

    Returns:
        `bfloat16` on a GPU that has it in hardware, and on a processor that has it (AVX-512 BF16 or AMX) for a network
        whose multiplications are dense: at least 200 million an image, at most 1 % of them in grouped convolutions.
    """
    if setting != "auto":
        return setting
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and _processor_has_bfloat16() and _is_dense(network, input_size):
        return "bfloat16"
    return "float32"


def _processor_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _is_dense(network: nn.Module, input_size: Sequence[int]) -> bool:
    channels, height, width = input_size
    layers = complexity(network, (channels, height, width)).layers
    modules = dict(network.named_modules())
    total = sum(layer.macs for layer in layers)
    grouped = sum(layer.macs for layer in layers if getattr(modules[layer.name], "groups", 1) > 1)
    return total >= _LEAST_MACS and grouped <= _MOST_IN_GROUPS * total
