"""Any classification network of timm (R. Wightman, doi:10.5281/zenodo.4414861), as stages and a head.

timm's networks differ in how they are written, but most of them run their parts one after the other. Which
parts those are is observed in one forward pass without arithmetic (on torch's meta device): the output of
each part is the very tensor that the next one takes. The parts are then grouped into stages. Where a network
is no such chain (transformers that add position embeddings in between, for example) it becomes one stage.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from hubel.errors import ConfigError, unknown_name
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import TIMM, ModelEntry

DEFAULT_SIZE = (3, 224, 224)


def timm_entry(name: str) -> ModelEntry:
    """What timm knows about the network `timm/<name>`.

    Raises:
        ConfigError: timm is not installed, or has no such network; the nearest names are offered.
    """
    if importlib.util.find_spec("timm") is None:
        raise ConfigError(f"'{name}' needs timm, which is not installed: `pip install 'hubel[timm]'`")
    import timm

    timm_name = name.removeprefix(TIMM)
    if not timm.is_model(timm_name):
        known = [TIMM + other for other in timm.list_models()]
        raise unknown_name("model", name, known, see="python -c 'import timm; print(timm.list_models())'")
    config = timm.get_pretrained_cfg(timm_name)
    channels, height, width = config.input_size if config else DEFAULT_SIZE
    input_size = (channels, height, width)
    fixed_size = bool(config and config.fixed_input_size)

    def build(**options: Any) -> TimmNetwork:
        return build_timm(timm_name, input_size, fixed_size=fixed_size, **options)

    return ModelEntry(
        name=name,
        task="classification",
        builder=build,
        input_size=input_size,
        fixed_size=fixed_size,
        source=f"timm {timm.__version__}, {timm_name}",
        summary="a network of timm",
    )


class TimmNetwork(ClassificationNetwork):
    """A timm network as stages and a head.

    A transformer has one stage, whose output is what timm's `forward_features` returns: tokens (N, T, C), or
    a map with its channels last.

    Attributes:
        timm_prefixes: For every prefix of this network's parameter names, timm's own prefix.
    """

    timm_prefixes: dict[str, str]


class Trunk(nn.Module):
    """What a timm network does before its head, where it is no chain of parts."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Images to timm's features."""
        return cast(Any, self.model).forward_features(x)  # type: ignore[no-any-return]


class TimmHead(nn.Module):
    """What a timm network does after its features: pooling and the like (`rest`), then the classifier."""

    def __init__(self, rest: nn.Module, out: nn.Linear) -> None:
        super().__init__()
        self.rest = rest
        self.out = out

    def forward(self, x: Tensor) -> Tensor:
        """Features to logits (N, num_classes)."""
        return cast(Tensor, self.out(self.before_out(x)))

    def before_out(self, x: Tensor) -> Tensor:
        """Features to the classifier's input (N, C)."""
        return cast(Any, self.rest).forward_head(x)  # type: ignore[no-any-return]


def build_timm(
    timm_name: str,
    input_size: tuple[int, int, int],
    *,
    fixed_size: bool,
    num_classes: int | None = None,
    in_channels: int | None = None,
    **options: Any,
) -> TimmNetwork:
    """Build a timm network with fresh weights and take it apart into stages and a head.

    Args:
        timm_name: timm's name.
        input_size: Its standard channels, height and width.
        fixed_size: Whether it takes only that size (or the one that its option `img_size` says).
        num_classes: Number of logits; None is timm's default.
        in_channels: Channels of the input; None is timm's default.
        options: timm's own options.

    Raises:
        ValueError: The network has no single linear classifier.
    """
    import timm

    if "pretrained" in options:
        raise ValueError("timm's `pretrained` came: give the weights with `weights=`")
    if num_classes is not None:
        options["num_classes"] = num_classes
    channels, height, width = in_channels or input_size[0], *input_size[1:]
    model = timm.create_model(timm_name, in_chans=channels, **options)
    if isinstance(side := options.get("img_size"), int):
        height = width = side
    elif side is not None:
        height, width = side
    out, out_path = _classifier(model, timm_name)
    run = _observe(model, (channels, height, width))
    parts = _chain(run, "", run.image, run.features)
    if parts is None or run.features.ndim != 4 or getattr(model, "output_fmt", "NCHW") != "NCHW":
        stages, prefixes, strides, out_channels = _one_stage(model, run, height)
    else:
        stages, prefixes, strides, out_channels = _stages(model, _divide(run, parts), height)
    network = TimmNetwork(
        stages,
        TimmHead(_without(model, run.trunk), out),
        in_channels=channels,
        strides=strides,
        out_channels=out_channels,
        size=(height, width) if fixed_size else None,
    )
    network.timm_prefixes = {**prefixes, "head.rest.": "", "head.out.": f"{out_path}."}
    return network


@dataclass(frozen=True)
class Call:
    """One call of a part: its path in the timm network, and the tensors that went in and came out."""

    path: str
    module: nn.Module
    given: Tensor
    returned: Tensor


@dataclass(frozen=True)
class Run:
    """One forward pass up to the features, on the meta device."""

    image: Tensor
    features: Tensor
    calls: list[Call]

    @property
    def trunk(self) -> set[str]:
        """The names of the network's children that take part in the features."""
        return {call.path.partition(".")[0] for call in self.calls}

    def children_of(self, path: str) -> list[Call]:
        """The calls of the direct children of a part, in order."""
        prefix = f"{path}." if path else ""
        return [c for c in self.calls if c.path.startswith(prefix) and "." not in c.path[len(prefix) :]]


def _observe(model: nn.Module, input_size: tuple[int, int, int]) -> Run:
    shadow = copy.deepcopy(model).to("meta").eval()
    calls: list[Call] = []

    def watch(path: str) -> None:
        def record(module: nn.Module, given: tuple[Any, ...], returned: Any) -> None:
            tensor = given[0] if len(given) == 1 and isinstance(given[0], Tensor) else torch.empty(0)
            calls.append(Call(path, module, tensor, returned if isinstance(returned, Tensor) else tensor))

        shadow.get_submodule(path).register_forward_hook(record)

    for path, _ in shadow.named_modules():
        if path:
            watch(path)
    image = torch.empty(2, *input_size, device="meta")
    with torch.no_grad():
        features = cast(Any, shadow).forward_features(image)
    return Run(image, features, calls)


def _chain(run: Run, path: str, start: Tensor, end: Tensor) -> list[Call] | None:
    """The children of a part if each takes what the one before returned, from `start` to `end`, or None."""
    parts = run.children_of(path)
    current = start
    for part in parts:
        if part.given is not current:
            return None
        current = part.returned
    paths = {part.path for part in parts}
    return parts if parts and current is end and len(paths) == len(parts) else None


def _divide(run: Run, parts: list[Call]) -> list[list[Call]]:
    """Group a chain into stages.

    A container that shrinks the map by more than 2 is opened first. A stage then begins at every part that
    has several layers with weights; in a network that has none of these, wherever the map shrinks.
    """
    opened: list[Call] = []
    for part in parts:
        shrinks = part.given.shape[2] > 2 * part.returned.shape[2]
        inside = _chain(run, part.path, part.given, part.returned) if shrinks else None
        opened.extend(inside or [part])
    composite = [_weight_layers(part.module) > 1 for part in opened]
    shrinking = [part.given.shape[2] > part.returned.shape[2] for part in opened]
    begins = composite if any(composite) else shrinking
    stages: list[list[Call]] = [[]]
    for part, begin in zip(opened, begins, strict=True):
        if begin and stages[-1]:
            stages.append([])
        stages[-1].append(part)
    return stages


def _weight_layers(module: nn.Module) -> int:
    return sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in module.modules())


Parts = tuple[dict[str, nn.Module], dict[str, str], list[int], list[int]]


def _stages(model: nn.Module, groups: list[list[Call]], height: int) -> Parts:
    stages: dict[str, nn.Module] = {}
    prefixes = {}
    for number, group in enumerate(groups):
        name = f"stage{number}" if number else "stem"
        children: OrderedDict[str, nn.Module] = OrderedDict()
        for part in group:
            child = part.path.replace(".", "_")
            children[child] = model.get_submodule(part.path)
            prefixes[f"stages.{name}.{child}."] = f"{part.path}."
        stages[name] = nn.Sequential(children)
    maps = [group[-1].returned for group in groups]
    strides = [2 ** round(math.log2(height / m.shape[2])) for m in maps]  # valid convolutions lose some more
    return stages, prefixes, strides, [m.shape[1] for m in maps]


def _one_stage(model: nn.Module, run: Run, height: int) -> Parts:
    trunk = _without(model, {name for name, _ in model.named_children()} - run.trunk)
    trunk._parameters = dict(model._parameters)
    trunk._buffers = dict(model._buffers)
    info = cast(Any, model).feature_info
    stride = info[-1]["reduction"] if info else height
    return {"trunk": Trunk(trunk)}, {"stages.trunk.model.": ""}, [stride], [cast(int, model.num_features)]


def _without(model: nn.Module, names: set[str]) -> nn.Module:
    """A shallow copy of a network that has neither these children nor any tensor of its own."""
    part = copy.copy(model)
    part._modules = {name: child for name, child in model._modules.items() if name not in names}
    part._parameters = {}
    part._buffers = {}
    return part


def _classifier(model: nn.Module, timm_name: str) -> tuple[nn.Linear, str]:
    """The network's classifier and its path; the network keeps an identity in its place.

    A classifier that is a 1×1 convolution on a pooled map becomes the linear layer that it equals.
    """
    out = cast(Any, model).get_classifier()
    if not isinstance(out, nn.Linear | nn.Conv2d):
        raise ValueError(f"timm's {timm_name} has no single linear classifier but {type(out).__name__}")
    path = next(path for path, module in model.named_modules() if module is out)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
    if isinstance(out, nn.Linear):
        return out, path
    linear = nn.Linear(out.in_channels, out.out_channels, bias=out.bias is not None)
    linear.weight = nn.Parameter(out.weight.detach().flatten(1))
    if out.bias is not None:
        linear.bias = nn.Parameter(out.bias.detach())
    return linear, path
