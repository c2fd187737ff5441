"""Tensors on an Apple GPU, as far as a test without one can tell: float64 is refused there, as MPS refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

MPS = torch.device("mps")


class OnAppleGPU(Tensor):
    """A tensor that says it is on MPS, and so are all that are computed from it; `cpu()` and `to` bring it back."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == Tensor.device.__get__:
            return MPS
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func == Tensor.cpu or (func == Tensor.to and "cpu" in map(str, args)):
            return _plain(result)
        if isinstance(result, OnAppleGPU) and result.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
        return result

    def __deepcopy__(self, memo: Any) -> OnAppleGPU:
        return on_apple_gpu(_plain(self).clone())


class _WithAppleGPU(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        there = named.get("device") == MPS or (func == Tensor.to and MPS in args)
        if not there:
            return func(*args, **named)
        named.pop("device", None)
        return on_apple_gpu(func(*(each for each in args if not (isinstance(each, torch.device))), **named))


def on_apple_gpu(tensor: Tensor) -> OnAppleGPU:
    """A float32 tensor there."""
    return tensor.as_subclass(OnAppleGPU)


def _plain(tensor: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.as_subclass(Tensor)


@contextmanager
def apple_gpu() -> Iterator[None]:
    """A machine where tensors can be made on MPS, and moved there."""
    with _WithAppleGPU():
        yield


def move(network: nn.Module) -> None:
    """Move a network's parameters and buffers there."""
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            module._parameters[name] = on_apple_gpu(parameter.detach())  # type: ignore[assignment]
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_floating_point():
                module._buffers[name] = on_apple_gpu(buffer)
