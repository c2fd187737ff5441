"""What an operation is called in a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hubel.models.drawing.observation import PART, Operation
from hubel.models.drawing.structure import Kind, Layer

_ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "_prelu_kernel": "PReLU",
    "silu": "SiLU",
    "gelu": "GELU",
    "elu": "ELU",
    "celu": "CELU",
    "mish": "Mish",
    "hardswish": "hard swish",
    "hardsigmoid": "hard sigmoid",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "_log_softmax": "log softmax",
}
_NORMALIZATIONS = {"batch_norm": "BatchNorm", "layer_norm": "LayerNorm", "group_norm": "GroupNorm"}
_MERGES = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "cat": "concatenate",
    "stack": "stack",
    "maximum": "maximum",
    "bmm": "matrix product",
    "mm": "matrix product",
}
_REARRANGEMENTS = {
    *("view", "_unsafe_view", "_reshape_alias", "reshape", "permute", "transpose", "t", "slice", "select", "clone"),
    *("contiguous", "expand", "squeeze", "unsqueeze", "flatten", "split", "split_with_sizes", "chunk", "unbind", PART),
    *("as_strided", "_to_copy", "copy", "alias", "detach", "roll", "constant_pad_nd", "reflection_pad2d"),
    *("replication_pad2d", "channel_shuffle", "native_channel_shuffle", "index_select", "cat", "stack", "lift_fresh"),
}
_PRODUCTS = ("addmm", "mm", "bmm", "baddbmm", "linear")


def merging(operation: Operation) -> str:
    """How an operation joins several inputs; for one that is not known, its name in ATen."""
    name = "attention" if "attention" in operation.name else operation.name
    return _MERGES.get(name, name.strip("_").replace("_", " "))


def scaled(operation: Operation) -> Layer | None:
    """What a sum does with its second input before: `x + 0.17 y`."""
    factor = operation.values.get("alpha", 1)
    if operation.name != "add" or factor == 1 or len(operation.inputs) != 2:
        return None
    return _layer_of(operation, "elementwise", f"× {factor:.3g}")


def layer(operation: Operation, modules: dict[str, nn.Module]) -> Layer:
    """An operation with one input, as a layer."""
    if operation.parts:
        return _whole_module(operation, modules[operation.path])
    kind, what, details = _described(operation)
    notes = _own_class(modules[operation.path]) if kind in ("convolution", "linear", "pooling") else ()
    return _layer_of(operation, kind, what, details, notes)


def _described(operation: Operation) -> tuple[Kind, str, tuple[str, ...]]:
    name, values = operation.name, operation.values
    if name in ("convolution", "_convolution"):
        return ("convolution", *_convolution(values, operation.shape))
    if name in _PRODUCTS:
        return "linear", "fully connected", (str(operation.shape[-1] if operation.shape else 1),)
    if pooling := _pooling(operation):
        return pooling
    if name in _REARRANGEMENTS:
        return "rearrangement", _rearranged(operation), ()
    if name.startswith("upsample") or name == "pixel_shuffle":
        factor = operation.shape[-1] / operation.given[-1]
        return "other", f"{'pixel shuffle' if name == 'pixel_shuffle' else 'upsample'} ×{factor:g}", ()
    return _elementwise(operation)


def _rearranged(operation: Operation) -> str:
    """What a rearrangement adds or takes away, nothing where all values stay."""
    if operation.name == "constant_pad_nd":
        return "zero padding"
    before, after = math.prod(operation.given), math.prod(operation.shape)
    if operation.name == "cat" and after > before:  # with values that do not come from the image
        return "padding"
    return PART if after < before else ""


def _elementwise(operation: Operation) -> tuple[Kind, str, tuple[str, ...]]:
    name, values = operation.name, operation.values
    kind: Kind = "elementwise" if operation.shape == operation.given else "other"
    if name == "hardtanh":
        low, high = values["min_val"], values["max_val"]
        return kind, "ReLU6" if (low, high) == (0, 6) else f"clamp to {low:g} … {high:g}", ()
    for part, word in _NORMALIZATIONS.items():
        if part in name:
            return kind, word, ()
    other = values.get("other")
    if name in ("add", "sub", "mul", "div") and not isinstance(other, Tensor):
        sign = {"add": "+", "sub": "-", "mul": "×", "div": "/"}[name]
        return kind, f"{sign} {other:.3g}", ()
    if name in ("add", "mul"):  # with a parameter, or with a constant tensor
        return kind, "+ weights" if name == "add" else "× weights", ()
    return kind, _ACTIVATIONS.get(name, name.strip("_").replace("_", " ")), ()


def _convolution(values: Any, shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    weight, groups, transposed = values["weight"], values["groups"], values["transposed"]
    kernel = "×".join(map(str, weight.shape[2:]))
    channels_in = weight.shape[0] if transposed else weight.shape[1] * groups
    depthwise = groups == channels_in > 1
    name = "transposed conv" if transposed else "depthwise conv" if depthwise else "conv"
    details = [str(shape[0])]
    if stride := _unless_one(values["stride"]):
        details.append(f"×{stride}" if transposed else f"/{stride}")
    if dilation := _unless_one(values["dilation"]):
        details.append(f"dilation {dilation}")
    if groups > 1 and not depthwise:
        details.append(f"{groups} groups")
    return f"{kernel} {name}", tuple(details)


def _pooling(operation: Operation) -> tuple[Kind, str, tuple[str, ...]] | None:
    name, values = operation.name, operation.values
    if name in ("mean", "amax") and len(operation.given) == 3 and _means_map(values.get("dim")):
        return "pooling", f"global {'max' if name == 'amax' else 'average'} pool", ()
    if "pool" not in name:
        return None
    which = "max" if "max" in name else "sum" if values.get("divisor_override") == 1 else "average"
    if "adaptive" in name:
        if operation.shape == operation.given:
            return "rearrangement", "pool", ()  # each value is its own window: nothing happens
        size = "×".join(map(str, operation.shape[1:]))
        return "pooling", f"{which} pool to {size}", ()
    kernel = list(values["kernel_size"])
    kernel = kernel * 2 if len(kernel) == 1 else kernel
    stride = _unless_one(values["stride"] or kernel)
    return "pooling", f"{'×'.join(map(str, kernel))} {which} pool", (f"/{stride}",) if stride else ()


def _means_map(dims: Sequence[int] | None) -> bool:
    """Whether these dimensions of (N, C, H, W) are height and width."""
    return dims is not None and {dim % 4 for dim in dims} == {2, 3}


def _unless_one(values: Sequence[int]) -> str:
    """`"2"` for (2, 2), `"2×1"` for (2, 1), nothing for (1, 1)."""
    if set(values) == {1}:
        return ""
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))


def _whole_module(operation: Operation, module: nn.Module) -> Layer:
    """A layer of several operations: called after the one that makes values, else after its class."""
    described = [_described(part) for part in operation.parts]
    same_shape = operation.shape == operation.given
    for wanted in ("convolution", "linear", "pooling"):
        for kind, what, details in described:
            if kind == wanted and not (kind == "pooling" and same_shape):
                notes = () if _is_torchs(module) else (_class_name(module),)
                return _layer_of(operation, kind, what, details, notes)
    if all(kind == "rearrangement" for kind, _, _ in described):
        return _layer_of(operation, "rearrangement", _class_name(module))
    if same_shape:
        return _layer_of(operation, "elementwise", _class_name(module))
    return _layer_of(operation, "other", _class_name(module), (_size(operation.shape),))


def _layer_of(
    operation: Operation, kind: Kind, what: str, details: tuple[str, ...] = (), notes: tuple[str, ...] = ()
) -> Layer:
    return Layer(kind=kind, what=what, details=details, notes=notes, shape=operation.shape, path=operation.path)


def _own_class(module: nn.Module) -> tuple[str, ...]:
    """The class of a layer of the network's own; nothing for torch's layers and for modules that have parts."""
    has_weights = any(True for _ in module.parameters(recurse=False))
    return (_class_name(module),) if has_weights and not any(module.children()) and not _is_torchs(module) else ()


def _is_torchs(module: nn.Module) -> bool:
    """Whether a module is one of torch's layers, or a variety of one."""
    return any(each.__module__.startswith("torch.nn.") and each is not nn.Module for each in type(module).__mro__)


def _class_name(module: nn.Module) -> str:
    name = type(module).__name__
    return name.removesuffix("2d") if _is_torchs(module) else name


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
