"""What papers and libraries print of the networks: `hubel models verify` recomputes it."""

from __future__ import annotations

from hubel.models.published import inception_networks, plain_networks, residual_networks
from hubel.models.published.figure import QUOTED, PublishedFigure, Quantity
from hubel.models.published.ilsvrc import HUMAN_TOP5_ERROR, ILSVRC_RESULTS, IlsvrcResult

__all__ = [
    "FIGURES",
    "HUMAN_TOP5_ERROR",
    "ILSVRC_RESULTS",
    "QUOTED",
    "IlsvrcResult",
    "PublishedFigure",
    "Quantity",
    "figures_of",
]

FIGURES: tuple[PublishedFigure, ...] = (
    *plain_networks.FIGURES,
    *inception_networks.FIGURES,
    *residual_networks.FIGURES,
)


def figures_of(network: str) -> list[PublishedFigure]:
    """The published figures of a network, its variants' included."""
    return [figure for figure in FIGURES if figure.network == network]
