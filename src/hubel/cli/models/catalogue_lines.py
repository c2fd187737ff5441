"""The published weights of a network, as `hubel models show` tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def weights_facts(name: str) -> list[dict[str, Any]]:
    """The catalogue's weights for a network, for JSON."""
    from hubel.weights.catalogue import weights_for

    return [entry.to_dict() for entry in weights_for(name)]


def print_weights(facts: Sequence[dict[str, Any]], console: Console) -> None:
    """A line for each of the catalogue's weights: what it is, and where its file comes from."""
    for one in facts:
        console.print(_line(one))
    if not facts:
        console.print("Weights: none in the catalogue; --weights takes the path of a file")


def _line(facts: dict[str, Any]) -> str:
    """`Weights: --weights resnet50.imagenet1k_v2 (ImageNet-1k, top-1 80.858 %, at 224×224, BSD-3-Clause, https://...)`."""
    from hubel.results.naming import TITLES

    figures = {"top-1": facts["top1"], "top-5": facts["top5"]}
    figures |= {title: facts[name] for name, title in TITLES.items() if name in facts}
    published = [f"{name} {value:.3f} %" for name, value in figures.items() if value is not None]
    size = "at " + "×".join(map(str, facts["preprocess"]["size"]))
    if "measured_at" in facts:
        size = f"measured at {facts['measured_at']}, here {size}"
    details = [facts["data"], *published, size, facts["licence"], facts["url"]]
    return f"Weights: --weights {facts['name']} ({', '.join(details)})"
