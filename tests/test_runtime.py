import platform

import pytest
import torch
from tests.apple_gpu import on_apple_gpu

from hubel import runtime
from hubel.errors import ConfigError


def test_the_allocator_is_left_alone_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBEL_MALLOC", "default")
    assert runtime.keep_freed_memory() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_the_allocator_keeps_freed_memory_on_glibc() -> None:
    assert runtime.keep_freed_memory() is True


def test_devices() -> None:
    assert runtime.choose_device("cpu") == torch.device("cpu")
    assert runtime.choose_device().type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "cpux"])
def test_a_device_that_is_not_here_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"device '{name}' is not here: this machine has .*cpu"):
        runtime.choose_device(name)


def test_double_precision_is_the_cpus_where_the_device_has_none() -> None:
    values = torch.rand(3)
    assert torch.equal(runtime.in_float64(values), values.double())
    there = on_apple_gpu(values)
    with pytest.raises(TypeError, match="MPS"):
        there.double()
    assert not runtime.has_float64(there.device)
    back = runtime.in_float64(there)
    assert back.device.type == "cpu"
    assert torch.equal(back, values.double())
