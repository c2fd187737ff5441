"""What a stage is made of, in the words of the papers' tables: `3 × [1×1 64, 3×3 64, 1×1 256]`.

Read off one forward pass on torch's meta device. A layer that takes what another one returned stands behind it;
layers that take the same tensor are branches, `[1×1 64 | 1×1 96, 3×3 128]`; what lies inside a module that occurs
several times in a row is told once. Convolutions are `kernel channels`, `/2` is a stride. Left out is what
every network has everywhere: normalisation, activation functions, identities, and the lone layer of a
shortcut, whose output is added to that of a longer way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from hubel.models.complexity import CountsItself
from hubel.models.dry_run import Watch
from hubel.models.network import Staged

# A layer is told as many times as it occurs in a row, up to this; blocks of several layers are counted from two.
_MOST_EQUAL_LAYERS = 2


def describe_stages(network: nn.Module, input_size: tuple[int, int, int]) -> dict[str, str]:
    """The layers of every stage and of the head, as text.

    Args:
        network: A network with stages (`Staged`) whose tensors are on the meta device, in evaluation mode.
        input_size: Channels, height and width of the image.

    Raises:
        ValueError: The network does not take this input.
    """
    assert isinstance(network, Staged)
    observer = _Observer()
    with torch.no_grad(), observer.watching(network), observer:
        network(torch.empty(1, *input_size, device="meta"))
    parts = {name: observer.parts[stage] for name, stage in network.stages.named_children()}
    parts["head"] = observer.parts[network.head]
    return {name: part.text() if part else "" for name, part in parts.items()}


@dataclass(frozen=True)
class _Layer:
    words: str
    stride: str = ""

    def text(self, *, strides: bool = True) -> str:
        return self.words + self.stride if strides else self.words


@dataclass(frozen=True)
class _Series:
    """Parts that stand one behind the other."""

    parts: tuple[_Part, ...]

    def text(self, *, strides: bool = True) -> str:
        """Equal neighbours are told once, and then without their strides: it is the first that halves a map."""
        texts = []
        for inside, equal in groupby(self.parts, key=lambda part: part.text(strides=False)):
            group = list(equal)
            if len(group) > (_MOST_EQUAL_LAYERS if isinstance(group[0], _Layer) else 1):
                bare = inside[1:-1] if isinstance(group[0], _Branches) else inside
                texts.append(f"{len(group)} × [{bare}]")
            else:
                texts.extend(part.text(strides=strides) for part in group)
        return ", ".join(texts)


@dataclass(frozen=True)
class _Branches:
    """Parts that take the same tensor."""

    parts: tuple[_Part, ...]

    def text(self, *, strides: bool = True) -> str:
        return f"[{' | '.join(part.text(strides=strides) for part in self.parts)}]"


_Part = _Layer | _Series | _Branches


@dataclass
class _Step:
    """A part that ran inside a module, and which of that module's steps it takes; none: the module's own input."""

    part: _Part
    takes: frozenset[int]


@dataclass
class _Frame:
    """One call of a module: its steps, and from which of them a tensor comes."""

    takes: frozenset[int] = frozenset()
    steps: list[_Step] = field(default_factory=list)
    origins: dict[int, frozenset[int]] = field(default_factory=dict)
    sums: list[tuple[frozenset[int], frozenset[int]]] = field(default_factory=list)

    def origin(self, values: Any) -> frozenset[int]:
        return frozenset().union(*(self.origins.get(id(tensor), frozenset()) for tensor in _tensors(values)))

    def part(self) -> _Part | None:
        """All steps but shortcuts: what joins several ways begins anew behind their branches."""
        shortcuts = set(self.shortcuts())
        followers: dict[int, list[int]] = {index: [] for index in range(len(self.steps))}
        joints: list[list[int]] = [[]]
        for index, step in enumerate(self.steps):
            if index in shortcuts:
                continue
            takes = step.takes - shortcuts
            if not takes:
                joints[0].append(index)
            elif len(takes) == 1:
                followers[min(takes)].append(index)
            else:
                joints.append([index])

        def onward(index: int) -> list[_Part]:
            return [self.steps[index].part, *_branches([onward(follower) for follower in followers[index]])]

        return _series([part for roots in joints for part in _branches([onward(root) for root in roots])])

    def shortcuts(self) -> Iterator[int]:
        """Lone layers on the module's input whose output is added to something longer."""
        for sides in self.sums:
            lone = [
                min(side)
                for side in sides
                if len(side) == 1 and isinstance(self.steps[min(side)].part, _Layer) and not self.steps[min(side)].takes
            ]
            if len(lone) == 1 and all(sides):
                yield lone[0]


def _branches(ways: list[list[_Part]]) -> list[_Part]:
    if len(ways) < 2:
        return ways[0] if ways else []
    return [_Branches(tuple(part for way in ways if (part := _series(way)) is not None))]


def _series(parts: list[_Part]) -> _Part | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return _Series(tuple(parts))


class _Observer(Watch):
    """Follows every tensor through the modules that run, each of which sees only its own steps."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = [_Frame()]
        self.parts: dict[nn.Module, _Part | None] = {}
        self.alive: list[Any] = []  # so that no other tensor gets its id

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        frame = self.frames[-1]
        if operation._schema.name in ("aten::add", "aten::add_") and isinstance(args[1], Tensor):
            frame.sums.append((frame.origin(args[0]), frame.origin(args[1])))
        self.note(frame, output, frame.origin([*args, *kwargs.values()]))

    def note(self, frame: _Frame, output: Any, origin: frozenset[int]) -> None:
        self.alive.append(output)
        for tensor in _tensors(output):
            frame.origins[id(tensor)] = origin

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        with ExitStack() as hooks:
            for module in network.modules():
                hooks.enter_context(module.register_forward_pre_hook(self.enter))
                hooks.enter_context(module.register_forward_hook(self.leave))
            yield

    def enter(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        self.frames.append(_Frame(takes=self.frames[-1].origin(given)))

    def leave(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        frame, outside = self.frames.pop(), self.frames[-1]
        part = _layer(module, given, output) or frame.part()
        self.parts[module] = part
        origin = frame.takes
        if part is not None:
            outside.steps.append(_Step(part, frame.takes))
            origin = frozenset({len(outside.steps) - 1})
        self.note(outside, output, origin)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _layer(module: nn.Module, given: tuple[Any, ...], output: Any) -> _Layer | None:
    """The words for a layer; None for what is none or goes without saying."""
    match module:
        case nn.Conv2d():
            grouped = module.groups > 1
            depthwise = grouped and module.groups == module.in_channels
            words = f"{_by(module.kernel_size)} {module.out_channels}"
            if grouped:
                words = f"depthwise {words}" if depthwise else f"{words} in {module.groups} groups"
            return _Layer(words, _stride(module.stride))
        case nn.ConvTranspose2d():
            return _Layer(f"transposed {_by(module.kernel_size)} {module.out_channels}", _stride(module.stride))
        case nn.Linear():
            return _Layer(f"linear {module.out_features}")
        case nn.MaxPool2d():
            return _Layer(f"max pool {_by(module.kernel_size)}", _stride(module.stride))
        case nn.AvgPool2d():
            return _Layer(f"average pool {_by(module.kernel_size)}", _stride(module.stride))
        case nn.AdaptiveAvgPool2d():
            size = _by(tuple(output.shape[2:]))
            if output.shape == given[0].shape:
                return None
            return _Layer("global average pool" if size == "1×1" else f"average pool to {size}")
        case nn.Dropout() | nn.Dropout2d():
            return _Layer(f"dropout {module.p:g}") if module.p else None
        case CountsItself():
            kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(module).__name__)
            return _Layer(f"{kind} {output.shape[1]}")
    return _Layer("LRN") if type(module).__name__ == nn.LocalResponseNorm.__name__ else None


def _by(size: int | tuple[int, ...]) -> str:
    """`3×3`."""
    high, wide = size if isinstance(size, tuple) else (size, size)
    return f"{high}×{wide}"


def _stride(stride: int | tuple[int, ...]) -> str:
    """` /2`, or nothing for 1."""
    steps = set(stride) if isinstance(stride, tuple) else {stride}
    if steps == {1}:
        return ""
    return f" /{min(steps)}" if len(steps) == 1 else f" /{_by(stride)}"
