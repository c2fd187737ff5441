"""Networks side by side: what each costs, how long it takes here, and how right it is known to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import torch
from torch import nn

from hubel.errors import ConfigError
from hubel.inference.latency import Latency, measure_latency
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.models.dry_run import Watch
from hubel.models.published import PublishedFigure, figures_of
from hubel.models.registry import ModelEntry, model_entry
from hubel.models.training_memory import TrainingMemory, training_memory
from hubel.runtime import choose_device
from hubel.weights.catalogue import weights_for
from hubel.weights.entry import IMAGENET

# Which published accuracy stands for a network: that of its best weights, of the first that their publisher made,
# or its paper's. Without weights it is the paper's, too.
AccuracyChoice = Literal["best", "first", "paper"]

# One network on the data that everybody measures on; averages of several are another network's figure.
_COMPARABLE = "ILSVRC-2012 validation, 1 network"
_FEWEST_CROPS = f"{_COMPARABLE}, 1 crop"

_ACTIVATION_FUNCTIONS = {
    "relu": "ReLU",
    "hardtanh": "ReLU6",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "silu": "SiLU",
    "gelu": "GELU",
    "hardswish": "hard-swish",
    "hardsigmoid": "hard sigmoid",
    "elu": "ELU",
}


@dataclass(frozen=True)
class Accuracy:
    """A published accuracy on ImageNet's (ILSVRC-2012's) validation images.

    Attributes:
        top1: In percent; None where it is not published.
        top5: Likewise.
        source: The weights' name, or the paper and how it measured.
        is_papers: Whether the figure is the paper's own and no published weights need have it.
        size: Height and width of the images, where it is that of weights.
    """

    top1: float | None
    top5: float | None
    source: str
    is_papers: bool
    size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class ComparedNetwork:
    """A network in a comparison.

    Attributes:
        name: Of `hubel.list_models()`, or `timm/<name>`.
        summary: What it is, in a line.
        source: Paper, year, identifier.
        input_size: Channels, height and width of the image that the figures hold for.
        num_classes: How many logits it has by default.
        activation_functions: Its non-linearities, in the order of their first use.
        weight_layers: On the longest way from the input to the output.
        parameters: Those of prediction.
        auxiliary_parameters: Those of auxiliary heads.
        macs: Multiply-accumulates for one image.
        macs_as_published: Likewise, at the size at which the published accuracy was measured.
        activations: Values that its layers put out for one image.
        training: What a step of training keeps in memory.
        batch: Images in that step.
        accuracy: Published; None where there is none on ImageNet.
        latencies: Measured here, for every device and batch asked for.
    """

    name: str
    summary: str
    source: str
    input_size: tuple[int, int, int]
    num_classes: int
    activation_functions: tuple[str, ...]
    weight_layers: int
    parameters: int
    auxiliary_parameters: int
    macs: int
    macs_as_published: int
    activations: int
    training: TrainingMemory
    batch: int
    accuracy: Accuracy | None
    latencies: tuple[Latency, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How latency is measured.

    Attributes:
        devices: As for `hubel.runtime.choose_device`, in order; a repeated one counts once.
        repeats: Forward passes that count.
    """

    devices: tuple[str, ...] = ("cpu",)
    repeats: int = 20


def compare(
    names: Sequence[str],
    *,
    size: int | None = None,
    batch: int = 1,
    accuracy: AccuracyChoice = "best",
    timing: Timing | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ComparedNetwork]:
    """Compare networks at their standard inputs.

    Args:
        names: Of `hubel.list_models()`, or `timm/<name>`; a repeated one counts once.
        size: Height and width of the input, instead of each network's own.
        batch: Images in the step of training, and in a second measurement of the latency where it is not 1.
        accuracy: Which published accuracy.
        timing: None: no latency is measured.
        progress: Called with the name of each network before its costs are counted, and before it is measured.

    Raises:
        ConfigError: A name is unknown, a network does not take the size, or a device is not here.
    """
    entries = [model_entry(name) for name in dict.fromkeys(names)]
    devices = list(dict.fromkeys(str(choose_device(device)) for device in timing.devices)) if timing else []
    networks = []
    for entry in entries:
        if progress is not None:
            progress(entry.name)
        networks.append(_cost(entry, size, batch, accuracy))
    if timing is None:
        return networks
    measured = []
    for entry, network in zip(entries, networks, strict=True):
        if progress is not None:
            progress(entry.name)
        latencies = tuple(_latencies(entry, network.input_size, batch, devices, timing.repeats))
        measured.append(replace(network, latencies=latencies))
    return measured


def _cost(entry: ModelEntry, size: int | None, batch: int, accuracy: AccuracyChoice) -> ComparedNetwork:
    """All but the latency."""
    channels, height, width = entry.input_size
    input_size = (channels, size or height, size or width)
    network: Any = entry.build_shapes().eval()
    try:
        cost = complexity(network, input_size)
    except (ValueError, RuntimeError) as error:
        wanted = "×".join(map(str, input_size))
        raise ConfigError(f"{entry.name} does not take an input of {wanted}: {error}") from error
    published = published_accuracy(entry.name, accuracy)
    published_size = (published and published.size) or input_size[1:]
    same = published_size == input_size[1:]
    return ComparedNetwork(
        name=entry.name,
        summary=entry.summary,
        source=entry.source,
        input_size=input_size,
        num_classes=network.num_classes,
        activation_functions=activation_functions(network, input_size),
        weight_layers=weight_layers(network, input_size),
        parameters=cost.parameters,
        auxiliary_parameters=cost.auxiliary_parameters,
        macs=cost.macs,
        macs_as_published=cost.macs if same else complexity(network, (channels, *published_size)).macs,
        activations=cost.activations,
        training=training_memory(network, input_size, batch=batch),
        batch=batch,
        accuracy=published,
    )


def _latencies(
    entry: ModelEntry, input_size: tuple[int, int, int], batch: int, devices: Sequence[str], repeats: int
) -> Iterator[Latency]:
    network = entry.builder()
    for device in devices:
        try:
            yield from measure_latency(network, input_size, device=device, batches=sorted({1, batch}), repeats=repeats)
        except ConfigError as error:
            raise ConfigError(f"{entry.name}: {error}") from error


def activation_functions(network: nn.Module, input_size: tuple[int, int, int]) -> tuple[str, ...]:
    """The non-linearities that a network on the meta device applies, in the order of their first use."""
    seen = _Operations()
    with torch.no_grad(), seen:
        network(torch.empty(1, *input_size, device="meta"))
    known = (_ACTIVATION_FUNCTIONS.get(name.rstrip("_")) for name in seen.names)
    return tuple(dict.fromkeys(name for name in known if name))


class _Operations(Watch):
    """The names of the operations that run, without their name space."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def saw(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        self.names.append(operation._schema.name.partition("::")[2])


def published_accuracy(name: str, choice: AccuracyChoice = "best") -> Accuracy | None:
    """A network's published accuracy on ImageNet; None where there is none of a single network.

    Args:
        name: Of `hubel.list_models()`, or `timm/<name>`.
        choice: Which one; the paper's own where there are no weights with a published accuracy.
    """
    if choice != "paper":
        entries = [entry for entry in weights_for(name) if entry.data == IMAGENET and entry.top1 is not None]
        if entries:
            entry = entries[0] if choice == "first" else max(entries, key=lambda entry: entry.top1 or 0.0)
            own, measured = model_entry(name).input_size[1:], entry.preprocess.size
            elsewhere = "" if own == measured else f" at {measured[0]}×{measured[1]}"
            return Accuracy(entry.top1, entry.top5, entry.name + elsewhere, is_papers=False, size=measured)
    return _accuracy_of_paper(name)


def _accuracy_of_paper(name: str) -> Accuracy | None:
    """Of the network as registered, alone, with one crop where the paper has that."""
    errors = [
        figure
        for figure in figures_of(name)
        if figure.quantity in ("top-1 error", "top-5 error")
        and figure.conditions.startswith(_COMPARABLE)
        and not figure.arguments
    ]
    if not errors:
        return None
    measurements = [list(figures) for _, figures in groupby(errors, key=lambda figure: figure.conditions)]
    chosen = min(measurements, key=lambda figures: figures[0].conditions != _FEWEST_CROPS)  # else the first
    how = chosen[0].conditions.removeprefix(f"{_COMPARABLE}, ")
    return Accuracy(
        _accuracy(chosen, "top-1 error"), _accuracy(chosen, "top-5 error"), f"{chosen[0].source}; {how}", is_papers=True
    )


def _accuracy(figures: list[PublishedFigure], quantity: str) -> float | None:
    """100 less the error, to the error's own digits."""
    return next((round(100 - figure.value, 3) for figure in figures if figure.quantity == quantity), None)
