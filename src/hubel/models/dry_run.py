"""A network run on shapes alone: no arithmetic, and nothing of the network changes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


def empty_image(model: nn.Module, input_size: Sequence[int]) -> Tensor:
    """An image (1, *input_size) without values, of the model's number type."""
    dtype = next((parameter.dtype for parameter in model.parameters()), None)
    return torch.empty(1, *input_size, device="meta", dtype=dtype)


def dry_run(model: nn.Module, image: Tensor, watch: AbstractContextManager[Any] | None = None) -> Any:
    """What a model makes of an image without values; its parameters and buffers count as shapes.

    Args:
        model: Any module that takes the image.
        image: On the meta device.
        watch: What sees the model run and nothing else, such as a `TorchDispatchMode`.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    with watch or nullcontext():
        return functional_call(model, shapes, (image,))
