"""How long a network takes on this machine, prepared as for prediction."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hubel import runtime
from hubel.errors import ConfigError
from hubel.models.folding import fold_batch_norm

# What torch says on CUDA and MPS, and on the CPU.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")

# The first forward passes choose algorithms and fill memory.
_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Forward passes of one network, one after the other.

    Attributes:
        device: Where.
        batch: Images in each.
        threads: Of torch on the CPU, whose number is fixed meanwhile; None on other devices.
        seconds: Of each.
    """

    device: str
    batch: int
    threads: int | None
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds of the median pass."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Seconds between which the middle half of the passes lies."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high


def measure_latency(
    network: nn.Module,
    input_size: tuple[int, int, int],
    *,
    device: str = "cpu",
    batches: Sequence[int] = (1,),
    repeats: int = 20,
) -> list[Latency]:
    """Time forward passes in float32, with BatchNorm folded and in the device's memory format, as prediction does.

    Every pass is waited for. The number of threads is what `hubel.runtime.start` has set.

    Args:
        network: On the CPU; it is not changed.
        input_size: Channels, height and width of the images.
        device: As for `hubel.runtime.choose_device`.
        batches: How many images a pass has; each is measured.
        repeats: How many passes are measured of each, after some that are not.

    Raises:
        ConfigError: The device is not there, or its memory does not suffice.
        ValueError: The network does not take this input.
    """
    place = runtime.choose_device(device)
    layout = runtime.memory_format(place)
    try:
        prepared = fold_batch_norm(network, input_size).to(place).to(memory_format=layout)
        return [_measure(prepared, input_size, place, batch, repeats) for batch in batches]
    except RuntimeError as error:
        if not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise ConfigError(
            f"the memory of {place} does not suffice for batches of {max(batches)}: choose a smaller one"
        ) from error


@torch.inference_mode()
def _measure(
    network: nn.Module, input_size: tuple[int, int, int], device: torch.device, batch: int, repeats: int
) -> Latency:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, *input_size, generator=generator).to(device)
    images = images.to(memory_format=runtime.memory_format(device))
    seconds = []
    for number in range(_WARM_UP + repeats):
        begun = time.perf_counter()
        network(images)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        if number >= _WARM_UP:
            seconds.append(time.perf_counter() - begun)
    threads = torch.get_num_threads() if device.type == "cpu" else None
    return Latency(str(device), batch, threads, tuple(seconds))
