"""Which layers train. A frozen layer is frozen: its parameters and its statistics stay bit for bit as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hubel.errors import ConfigError
from hubel.models.backbone import Backbone
from hubel.models.segmentation import SegmentationNetwork


def stages_of(network: nn.Module) -> dict[str, nn.Module]:
    """The stages that a phase may freeze, by name, in the order of the computation.

    Of a network on a backbone they are the backbone's: what follows (a decoder, a pyramid) is the task's own as the
    head is, and trains with it.

    Raises:
        ValueError: The network has neither stages nor a backbone.
    """
    backbone = getattr(network, "backbone", None)
    stages = backbone.stages if isinstance(backbone, Backbone) else getattr(network, "stages", None)
    if not isinstance(stages, nn.Module):
        raise ValueError(f"a {type(network).__name__} came: expected a network with stages or a backbone")
    own = network.encoder if isinstance(network, SegmentationNetwork) else None
    return {name: stage for name, stage in stages.named_children() if own is None or name in own}


def aux_heads_of(network: nn.Module) -> Mapping[str, nn.Module]:
    """The heads that only help to train, by the name of the stage whose map each takes."""
    heads = getattr(network, "aux_heads", None)
    return dict(heads.named_children()) if isinstance(heads, nn.Module) else {}


def trainable_stages(network: nn.Module, train: str) -> tuple[str, ...]:
    """Names of the stages that train.

    Args:
        network: The network.
        train: `"all"`, `"later"` (the later half of the stages that have parameters), `"head"` (no stage), or the name
            of the first stage that trains.

    Raises:
        ConfigError: The network has no such stage; its stages are listed.
    """
    stages = stages_of(network)
    names = list(stages)
    if train == "all":
        return tuple(names)
    if train == "head":
        return ()
    if train == "later":
        learn = [name for name, stage in stages.items() if next(stage.parameters(), None) is not None]
        train = learn[(len(learn) + 1) // 2] if len(learn) > 1 else names[0]
    if train not in names:
        raise ConfigError(
            f"there is no stage '{train}' to train from: expected all, later, head or one of {', '.join(names)}"
        )
    return tuple(names[names.index(train) :])


def layer_groups(network: nn.Module, stages: Iterable[str]) -> list[list[nn.Module]]:
    """The trainable layers in at most three groups, the earliest first; each learns at a rate of its own.

    Two groups of stages of (nearly) equal number and all that follows the stages, as in Howard and Ruder 2018
    (arXiv:1801.06146, section 3.2), whose groups are kept few so that the first still learns.
    """
    stages, all_stages, aux_heads = tuple(stages), stages_of(network), aux_heads_of(network)
    modules = [all_stages[name] for name in stages]
    others = {*all_stages.values(), *(head for name, head in aux_heads.items() if name not in stages)}
    half = len(modules) // 2
    return [group for group in (modules[:half], modules[half:], _without(network, others)) if group]


def _without(module: nn.Module, left_out: set[nn.Module]) -> list[nn.Module]:
    """The largest parts of a module in which there is nothing of what is left out."""
    if module in left_out:
        return []
    if not any(part in left_out for part in module.modules()):
        return [module] if next(module.parameters(), None) is not None else []
    return [part for child in module.children() for part in _without(child, left_out)]


class FrozenStages:
    """Freezes a network's stages for a phase and afterwards proves that they stayed as they were.

    An auxiliary head trains where the stage that it follows does: below a frozen stage it has nothing to teach.

    Args:
        network: The network; see `stages_of`.
        train: As for `trainable_stages`.
        freeze_batch_norm: Whether BatchNorm in the stages that train keeps its statistics, too.
    """

    def __init__(self, network: nn.Module, train: str, *, freeze_batch_norm: bool = False) -> None:
        self.network = network
        self.trained = trainable_stages(network, train)
        self.freeze_batch_norm = freeze_batch_norm
        self._stages, aux_heads = stages_of(network), aux_heads_of(network)
        self.trained_aux = tuple(name for name in aux_heads if name in self.trained or name not in self._stages)
        self.frozen = [module for name, module in self._stages.items() if name not in self.trained]
        self.frozen += [head for name, head in aux_heads.items() if name not in self.trained_aux]
        network.requires_grad_(True)
        for module in network.modules():
            if isinstance(module, Backbone):
                module.hold_norms()
        for module in self.frozen:
            module.requires_grad_(False)
        self._before = fingerprint(self.frozen)

    def set_training_mode(self) -> None:
        """Put what trains into training mode and what is frozen into evaluation mode."""
        self.network.train()
        for module in self.frozen:
            module.eval()
        if self.freeze_batch_norm:
            for stage in self._stages.values():
                for module in stage.modules():
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
