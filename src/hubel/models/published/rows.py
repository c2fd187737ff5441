"""What rows of published figures are made of: sources, conditions, and several rows at once.

Figures of sources that print a rounded number are copied as printed; where ours does not round to it, the row says
why. `CLOSED_FORM` rows are worked out by hand from the layers' shapes: k · k · C_in / groups · C_out weights, C_out
biases, and as many multiplications as weights at every place of the output.
"""

from __future__ import annotations

from typing import Any

from hubel.models.published.figure import PublishedFigure, Quantity

CLOSED_FORM = "closed formula over the layers' shapes"
TORCHVISION = "torchvision 0.29, metadata of the weights"
KERAS = "keras.io/api/applications"
TIMM = "timm, model card"

LENET = "LeCun et al. 1998, doi:10.1109/5.726791"
ALEXNET = "Krizhevsky et al. 2012, doi:10.1145/3065386"
NIN = "Lin et al. 2013, arXiv:1312.4400"
VGG = "Simonyan & Zisserman 2014, arXiv:1409.1556"
GOOGLENET = "Szegedy et al. 2014, arXiv:1409.4842"
INCEPTION_V3 = "Szegedy et al. 2015, arXiv:1512.00567"
INCEPTION_V4 = "Szegedy et al. 2016, arXiv:1602.07261"
RESNET = "He et al. 2015, arXiv:1512.03385"
RESNET_V2 = "He et al. 2016, arXiv:1603.05027"
XCEPTION = "Chollet 2016, arXiv:1610.02357"
DENSENET = "Huang et al. 2016, arXiv:1608.06993"

VALIDATION = "ILSVRC-2012 validation"
ONE_CROP = f"{VALIDATION}, 1 network, 1 crop"
TEN_CROPS = f"{VALIDATION}, 1 network, 10 crops"
MULTI_SCALE = f"{VALIDATION}, 1 network, fully convolutional at several scales"
CIFAR10 = "CIFAR-10 test, pads, crops and mirror images"


def row(
    network: str,
    quantity: Quantity,
    printed: str,
    source: str,
    reason: str = "",
    *,
    part: str = "",
    conditions: str = "",
    **arguments: Any,
) -> PublishedFigure:
    """A figure as a source prints it; see `PublishedFigure`."""
    return PublishedFigure(
        network=network,
        quantity=quantity,
        printed=printed,
        source=source,
        reason=reason,
        part=part,
        conditions=conditions,
        arguments=arguments,
    )


def error_rows(
    network: str, conditions: str, top1: str, top5: str, source: str, **arguments: Any
) -> list[PublishedFigure]:
    """Top-1 and top-5 error as a source prints them."""
    pairs: list[tuple[Quantity, str]] = [("top-1 error", top1), ("top-5 error", top5)]
    return [
        row(network, quantity, printed, source, conditions=conditions, **arguments)
        for quantity, printed in pairs
        if printed
    ]


def torchvision_rows(network: str, parameters: str, giga_macs: str) -> list[PublishedFigure]:
    """`num_params` and `_ops`; torchvision calls the latter GFLOPS and counts multiply-accumulates."""
    return [
        row(network, "parameters", parameters, TORCHVISION),
        row(network, "MACs", f"{giga_macs} G", TORCHVISION),
    ]
