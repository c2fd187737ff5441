"""Timing forward passes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hubel.errors import ConfigError
from hubel.inference.latency import Latency, measure_latency


class Watched(nn.Module):
    """Notes the shape and the memory format of every batch that has values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.seen: list[tuple[tuple[int, ...], bool]] = []

    def __deepcopy__(self, memo: object) -> Watched:
        return self

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "meta":
            self.seen.append((tuple(x.shape), x.is_contiguous(memory_format=torch.channels_last)))
            assert torch.is_inference_mode_enabled()
            assert not self.training
        return self.conv(x)


def test_every_batch_is_measured_as_often_as_asked():
    network = Watched()
    one, four = measure_latency(network, (3, 8, 8), batches=(1, 4), repeats=5)
    assert (one.device, one.batch, four.batch) == ("cpu", 1, 4)
    assert len(one.seconds) == len(four.seconds) == 5
    assert min(one.seconds + four.seconds) > 0
    shapes = [shape for shape, _ in network.seen]
    assert shapes == [(1, 3, 8, 8)] * (3 + 5) + [(4, 3, 8, 8)] * (3 + 5)  # three passes come before those that count
    assert all(channels_last for _, channels_last in network.seen)


def test_threads_are_those_that_were_set():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        (latency,) = measure_latency(nn.Conv2d(3, 4, 3), (3, 8, 8), repeats=1)
    finally:
        torch.set_num_threads(threads)
    assert latency.threads == 1
    assert latency.quartiles == (latency.median, latency.median)


def test_median_and_quartiles():
    latency = Latency("cpu", 1, 1, (0.5, 0.1, 0.2, 0.3, 9.0))
    assert latency.median == 0.3
    assert latency.quartiles == (0.2, 0.5)


def test_too_large_a_batch_is_said():
    class Large(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[0] > 1:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")
            return super().forward(x)

    with pytest.raises(ConfigError, match="memory of cpu does not suffice for batches of 4096: choose a smaller"):
        measure_latency(Large(3, 4, 3), (3, 8, 8), batches=(1, 4096), repeats=1)


def test_other_faults_stay_what_they_are():
    class Broken(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match=r"^something else$"):
        measure_latency(Broken(3, 4, 3), (3, 8, 8))


def test_a_device_that_is_not_here_is_said():
    with pytest.raises(ConfigError, match="device 'cuda:77' is not here"):
        measure_latency(nn.Conv2d(3, 4, 3), (3, 8, 8), device="cuda:77")
