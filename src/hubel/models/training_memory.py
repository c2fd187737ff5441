"""What a step of training keeps in memory, counted without running it.

The backward pass needs values of the forward pass, and autograd keeps them: the input of every convolution, the output
of every ReLU, the indices of every max pool. One training forward pass on torch's meta device shows which, and how
large they are; tensors that share their memory, as in-place operations do, are counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hubel.models.network import Staged

# AdamW keeps two moments of every gradient (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2).
ADAMW_MOMENTS = 2

# BatchNorm cannot train on one value per channel, which is what some heads make of one image.
_IMAGES = 2


@dataclass(frozen=True)
class TrainingMemory:
    """What one step of training keeps, in bytes.

    Attributes:
        parameters: Of the whole network, auxiliary heads included, and its buffers.
        gradients: One for each parameter.
        optimizer: AdamW's two moments of each gradient.
        saved: What the forward pass keeps for the backward pass, the images included.
    """

    parameters: int
    gradients: int
    optimizer: int
    saved: int

    @property
    def total(self) -> int:
        """All of it. Left out: what comes and goes inside the step, and what the libraries need for themselves."""
        return self.parameters + self.gradients + self.optimizer + self.saved


def training_memory(model: nn.Module, input_size: tuple[int, int, int], *, batch: int = 1) -> TrainingMemory:
    """Count what a step of training with AdamW keeps in memory, auxiliary heads included.

    Args:
        model: A network whose tensors are on the meta device, with all parameters to be trained. It is left in
            training mode.
        input_size: Channels, height and width of the images.
        batch: Images in a step.

    Raises:
        ValueError: The network does not take this input.
    """
    parameters = sum(_bytes(parameter) for parameter in model.parameters())
    buffers = sum(_bytes(buffer) for buffer in model.buffers())
    return TrainingMemory(
        parameters=parameters + buffers,
        gradients=parameters,
        optimizer=ADAMW_MOMENTS * parameters,
        saved=_saved_bytes(model, input_size) * batch // _IMAGES,
    )


def _saved_bytes(model: nn.Module, input_size: tuple[int, int, int]) -> int:
    """What autograd keeps of a forward pass of two images, without the parameters and buffers."""
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            saved[_storage(tensor)] = tensor.untyped_storage()  # alive, so that no other storage gets its address
        return tensor

    images = torch.empty(_IMAGES, *input_size, device="meta")
    model.train()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model.forward_with_aux(images) if isinstance(model, Staged) else model(images)
    del outputs
    return sum(storage.nbytes() for storage in saved.values())


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
