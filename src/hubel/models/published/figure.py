"""One figure that a paper or a library prints of a network, and when a computed value agrees with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Quantity = Literal[
    "parameters",
    "parameters with auxiliary heads",
    "parameters and running statistics",
    "MACs",
    "neurons",
    "values",
    "connections",
    "weight layers",
    "year",
    "top-1 error",
    "top-5 error",
    "error",
]
QUOTED: tuple[Quantity, ...] = ("top-1 error", "top-5 error", "error")

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "%": 1}


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """What a source prints.

    Attributes:
        network: The name of the network in `hubel.list_models()`.
        quantity: What is counted. `parameters` are those of prediction, so without auxiliary heads; `neurons` are the
            outputs of layers with weights, `values` those of pooling and concatenation too, and the input.
        printed: As the source prints it, with `K`, `M`, `G` for thousand, million, billion: `"6.8 M"`,
            `"60,965,224"`, `"< 25 M"`, `"6.67 %"`.
        source: Paper and table, or library and where in it.
        arguments: Of the network's builder, where the figure is that of a variant.
        part: The stage, layer or other part of the network, by its path in `complexity`; empty for the whole network.
        conditions: Of an error: the data and how many crops or networks were averaged.
        reason: Why the computed value differs; empty where it is claimed to agree.
    """

    network: str
    quantity: Quantity
    printed: str
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    conditions: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        _parse(self.printed)

    @property
    def quoted(self) -> bool:
        """Whether it can only be quoted: it takes the data and trained weights to recompute it."""
        return self.quantity in QUOTED

    @property
    def value(self) -> float:
        """The number that is printed; an upper bound after `<`."""
        return _parse(self.printed).value

    def agrees(self, computed: int) -> bool:
        """Whether a computed value, rounded to the printed digits, is the printed one."""
        printed = _parse(self.printed)
        if printed.upper_bound:
            return computed < printed.value
        return abs(computed - printed.value) <= printed.half_unit


@dataclass(frozen=True)
class _Printed:
    value: float
    half_unit: float
    upper_bound: bool


def _parse(text: str) -> _Printed:
    """The number, and half of its last digit's weight; a number without a unit is exact."""
    match = re.fullmatch(r"(< )?([\d,]+)(?:\.(\d+))? ?([KMG%]?)", text)
    if match is None:
        raise ValueError(f"'{text}' came: expected a number such as '60,965,224', '6.8 M', '< 25 M' or '6.67 %'")
    bound, whole, decimals, unit = match.groups()
    scale = _UNITS[unit]
    value = int(whole.replace(",", "") + (decimals or "")) * scale / 10 ** len(decimals or "")
    half_unit = scale / 10 ** len(decimals or "") / 2 if unit or decimals else 0
    return _Printed(value, half_unit, bound is not None)
