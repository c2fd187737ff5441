"""The process that hubel runs in: its memory allocator, its threads, its device."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hubel.errors import ConfigError

if TYPE_CHECKING:
    import torch

# Parameters of mallopt(3), from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next allocation instead of returning it to the kernel.

    By default glibc maps every large activation anew and unmaps it again, and on a CPU the page faults cost more
    than the arithmetic (`benchmarks/training_step.py` prints both). Called when a verb or `hubel.train` starts,
    never at import. `HUBEL_MALLOC=default` leaves the allocator alone.

    Returns:
        Whether the allocator was changed: only on Linux with glibc.
    """
    if os.environ.get("HUBEL_MALLOC") == "default" or not _has_glibc():
        return False
    libc = ctypes.CDLL("libc.so.6")
    no_mapping = libc.mallopt(_M_MMAP_MAX, 0)
    no_trimming = libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never: the kept memory may exceed an int of bytes
    return bool(no_mapping and no_trimming)


def return_freed_memory() -> None:
    """Give what `keep_freed_memory` has kept back to the kernel, where the next work needs other sizes."""
    if _has_glibc():
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _has_glibc() -> bool:
    return platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"


def available_cpus() -> int:
    """How many processors this process may use (the scheduler's affinity mask)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(threads: int | None = None) -> None:
    """Prepare the process for arithmetic: the allocator's settings and torch's number of threads.

    Args:
        threads: None: `$OMP_NUM_THREADS` where it is set, else all processors that the process may use. A process that
            was forked from one with torch has one in any case.
    """
    import torch

    keep_freed_memory()
    if _forked_from_torch:
        return
    if threads is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or available_cpus())


@contextmanager
def torch_as_before() -> Iterator[None]:
    """Leave torch as it was, for whoever calls from a program of their own: what follows there is their business.

    That is its number of threads, its random numbers and the current GPU. What nobody uses any more is given up, which
    may be as much as a network with its optimiser: `torch.save` leaves cycles of references that hold all it has saved,
    until Python looks for such.
    """
    import torch

    with _Alone.lock:
        threads = _threads_outside_of_blocks()
    random = torch.get_rng_state()
    gpu, random_of_gpus = 0, list[torch.Tensor]()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # to ask more would begin it, and forbid to fork
        gpu, random_of_gpus = torch.cuda.current_device(), torch.cuda.get_rng_state_all()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(random)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.set_device(gpu)
            torch.cuda.set_rng_state_all(random_of_gpus)
        gc.collect()
        return_freed_memory()


class _Alone(threading.local):
    """Whether this thread is in a block of `one_torch_thread`, and what is known of all of them.

    A thread of Python's takes its number of torch's threads over when it first computes: one of a pool may do so while
    another is in such a block, and would stay with a single thread.
    """

    here = False
    lock = threading.Lock()
    threads_in_blocks = 0
    usual = 1  # number of torch's threads, where the first of these threads was before it


_alone = _Alone()
_forked_from_torch = False


def _begin_forked() -> None:
    """Go on in a forked process with the one thread that it has.

    For those that torch's operators had where it was forked from, GNU's OpenMP would wait for ever.
    """
    global _forked_from_torch
    _Alone.lock, _Alone.threads_in_blocks = threading.Lock(), 0
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):  # imported to its end
        _forked_from_torch = True
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_forked)


def _threads_outside_of_blocks() -> int:
    """How many threads torch has in this one of Python's when it is in no block; called with the lock."""
    import torch

    threads = torch.get_num_threads()
    if _Alone.threads_in_blocks == 0:
        _Alone.usual = threads
    return _Alone.usual if threads == 1 else threads


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch's operators without threads of their own, in this thread and in those that it starts meanwhile.

    For work on one picture at a time, which takes about 0.1 ms, and for arithmetic that memory limits: a second thread
    gains nothing there, and where another process has a core, waiting for it takes milliseconds.
    """
    import torch

    if _alone.here:
        yield
        return
    with _Alone.lock:
        threads = _threads_outside_of_blocks()
        _Alone.threads_in_blocks += 1
        torch.set_num_threads(1)
    _alone.here = True
    try:
        yield
    finally:
        _alone.here = False
        with _Alone.lock:
            _Alone.threads_in_blocks -= 1
            torch.set_num_threads(threads)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Make very many objects without Python's search for cycles among them: it takes a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def seed(device: torch.device, value: int) -> None:
    """Seed torch's generator of one device; `torch.manual_seed`, which seeds all, takes 0.1 ms and more."""
    import torch

    value %= 2**63
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)
    else:
        torch.default_generator.manual_seed(value)


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on.

    Args:
        name: `"auto"` (CUDA where there is one, else MPS where there is one, else the CPU), or a device that torch
            names, such as `"cpu"`, `"cuda"`, `"cuda:1"` or `"mps"`.

    Raises:
        ConfigError: The device is unknown or not there.
    """
    import torch

    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if name == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    count = torch.cuda.device_count() if device is not None and device.type == "cuda" else 1
    if device is None or device.type not in present or (device.index or 0) >= count:
        raise ConfigError(
            f"device '{name}' is not here: this machine has {', '.join(present)}; `--device auto` picks one"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)  # seeds and streams are those of the current device
    return device


def memory_format(device: torch.device) -> torch.memory_format:
    """The order in which a device's convolutions like their images: channels last, but on MPS.

    There, the backward pass of BatchNorm fails on channels_last in some releases (pytorch/pytorch#188371).
    """
    import torch

    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A batch's tensor on a device, without waiting where that is safe.

    On MPS a copy that does not wait may read memory that is free already (pytorch/pytorch#139550).
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def has_float64(device: torch.device) -> bool:
    """Whether a device computes in double precision: Apple's GPUs do not."""
    return device.type != "mps"


def in_float64(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in double precision: where it is, or on the CPU if its device has none."""
    return (tensor if has_float64(tensor.device) else tensor.cpu()).double()
