import platform
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

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


@pytest.mark.usefixtures("four_threads")
def test_one_thread_within_a_block_and_as_many_as_before_behind_it() -> None:
    with runtime.one_torch_thread():
        assert torch.get_num_threads() == 1
        with runtime.one_torch_thread():
            pass
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_threads_of_a_pool_that_begin_while_another_computes_alone_do_not_stay_so() -> None:
    together = Barrier(4)

    def work(number: int) -> int:
        with runtime.one_torch_thread():
            together.wait(timeout=60)  # all are in the block before the first one leaves it
            assert torch.get_num_threads() == 1
        return torch.get_num_threads()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == [4] * 8
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 4


@pytest.mark.usefixtures("four_threads")
def test_torch_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with runtime.torch_as_before():
        runtime.start(threads=2)
        torch.manual_seed(9)
    assert torch.get_num_threads() == 4
    assert torch.equal(torch.rand(2), expected)
