"""Published figures of the networks, recomputed: what `hubel models verify` prints.

Everything runs on torch's meta device, so that shapes alone are computed and VGG-19 takes no longer than LeNet-5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hubel.models.classification.lenet import connections
from hubel.models.complexity import Complexity, CountsItself, LayerComplexity, complexity
from hubel.models.depth import weight_layers
from hubel.models.network import ClassificationNetwork
from hubel.models.published import FIGURES, PublishedFigure, Quantity
from hubel.models.registry import ModelEntry, list_models, model_entry

Verdict = Literal["holds", "differs", "does not hold", "quoted"]

FLOP_COUNTER = "counted again: torch.utils.flop_counter / 2"


@dataclass(frozen=True)
class Verification:
    """A published figure beside ours.

    Attributes:
        figure: What is published.
        ours: What is computed; None where the figure can only be quoted.
        verdict: `holds`: ours, rounded to the printed digits, is the published one. `differs`: it is not, and
            `figure.reason` says why. `does not hold`: it is not, though it is claimed to be, or it is though a reason
            says that it is not. `quoted`: an error rate, which takes the data and trained weights to recompute.
    """

    figure: PublishedFigure
    ours: int | None
    verdict: Verdict

    @property
    def difference(self) -> float | None:
        """Ours minus the published number; None where there is nothing to compare."""
        return None if self.ours is None else self.ours - self.figure.value


def verify(names: Iterable[str] | None = None) -> Iterator[Verification]:
    """Recompute every published figure, network by network.

    Beside the published figures, the multiply-accumulates of every network are counted a second time, by
    `torch.utils.flop_counter`.

    Args:
        names: Networks in `list_models()`; None is all of them.

    Raises:
        ConfigError: A name is unknown.
    """
    chosen = list_models("classification") if names is None else [model_entry(name).name for name in names]
    for name in chosen:
        variants: dict[str, _Measured] = {}
        figures = [figure for figure in FIGURES if figure.network == name]
        for figure in [*figures, counted_again(name)]:
            key = repr(sorted(figure.arguments.items()))
            measured = variants.setdefault(key, _Measured(name, figure.arguments))
            yield check(figure, None if figure.quoted else measured.value(figure))


def check(figure: PublishedFigure, ours: int | None) -> Verification:
    """Compare a published figure with a computed value; None for one that can only be quoted."""
    if ours is None:
        return Verification(figure, ours, "quoted")
    if figure.agrees(ours) == (not figure.reason):
        return Verification(figure, ours, "differs" if figure.reason else "holds")
    return Verification(figure, ours, "does not hold")


def counted_again(name: str) -> PublishedFigure:
    """The multiply-accumulates of a network as torch's own counter sees its operations, as if published."""
    entry = model_entry(name)
    network = _shapes(entry, {})
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, *entry.input_size, device="meta"))
    own_kind = any(isinstance(module, CountsItself) for module in network.modules())
    return PublishedFigure(
        network=name,
        quantity="MACs",
        printed=f"{counter.get_total_flops() // 2:,}",
        source=FLOP_COUNTER,
        reason="the counter sees C3's absent connections as products with zero, but neither subsampling nor the output"
        if own_kind
        else "",
    )


def _shapes(entry: ModelEntry, arguments: Mapping[str, Any]) -> ClassificationNetwork:
    """A network as shapes alone, whose normalisation does nothing: no count sees it, and it takes half of the time."""
    network = cast(ClassificationNetwork, entry.build_shapes(**arguments).eval())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = _pass_on  # type: ignore[assignment, method-assign]
    return network


def _pass_on(x: Tensor) -> Tensor:
    return x


class _Measured:
    """What is computed of one network, each part when it is first asked for."""

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.entry = model_entry(name)
        self.arguments = arguments

    @cached_property
    def network(self) -> ClassificationNetwork:
        return _shapes(self.entry, self.arguments)

    @cached_property
    def cost(self) -> Complexity:
        return complexity(self.network, self.entry.input_size)

    def value(self, figure: PublishedFigure) -> int:
        """The value of the figure's quantity, of the figure's part of the network."""
        return _QUANTITIES[figure.quantity](self, figure.part)

    def layers(self, part: str) -> list[LayerComplexity]:
        """The layers of a part, all where it is empty.

        Raises:
            ValueError: The network has no such part.
        """
        inside = [layer for layer in self.cost.layers if not part or f"{layer.name}.".startswith(f"{part}.")]
        if not inside:
            raise ValueError(f"{self.entry.name} has no part '{part}'")
        return inside

    def parameters(self, part: str) -> int:
        return sum(layer.parameters for layer in self.layers(part))

    def parameters_with_auxiliary_heads(self, part: str) -> int:
        return self.cost.parameters + self.cost.auxiliary_parameters

    def parameters_and_running_statistics(self, part: str) -> int:
        """As Keras counts: mean and variance of every BatchNorm layer of prediction are parameters, too."""
        norms = [
            module
            for name, module in self.network.named_modules()
            if isinstance(module, nn.BatchNorm2d) and not name.startswith("aux_heads.")
        ]
        return self.cost.parameters + sum(2 * norm.num_features for norm in norms)

    def macs(self, part: str) -> int:
        return sum(layer.macs for layer in self.layers(part))

    def neurons(self, part: str) -> int:
        return sum(layer.activations for layer in self.layers(part) if layer.parameters)

    def values(self, part: str) -> int:
        channels, height, width = self.entry.input_size
        return sum(layer.activations for layer in self.layers(part)) + (0 if part else channels * height * width)

    def connections(self, part: str) -> int:
        return sum(connections(self.network).values())

    def weight_layers(self, part: str) -> int:
        return weight_layers(self.network.get_submodule(part), self.entry.input_size)

    def year(self, part: str) -> int:
        """Of the paper that the registry names."""
        years = re.findall(r"\b(?:19|20)\d\d\b(?!\.)", self.entry.source)
        return int(years[0])


_QUANTITIES: dict[Quantity, Callable[[_Measured, str], int]] = {
    "parameters": _Measured.parameters,
    "parameters with auxiliary heads": _Measured.parameters_with_auxiliary_heads,
    "parameters and running statistics": _Measured.parameters_and_running_statistics,
    "MACs": _Measured.macs,
    "neurons": _Measured.neurons,
    "values": _Measured.values,
    "connections": _Measured.connections,
    "weight layers": _Measured.weight_layers,
    "year": _Measured.year,
}
