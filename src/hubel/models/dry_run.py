"""A network run on shapes alone: no arithmetic, and nothing of the network changes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Called with each operation (an `OpOverload`), what it was given and what it returned."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether torch imports its compiler, which takes seconds, to keep it out of here; nothing here is compiled."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self.saw(func, args, kwargs or {}, output)
        return output


def empty_image(model: nn.Module, input_size: Sequence[int]) -> Tensor:
    """An image (1, *input_size) without values, of the model's number type."""
    dtype = next((parameter.dtype for parameter in model.parameters()), None)
    return torch.empty(1, *input_size, device="meta", dtype=dtype)


def dry_run(model: nn.Module, image: Tensor, watch: Watch | None = None) -> Any:
    """What a model makes of an image without values; its parameters and buffers count as shapes.

    Args:
        model: Any module that takes the image.
        image: On the meta device.
        watch: Sees the model run and nothing else.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    with watch or nullcontext():
        return functional_call(model, shapes, (image,))
