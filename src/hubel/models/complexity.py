"""What a network costs: parameters, multiplications, values, receptive fields, layer by layer.

One forward pass on torch's meta device, so without arithmetic or memory; every operation that runs is seen,
and belongs to the innermost layer that runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from hubel.models.dry_run import Watch, dry_run, empty_image
from hubel.models.evaluating import evaluating
from hubel.models.network import Staged
from hubel.models.receptive_field import Field, Span, propagate


@dataclass(frozen=True)
class LayerComplexity:
    """What one layer, or one stage, costs for one image.

    Attributes:
        name: Its path in the network.
        kind: Its class.
        output_shape: Of its output, without the batch; (C, H, W) for a map.
        parameters: How many values can be trained.
        macs: Multiply-accumulates (FLOPs are twice as many) of convolutions, linear layers and matrix
            products.
        activations: How many values its output has, 0 where it only changes or rearranges what came
            (normalisation, activation functions, dropout, flattening, pooling to the size that the map has).
        receptive_field: Height and width in input pixels of what one value of its output depends on.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activations: int
    receptive_field: tuple[int, int]


@dataclass(frozen=True)
class Complexity:
    """What a network costs for one image.

    Attributes:
        input_size: Channels, height and width of the image.
        layers: Every layer in the order of the computation.
        stages: The network's stages and its head, where it has stages.
        auxiliary_parameters: Parameters of the auxiliary heads, which only training uses; `parameters` is without them.
    """

    input_size: tuple[int, int, int]
    layers: tuple[LayerComplexity, ...]
    stages: tuple[LayerComplexity, ...]
    auxiliary_parameters: int = 0

    def __repr__(self) -> str:
        """The sums; `layers` and `stages` have a row each."""
        size = "×".join(map(str, self.input_size))
        sums = f"{self.parameters:,} parameters, {self.macs:,} MACs, {self.activations:,} activations"
        return f"Complexity({size}: {sums}, {len(self.layers)} layers)"

    @property
    def parameters(self) -> int:
        """Parameters of all layers that prediction uses."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        """Values of all layers' outputs, without the input."""
        return sum(layer.activations for layer in self.layers)


@runtime_checkable
class CountsItself(Protocol):
    """A layer that knows its multiplications better than its operations tell."""

    def multiplications(self, output: Sequence[int]) -> int:
        """Multiply-accumulates for an output of this shape, which has a batch of 1."""


def complexity(model: nn.Module, input_size: tuple[int, int, int]) -> Complexity:
    """Measure a network.

    Args:
        model: Any module that takes images (N, C, H, W); it is not changed.
        input_size: Channels, height and width of the image.

    Raises:
        ValueError: The network does not take this input.
    """
    tally, _ = _observe(model, input_size)
    layers = tuple(_rows(model, tally))
    auxiliary = sum(parameter.numel() for parameter in _auxiliary(model).parameters())
    return Complexity(input_size, layers, tuple(_stage_rows(model, tally, layers)), auxiliary)


def output_field(model: nn.Module, input_size: tuple[int, int, int]) -> Field:
    """What the output's values depend on, down and across, followed through every operation.

    Args:
        model: Any module that takes images (N, C, H, W) and returns a tensor; it is not changed.
        input_size: Channels, height and width of the image.
    """
    tally, output = _observe(model, input_size)
    return tally.fields[id(output)]


@torch.inference_mode(False)  # in inference mode torch does not take operations apart, and they go by other names
@torch.no_grad()
def _observe(model: nn.Module, input_size: tuple[int, int, int]) -> tuple[_Tally, Any]:
    """One forward pass without arithmetic: what was seen, and what came out."""
    tally = _Tally()
    image = empty_image(model, input_size)
    height, width = input_size[1:]
    tally.follow(image, (Span(0, 0, 1, height), Span(0, 0, 1, width)))
    with evaluating(model), tally.watching(model):
        output = dry_run(model, image, tally)
    return tally, output


def _auxiliary(model: nn.Module) -> nn.Module:
    """The heads that prediction leaves alone."""
    return model.aux_heads if isinstance(model, Staged) else nn.ModuleDict()


@dataclass
class _Record:
    """What was seen of one module."""

    output_shape: tuple[int, ...] = ()
    receptive_field: tuple[int, int] = (0, 0)
    macs: int = 0
    activations: int = 0
    makes_values: bool = False


class _Tally(Watch):
    """Sees every operation; knows which module runs it and what its tensors depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, _Record] = {}
        self.running: list[str] = []
        self.fields: dict[int, Field] = {}
        self.seen: list[Tensor] = []  # alive, so that no other tensor gets its id

    def follow(self, tensor: Tensor, dependence: Field) -> None:
        self.fields[id(tensor)] = dependence
        self.seen.append(tensor)

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(first, Tensor):
            return
        schema = operation._schema
        values = {argument.name: argument.default_value for argument in schema.arguments}
        values |= dict(zip(values, args, strict=False)) | kwargs
        dependences = [self.fields[id(tensor)] for tensor in _tensors_in(values) if id(tensor) in self.fields]
        if dependences:
            dependence = propagate(schema.name, values, dependences, first)
            for tensor in output if isinstance(output, tuple | list) else [output]:
                self.follow(tensor, dependence)
        record = self.records[self.running[-1]]
        macs = _macs(schema.name, values, first)
        record.macs += macs
        record.makes_values |= macs > 0 or ("pool" in schema.name and not _is_identity(schema.name, values, first))

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Follow which module runs, and what each returns."""
        with ExitStack() as hooks:
            for name, module in model.named_modules():
                self.records[name] = _Record()
                hooks.enter_context(module.register_forward_pre_hook(partial(self.enter, name)))
                hooks.enter_context(module.register_forward_hook(partial(self.leave, name)))
            yield

    def enter(self, name: str, module: nn.Module, given: Any) -> None:
        """Note that a module begins."""
        self.running.append(name)

    def leave(self, name: str, module: nn.Module, given: Any, output: Any) -> None:
        """Note what a module returned."""
        self.running.pop()
        record = self.records[name]
        if not isinstance(output, Tensor):
            return
        record.output_shape = tuple(output.shape[1:])
        if id(output) in self.fields:
            high, wide = self.fields[id(output)]
            record.receptive_field = (high.size, wide.size)
        if isinstance(module, CountsItself):
            record.macs = module.multiplications(output.shape)
            record.makes_values = True
        if record.makes_values:
            record.activations += output.numel()


def _is_identity(operation: str, values: Mapping[str, Any], output: Tensor) -> bool:
    """Whether an operation is a pooling to a given size that comes at that size already."""
    return "adaptive" in operation and bool(values["self"].shape == output.shape)


def _macs(operation: str, values: Mapping[str, Any], output: Tensor) -> int:
    """Multiply-accumulates of one operation."""
    if operation == "aten::convolution":
        weight = values["weight"]  # (C_out, C_in / groups, ...), transposed: (C_in, C_out / groups, ...)
        places = values["input"] if values["transposed"] else output
        return int(weight.numel() * places[0, 0].numel() * places.shape[0])
    if operation in ("aten::mm", "aten::bmm"):
        return int(output.numel() * values["self"].shape[-1])
    if operation in ("aten::addmm", "aten::baddbmm"):
        factor = values.get("mat1", values.get("batch1"))
        return int(output.numel() * factor.shape[-1])
    return 0


def _tensors_in(values: Mapping[str, Any]) -> Iterator[Tensor]:
    for value in values.values():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Tensor):
                yield item


def _rows(model: nn.Module, tally: _Tally) -> Iterator[LayerComplexity]:
    """A row for every module that is a layer: that has no parts, or parameters or products of its own."""
    counted: set[nn.Parameter] = set(_auxiliary(model).parameters())
    for name, module in model.named_modules():
        record = tally.records[name]
        own = set(module.parameters(recurse=False)) - counted
        counted |= own
        is_leaf = not any(module.children()) and record.output_shape and not isinstance(module, nn.Identity)
        if is_leaf or own or record.macs:
            yield _row(name, module, record, sum(parameter.numel() for parameter in own))


def _row(name: str, module: nn.Module, record: _Record, parameters: int) -> LayerComplexity:
    return LayerComplexity(
        name=name,
        kind=type(module).__name__,
        output_shape=record.output_shape,
        parameters=parameters,
        macs=record.macs,
        activations=record.activations,
        receptive_field=record.receptive_field,
    )


def _stage_rows(model: nn.Module, tally: _Tally, layers: tuple[LayerComplexity, ...]) -> Iterator[LayerComplexity]:
    if not isinstance(model, Staged):
        return
    for path in (*(f"stages.{name}" for name, _ in model.stages.named_children()), "head"):
        inside = [layer for layer in layers if f"{layer.name}.".startswith(f"{path}.")]
        record = tally.records[path]
        yield LayerComplexity(
            name=path.removeprefix("stages."),
            kind="stage" if path != "head" else "head",
            output_shape=record.output_shape,
            parameters=sum(layer.parameters for layer in inside),
            macs=sum(layer.macs for layer in inside),
            activations=sum(layer.activations for layer in inside),
            receptive_field=record.receptive_field,
        )
