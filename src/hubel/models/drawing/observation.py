"""Watches one forward pass on torch's meta device: which operation takes whose output, and which module runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hubel.models.dry_run import Watch, dry_run, empty_image
from hubel.models.evaluating import evaluating
from hubel.models.network import ClassificationNetwork

IMAGE = 0
PART = "part"  # the name of one output of an operation that divides a tensor


@dataclass(frozen=True)
class Operation:
    """One operation on what comes from the image.

    Attributes:
        number: Grows in the order of the computation; `IMAGE` is the image itself.
        name: As ATen has it, without `aten::` and the underscore of those that work in place; `"part"` for one output
            of an operation that divides a tensor; `"module"` for all operations of one run of a layer together.
        inputs: The operations whose outputs it takes, in the order of its arguments.
        shape: Of its output, without the batch.
        given: Of its first input that comes from the image, without the batch.
        path: The innermost module that runs it.
        values: Its arguments by name.
        parts: The operations of a `"module"`.
    """

    number: int
    name: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    given: tuple[int, ...] = ()
    path: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parts: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class Flow:
    """What was seen.

    Attributes:
        operations: By number, in the order of the computation.
        ends: Of each module that takes one tensor and returns one: the operations that they come from.
        output: The operation that returns the network's output.
    """

    operations: dict[int, Operation]
    ends: dict[str, tuple[int, int]]
    output: int


def observe(network: nn.Module, input_size: tuple[int, int, int]) -> Flow:
    """Watch a network in evaluation mode, its auxiliary heads included; it is not changed.

    Raises:
        ValueError, RuntimeError: The network does not take this input.
    """
    watch = _Operations()
    image = empty_image(network, input_size)
    watch.came_from(Operation(IMAGE, "image", (), input_size), [image])
    everything = _Everything(network)
    with torch.no_grad(), evaluating(everything), watch.watching(network):
        output = dry_run(everything, image, watch)
    first = next(iter(_tensors_in([output])), None)
    if first is None or id(first) not in watch.producers:
        raise ValueError("the network's output does not depend on the image")
    return watch.flow(watch.producers[id(first)])


class _Everything(nn.Module):
    """A network that also runs its auxiliary heads."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Any:
        """Whatever the network returns, the logits first."""
        if isinstance(self.network, ClassificationNetwork):
            return self.network.forward_with_aux(image).logits
        return self.network(image)


class _Operations(Watch):
    """Notes every operation that takes, at first or second hand, the image."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.producers: dict[int, int] = {}  # by the tensor's id
        self.alive: list[Tensor] = []  # so that no other tensor gets its id
        self.running: list[tuple[str, int]] = [("", 0)]  # path, and which run it is
        self.runs = 0
        self.leaf_runs: dict[int, list[int]] = {}
        self.ends: dict[str, tuple[int, int]] = {}

    def came_from(self, operation: Operation, tensors: list[Tensor]) -> None:
        self.operations.append(operation)
        for tensor in tensors:
            self.producers[id(tensor)] = operation.number
            self.alive.append(tensor)

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        schema = operation._schema
        values = {argument.name: argument.default_value for argument in schema.arguments}
        values |= dict(zip(values, args, strict=False)) | kwargs
        sources = [tensor for tensor in _tensors_in(values.values()) if id(tensor) in self.producers]
        numbers = tuple(self.producers[id(tensor)] for tensor in sources)
        given = tuple(sources[0].shape[1:]) if sources else ()
        results = list(_tensors_in([output]))
        if not numbers or not results:
            return
        name = schema.name.removeprefix("aten::").rstrip("_")
        if str(schema.returns[0].type) == "List[Tensor]":  # split, chunk, unbind
            whole = self.note(name, numbers, given, given, values, [])
            for part in results:
                self.note(PART, (whole,), tuple(part.shape[1:]), given, {}, [part])
        else:
            self.note(name, numbers, tuple(results[0].shape[1:]), given, values, results)

    def note(
        self,
        name: str,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        given: tuple[int, ...],
        values: Mapping[str, Any],
        tensors: list[Tensor],
    ) -> int:
        """Note an operation that the running module does; its number."""
        path, run = self.running[-1]
        number = len(self.operations)
        self.came_from(Operation(number, name, inputs, shape, given, path, values), tensors)
        if run in self.leaf_runs:
            self.leaf_runs[run].append(number)
        return number

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Follow which module runs, and what each takes and returns."""
        with ExitStack() as hooks:
            for name, module in model.named_modules():
                hooks.enter_context(module.register_forward_pre_hook(partial(self.enter, name)))
                hooks.enter_context(module.register_forward_hook(partial(self.leave, name)))
            yield

    def enter(self, path: str, module: nn.Module, given: Any) -> None:
        """Note that a module begins, and where its input comes from before it can be changed in place."""
        self.runs += 1
        self.running.append((path, self.runs))
        if not any(module.children()):
            self.leaf_runs[self.runs] = []
        first = next(iter(_tensors_in(given)), None)
        if first is not None and id(first) in self.producers:
            self.ends[path] = (self.producers[id(first)], -1)

    def leave(self, path: str, module: nn.Module, given: Any, output: Any) -> None:
        """Note where what a module returns comes from."""
        self.running.pop()
        start, _ = self.ends.get(path, (-1, -1))
        if start >= 0 and isinstance(output, Tensor) and id(output) in self.producers:
            self.ends[path] = (start, self.producers[id(output)])
        else:
            self.ends.pop(path, None)

    def flow(self, output: int) -> Flow:
        """What was seen, the operations of each run of a layer taken together."""
        together = {number: run[-1] for run in self.leaf_runs.values() for number in run}
        runs = {run[-1]: run for run in self.leaf_runs.values() if len(run) > 1}
        operations = {}
        for operation in self.operations:
            number = operation.number
            if together.get(number, number) != number:
                continue
            if run := runs.get(number):
                operation = _as_one([self.operations[part] for part in run])
            inputs = tuple(together.get(source, source) for source in operation.inputs)
            operations[number] = replace(operation, inputs=inputs)
        ends = {path: (together.get(a, a), together.get(b, b)) for path, (a, b) in self.ends.items()}
        return Flow(operations, ends, together.get(output, output))


def _as_one(parts: list[Operation]) -> Operation:
    """All operations of one run of a layer."""
    own = {part.number for part in parts}
    inputs = dict.fromkeys(source for part in parts for source in part.inputs if source not in own)
    return replace(parts[-1], name="module", inputs=tuple(inputs), given=parts[0].given, parts=tuple(parts))


def _tensors_in(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors_in(value)
        elif isinstance(value, dict):
            yield from _tensors_in(value.values())
