import platform

import pytest
import torch

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
