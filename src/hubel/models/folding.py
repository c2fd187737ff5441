"""BatchNorm folded into the convolution before it: in prediction both are linear, so one layer does the work of two.

Jacob et al. 2018, arXiv:1712.05877, section 3.2, equation 14: w' = γ w / √(σ² + ε), b' = β + γ (b - μ) / √(σ² + ε).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

import torch
from torch import Tensor, nn

from hubel.models.dry_run import Watch, dry_run, empty_image
from hubel.runtime import in_float64

Layer = TypeVar("Layer", bound=nn.Module)


@runtime_checkable
class Predicting(Protocol):
    """A block that can be computed faster in prediction than in training."""

    def for_prediction(self) -> nn.Module:
        """A module with the same outputs but for rounding, or the block itself.

        It is asked in evaluation mode, and after the BatchNorms behind convolutions have been folded into them.
        """


def fold_batch_norm(network: nn.Module, input_size: Sequence[int]) -> nn.Module:
    """A copy of a network, in evaluation mode, whose BatchNorms are folded into the convolutions that feed them.

    Which BatchNorm follows which convolution is observed in one forward pass without arithmetic. A pair is folded where
    each of the two runs once and nothing but the BatchNorm takes the convolution's output. A block that knows a faster
    way of its own (`Predicting`), such as one whose BatchNorms come before the convolutions, is then replaced.
    Everything else stays as it is.

    Args:
        network: Any module that takes images (N, C, H, W); it is not changed.
        input_size: Channels, height and width of an image that it takes.

    Returns:
        The copy; its outputs are the network's in evaluation mode but for rounding.
    """
    folded = copy.deepcopy(network).eval()
    for convolution, norm in foldable_pairs(folded, input_size):
        _fold(convolution, norm)
        _replace(folded, norm, _what_follows(norm))
    for module in list(folded.modules()):
        if isinstance(module, Predicting) and module is not folded:
            _replace(folded, module, module.for_prediction())
    return folded


def foldable_pairs(network: nn.Module, input_size: Sequence[int]) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """The convolutions and BatchNorms of a network in evaluation mode that can become one layer each."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return []
    return [
        (convolution, norm)
        for convolution, norm in _observe(network, input_size).pairs()
        if norm.running_mean is not None and _what_follows(norm) is not None
    ]


@torch.no_grad()
def _observe(network: nn.Module, input_size: Sequence[int]) -> _Uses:
    """What is seen in a forward pass without arithmetic: of no images, or of one without values.

    The first is tried first: for the shapes of tensors without values torch imports its compiler, which takes seconds.
    """
    try:
        with _Uses().of_layers(network) as uses, uses:
            network(next(network.parameters()).new_empty(0, *input_size))
    except (
        ArithmeticError,
        LookupError,
        RuntimeError,
        ValueError,
    ):  # a detector puts the boxes of its images together, and finds none
        with _Uses().of_layers(network) as uses:
            dry_run(network, empty_image(network, input_size), uses)
    return uses


class _Uses(Watch):
    """Sees which tensor comes from which convolution, and how many operations take it."""

    def __init__(self) -> None:
        super().__init__()
        self.made_by: dict[int, nn.Conv2d] = {}
        self.uses: Counter[int] = Counter()
        self.runs: Counter[nn.Module] = Counter()
        self.taken: list[tuple[int, nn.BatchNorm2d]] = []
        self.alive: list[Tensor] = []  # so that no other tensor gets its id

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        for value in (*args, *kwargs.values()):
            for item in value if isinstance(value, list | tuple) else [value]:
                if isinstance(item, Tensor):
                    self.uses[id(item)] += 1

    @contextmanager
    def of_layers(self, network: nn.Module) -> Iterator[Self]:
        """Learn of the convolutions and BatchNorms that run."""
        with ExitStack() as hooks:
            for convolution in _layers(network, nn.Conv2d):
                hooks.enter_context(convolution.register_forward_hook(self.convolved))
            for norm in _layers(network, nn.BatchNorm2d):
                hooks.enter_context(norm.register_forward_pre_hook(self.normalising))
            yield self

    def convolved(self, module: nn.Conv2d, given: Any, output: Tensor) -> None:
        self.runs[module] += 1
        self.made_by[id(output)] = module
        self.alive.append(output)
        self.uses[id(output)] = 0  # what an earlier tensor with this id was used for does not count

    def normalising(self, module: nn.BatchNorm2d, given: tuple[Tensor, ...]) -> None:
        self.runs[module] += 1
        if id(given[0]) in self.made_by:
            self.taken.append((id(given[0]), module))

    def pairs(self) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        for tensor, norm in self.taken:
            convolution = self.made_by[tensor]
            if self.uses[tensor] == self.runs[convolution] == self.runs[norm] == 1:
                yield convolution, norm


def _layers(network: nn.Module, kind: type[Layer]) -> list[Layer]:
    return [module for module in network.modules() if isinstance(module, kind)]


def _what_follows(norm: nn.Module) -> nn.Module | None:
    """What a BatchNorm does beside normalising: nothing, or in timm its activation; None where that is not known."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    drop, act = getattr(norm, "drop", None), getattr(norm, "act", None)
    return nn.Sequential(drop, act) if isinstance(drop, nn.Module) and isinstance(act, nn.Module) else None


@torch.no_grad()
def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Fold in float64, so that only the results are rounded."""
    mean, variance = (in_float64(cast(Tensor, buffer)) for buffer in (norm.running_mean, norm.running_var))
    scale = (variance + norm.eps).rsqrt()
    shift = -mean
    if convolution.bias is not None:
        shift = shift + in_float64(convolution.bias)
    if norm.affine:
        scale = scale * in_float64(norm.weight)
    bias = shift * scale + (in_float64(norm.bias) if norm.affine else 0)
    weight = in_float64(convolution.weight) * scale[:, None, None, None]
    given = convolution.weight
    convolution.weight = nn.Parameter(weight.to(given), requires_grad=False)
    convolution.bias = nn.Parameter(bias.to(given), requires_grad=False)


def _replace(network: nn.Module, old: nn.Module, new: nn.Module | None) -> None:
    """Put a module in another's place, wherever the network holds it."""
    assert new is not None
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)
