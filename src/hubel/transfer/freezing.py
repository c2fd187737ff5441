"""Which layers train. A frozen layer is frozen: its parameters and its statistics stay bit for bit as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hubel.errors import ConfigError
from hubel.models.network import ClassificationNetwork


def trainable_stages(network: ClassificationNetwork, train: str) -> tuple[str, ...]:
    """Names of the stages that train.

    Args:
        network: The network.
        train: `"all"`, `"later"` (the later half of the stages that have parameters), `"head"` (no stage), or the name
            of the first stage that trains.

    Raises:
        ConfigError: The network has no such stage; its stages are listed.
    """
    names = [name for name, _ in network.stages.named_children()]
    if train == "all":
        return tuple(names)
    if train == "head":
        return ()
    if train == "later":
        learn = [name for name in names if next(network.stages.get_submodule(name).parameters(), None) is not None]
        train = learn[(len(learn) + 1) // 2] if len(learn) > 1 else names[0]
    if train not in names:
        raise ConfigError(
            f"there is no stage '{train}' to train from: expected all, later, head or one of {', '.join(names)}"
        )
    return tuple(names[names.index(train) :])


def layer_groups(network: ClassificationNetwork, stages: Iterable[str]) -> list[list[nn.Module]]:
    """The trainable layers in at most three groups, the earliest first; each learns at a rate of its own.

    Two groups of stages of (nearly) equal number and the heads, as in Howard and Ruder 2018 (arXiv:1801.06146,
    section 3.2), whose groups are kept few so that the first still learns.
    """
    stages = tuple(stages)
    modules = [network.stages.get_submodule(name) for name in stages]
    heads = [network.head, *(head for name, head in network.aux_heads.items() if name in stages)]
    half = len(modules) // 2
    return [group for group in (modules[:half], modules[half:], heads) if group]


class FrozenStages:
    """Freezes a network's stages for a phase and afterwards proves that they stayed as they were.

    An auxiliary head trains where the stage that it follows does: below a frozen stage it has nothing to teach.

    Args:
        network: The network.
        train: As for `trainable_stages`.
        freeze_batch_norm: Whether BatchNorm in the stages that train keeps its statistics, too.
    """

    def __init__(self, network: ClassificationNetwork, train: str, *, freeze_batch_norm: bool = False) -> None:
        self.network = network
        self.trained = trainable_stages(network, train)
        self.freeze_batch_norm = freeze_batch_norm
        self.trained_aux = tuple(name for name in network.aux_heads if name in self.trained)
        self.frozen = [module for name, module in network.stages.named_children() if name not in self.trained]
        self.frozen += [head for name, head in network.aux_heads.items() if name not in self.trained]
        network.requires_grad_(True)
        for module in self.frozen:
            module.requires_grad_(False)
        self._before = fingerprint(self.frozen)

    def set_training_mode(self) -> None:
        """Put what trains into training mode and what is frozen into evaluation mode."""
        self.network.train()
        for module in self.frozen:
            module.eval()
        if self.freeze_batch_norm:
            for module in self.network.stages.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def check(self) -> None:
        """Make sure that no frozen tensor has changed.

        Raises:
            RuntimeError: One has, which is a fault of hubel's.
        """
        if fingerprint(self.frozen) != self._before:
            raise RuntimeError("a frozen stage has changed during the phase")


def fingerprint(modules: Iterable[nn.Module]) -> str:
    """SHA-256 over all parameters and buffers of some modules."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
