"""How deep a network is: its weight layers on the longest way from the input to the output.

Networks are named after this number: ResNet-50, VGG-19, DenseNet-121. What lies beside the longest way, such as a
projection shortcut or the shorter branches of an inception module, does not count. Convolutions, transposed ones
included, and linear layers do, and layers with weights of another kind (LeNet-5's subsampling); normalisation does not.
A depthwise convolution and the 1×1 convolution behind it are one layer, as Chollet 2016 (arXiv:1610.02357, figure 5)
counts them.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from hubel.models.complexity import CountsItself
from hubel.models.dry_run import Watch


def weight_layers(model: nn.Module, input_size: tuple[int, int, int]) -> int:
    """Count the weight layers on the longest way from the input to the output.

    Args:
        model: A network whose tensors are on the meta device, in evaluation mode.
        input_size: Channels, height and width of the image.

    Raises:
        ValueError: The network does not take this input.
    """
    tally = _Tally()
    with ExitStack() as hooks:
        for module in filter(_has_weights, model.modules()):
            hooks.enter_context(module.register_forward_pre_hook(tally.enter))
            hooks.enter_context(module.register_forward_hook(tally.leave))
        with torch.no_grad(), tally:
            output = model(torch.empty(1, *input_size, device="meta"))
    return tally.depth_of([output])


def _has_weights(module: nn.Module) -> bool:
    """Whether a module is a layer with weights; of a depthwise separable convolution, only the 1×1 part is one."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return module.groups < module.in_channels or module.in_channels == 1
    return isinstance(module, nn.Linear | CountsItself)


class _Tally(Watch):
    """Knows of every tensor how many weight layers lie before it."""

    def __init__(self) -> None:
        super().__init__()
        self.depths: dict[int, int] = {}
        self.entered: list[int] = []
        self.seen: list[Tensor] = []  # alive, so that no other tensor gets its id

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        depth = self.depth_of([*args, *kwargs.values()])
        for tensor in output if isinstance(output, tuple | list) else [output]:
            self.note(tensor, depth)

    def enter(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        self.entered.append(self.depth_of(given))

    def leave(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        self.note(output, self.entered.pop() + 1)

    def note(self, tensor: Any, depth: int) -> None:
        if isinstance(tensor, Tensor):
            self.depths[id(tensor)] = max(depth, self.depths.get(id(tensor), 0))
            self.seen.append(tensor)

    def depth_of(self, values: Any) -> int:
        """The greatest depth of the tensors among some values."""
        tensors = [item for value in values for item in (value if isinstance(value, list | tuple) else [value])]
        return max((self.depths.get(id(tensor), 0) for tensor in tensors), default=0)
