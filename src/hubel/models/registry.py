"""The networks by name: which there are, what is known about each, how one is built."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hubel.errors import ConfigError, unknown_name

TIMM = "timm/"

_BACKBONES_OWN = (0, 0, 0)  # the input size of a family that has its backbone's

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """What is known about a network before it is built.

    Attributes:
        name: The name that `build_model` takes.
        task: What it is for, such as `"classification"`.
        builder: Builds it from keyword arguments, which always include `in_channels`, and `num_classes` where it
            `has_classes`; of a family, the backbone's name comes first, by position.
        input_size: Channels, height and width of its standard input.
        fixed_size: Whether it takes only that height and width.
        source: Paper, year, identifier; section or table.
        summary: One line.
        backbone: The network that it is built on, where that is part of the name.
        backbone_tasks: Of a family, what its backbones may be for.
    """

    name: str
    task: str
    builder: Callable[..., nn.Module]
    input_size: tuple[int, int, int]
    fixed_size: bool
    source: str
    summary: str
    backbone: str | None = None
    backbone_tasks: tuple[str, ...] = ("classification",)

    @property
    def arguments(self) -> list[str] | None:
        """The keyword arguments that the builder takes; None where it takes any and checks them itself."""
        hints = get_type_hints(self.builder)
        names: list[str] = []
        for parameter in inspect.signature(self.builder).parameters.values():
            if parameter.kind is parameter.POSITIONAL_ONLY:
                continue  # the backbone, which is part of the name
            if parameter.kind is not parameter.VAR_KEYWORD:
                names.append(parameter.name)
            elif options := get_args(hints[parameter.name]):  # **options: Unpack[SomeTypedDict]
                names.extend(options[0].__annotations__)
            else:
                return None
        return names

    @property
    def has_classes(self) -> bool:
        """Whether it tells classes, objects or numbers, of which it can have any number."""
        return self.arguments is None or "num_classes" in self.arguments

    def build_shapes(self, **arguments: Any) -> nn.Module:
        """The network as shapes alone, on torch's meta device: to count, not to run."""
        with torch.device("meta"), _Undrawn():
            return self.builder(**arguments)


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of initial values, which takes seconds even for tensors that have no values."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):  # these hide the methods below
            return (kwargs or {})["tensor"]
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


_entries: dict[str, ModelEntry] = {}
_families: dict[str, ModelEntry] = {}


def register(
    name: str,
    *,
    source: str,
    input_size: tuple[int, int, int],
    summary: str,
    fixed_size: bool = False,
    task: str = "classification",
) -> Callable[[Builder], Builder]:
    """Make a builder known under a name; see `ModelEntry` for the arguments."""

    def enter(builder: Builder) -> Builder:
        if name in _entries:
            raise ValueError(f"two networks are named '{name}'")
        _entries[name] = ModelEntry(
            name=name,
            task=task,
            builder=builder,
            input_size=input_size,
            fixed_size=fixed_size,
            source=source,
            summary=summary,
        )
        return builder

    return enter


def register_family(
    name: str,
    *,
    source: str,
    input_size: tuple[int, int, int] | None,
    summary: str,
    task: str,
    backbone_tasks: tuple[str, ...] = ("classification",),
) -> Callable[[Builder], Builder]:
    """Make a builder known as `<name>/<backbone>`, for the name of any network for one of some tasks as backbone.

    The builder takes the backbone's name first, as a parameter by position only. See `ModelEntry` for the arguments; an
    `input_size` of None is the backbone's.
    """

    def enter(builder: Builder) -> Builder:
        if name in _families:
            raise ValueError(f"two families of networks are named '{name}'")
        _families[name] = ModelEntry(
            name=f"{name}/BACKBONE",
            task=task,
            builder=builder,
            input_size=input_size or _BACKBONES_OWN,
            fixed_size=False,
            source=source,
            summary=summary,
            backbone_tasks=backbone_tasks,
        )
        return builder

    return enter


def list_families(task: str | None = None) -> list[str]:
    """The names that `/BACKBONE` can follow, such as `unet` in `unet/resnet18`.

    Args:
        task: Only the families for this task.
    """
    return [name for name, entry in _families.items() if task in (None, entry.task)]


def list_models(task: str | None = None) -> list[str]:
    """The names of hubel's own networks, family by family.

    Every `timm/<name>` can be built as well; timm's own `list_models` lists those.

    Args:
        task: Only the networks for this task.
    """
    tasks = {entry.task for entry in (*_entries.values(), *_families.values())}
    if task is not None and task not in tasks:
        raise unknown_name("task", task, tasks)
    return [entry.name for entry in _entries.values() if task in (None, entry.task)]


def family_entry(name: str) -> ModelEntry:
    """What is known about the family of this name, one of `list_families()`, whatever its backbone."""
    return _families[name]


def model_entry(name: str) -> ModelEntry:
    """What is known about the network of this name, which may be `timm/<name>` or `<family>/<backbone>`.

    Raises:
        ConfigError: There is none; the nearest names are offered.
    """
    family, _, backbone = name.partition("/")
    if backbone and family in _families:
        return _on_backbone(_families[family], name, backbone)
    if name.startswith(TIMM):
        from hubel.models.classification.timm_backbone import timm_entry

        return timm_entry(name)
    if name not in _entries:
        known = [*_entries, *(f"{family}/{backbone}" for family in _families if backbone)]
        raise unknown_name("model", name, known, see="hubel models list")
    return _entries[name]


def _on_backbone(family: ModelEntry, name: str, backbone: str) -> ModelEntry:
    """What is known about one network of a family."""
    of_backbone = model_entry(backbone)
    if of_backbone.task not in family.backbone_tasks:
        wanted = " or ".join(family.backbone_tasks)
        raise ConfigError(
            f"{name}: {backbone} is a network for {of_backbone.task}, expected a {wanted} network as backbone"
        )

    @functools.wraps(family.builder)
    def build(**arguments: Any) -> nn.Module:
        return family.builder(backbone, **arguments)

    named = replace(family, name=name, builder=build, backbone=backbone)
    if family.input_size != _BACKBONES_OWN:
        return named
    return replace(named, input_size=of_backbone.input_size, fixed_size=of_backbone.fixed_size)


def build_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    through: str | None = None,
    backbone: nn.Module | None = None,
    **arguments: Any,
) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: A name of `list_models()`, `timm/<name>`, or `<family>/<backbone>` for a name of `list_families()`.
        num_classes: Number of logits; None is the network's own default.
        in_channels: Channels of the input; None is the network's own default.
        through: The last stage that is kept of a classification network, see `hubel.models.truncation`; None: all are.
        backbone: Of `<family>/<backbone>`, the classification network itself, with whatever weights it has; None: a
            fresh one.
        arguments: The network's own options.

    Raises:
        ConfigError: The name is unknown, or an argument is not one that the network takes.
    """
    entry = model_entry(name)
    given = {"num_classes": num_classes, "in_channels": in_channels}
    for argument, value in given.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name}: {argument} is {value}, expected at least 1")
    known = entry.arguments
    for argument in arguments:
        if known is not None and argument not in known:
            raise unknown_name(f"argument of {name}", argument, [*known, "through"])
    chosen = {argument: value for argument, value in given.items() if value is not None}
    try:
        builder = entry.builder if backbone is None else functools.partial(_family_of(name).builder, backbone)
        network = builder(**chosen, **arguments)
        return network if through is None else truncated(network, through)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name}: {error}") from error


def _family_of(name: str) -> ModelEntry:
    """The family of `<family>/<backbone>`.

    Raises:
        ValueError: The name is of no family.
    """
    family, _, backbone = name.partition("/")
    if not backbone or family not in _families:
        raise ValueError("a backbone came, but the name has none")
    return _families[family]


def truncated(network: nn.Module, through: str, num_classes: int | None = None) -> nn.Module:
    """A classification network that ends at a stage; arguments as for `hubel.models.truncation.truncate`.

    Raises:
        ValueError: It has no stages, or none of this name.
    """
    from hubel.models.network import ClassificationNetwork
    from hubel.models.truncation import truncate

    if not isinstance(network, ClassificationNetwork):
        raise ValueError("only classification networks have stages to end at: leave through out")
    return truncate(network, through, num_classes)
