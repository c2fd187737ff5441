"""Published figures of networks with shortcuts: ResNet in both forms, DenseNet."""

from __future__ import annotations

from hubel.models.published.figure import PublishedFigure
from hubel.models.published.rows import (
    CIFAR10,
    CLOSED_FORM,
    DENSENET,
    KERAS,
    MULTI_SCALE,
    ONE_CROP,
    RESNET,
    RESNET_V2,
    TEN_CROPS,
    TIMM,
    VALIDATION,
    error_rows,
    row,
    torchvision_rows,
)


def _resnet(
    network: str, parameters: str, giga_macs: str, printed_giga: str, reason: str, **arguments: str
) -> list[PublishedFigure]:
    return [
        row(network, "year", "2015", RESNET),
        row(network, "weight layers", network.removeprefix("resnet"), f"{RESNET}, table 1"),
        *torchvision_rows(network, parameters, giga_macs),
        row(network, "MACs", f"{printed_giga} G", f"{RESNET}, table 1", reason, **arguments),
    ]


_SAYS_NOT = "no choice of stride and shortcut that the paper names gives its figure; ours is 3.86 with its stride"

_RESNET = [
    *_resnet("resnet18", "11,689,512", "1.814", "1.8", ""),
    *_resnet("resnet34", "21,797,672", "3.664", "3.6", "", shortcut="A"),
    *_resnet("resnet50", "25,557,032", "4.089", "3.8", _SAYS_NOT, stride_on="1x1"),
    *_resnet("resnet101", "44,549,160", "7.801", "7.6", "", stride_on="1x1"),
    *_resnet("resnet152", "60,192,808", "11.514", "11.3", "", stride_on="1x1"),
    row("resnet34", "MACs", "3.66 G", CLOSED_FORM),
    row("resnet50", "MACs", "3.86 G", CLOSED_FORM, stride_on="1x1"),
    row("resnet101", "MACs", "7.57 G", CLOSED_FORM, stride_on="1x1"),
    row("resnet152", "MACs", "11.28 G", CLOSED_FORM, stride_on="1x1"),
    row("resnet50", "parameters and running statistics", "25.6 M", KERAS),
    row("resnet101", "parameters and running statistics", "44.7 M", KERAS),
    row(
        "resnet152",
        "parameters and running statistics",
        "60.4 M",
        KERAS,
        "Keras's convolutions have biases, which the normalisation after them takes away again",
    ),
    *error_rows("resnet18", TEN_CROPS, "27.88 %", "", f"{RESNET}, table 2", shortcut="A"),
    *error_rows("resnet34", TEN_CROPS, "25.03 %", "7.76 %", f"{RESNET}, table 3", shortcut="A"),
    *error_rows("resnet34", TEN_CROPS, "24.52 %", "7.46 %", f"{RESNET}, table 3"),
    *error_rows("resnet34", TEN_CROPS, "24.19 %", "7.40 %", f"{RESNET}, table 3", shortcut="C"),
    *error_rows("resnet50", TEN_CROPS, "22.85 %", "6.71 %", f"{RESNET}, table 3", stride_on="1x1"),
    *error_rows("resnet101", TEN_CROPS, "21.75 %", "6.05 %", f"{RESNET}, table 3", stride_on="1x1"),
    *error_rows("resnet152", TEN_CROPS, "21.43 %", "5.71 %", f"{RESNET}, table 3", stride_on="1x1"),
    *error_rows("resnet34", MULTI_SCALE, "21.84 %", "5.71 %", f"{RESNET}, table 4"),
    *error_rows("resnet50", MULTI_SCALE, "20.74 %", "5.25 %", f"{RESNET}, table 4", stride_on="1x1"),
    *error_rows("resnet101", MULTI_SCALE, "19.87 %", "4.60 %", f"{RESNET}, table 4", stride_on="1x1"),
    *error_rows("resnet152", MULTI_SCALE, "19.38 %", "4.49 %", f"{RESNET}, table 4", stride_on="1x1"),
    row("plain18", "weight layers", "18", f"{RESNET}, table 1"),
    row("plain34", "weight layers", "34", f"{RESNET}, table 1"),
    row("plain34", "MACs", "3.6 G", f"{RESNET}, section 3.3"),
    row("plain18", "top-1 error", "27.94 %", f"{RESNET}, table 2", conditions=TEN_CROPS),
    *error_rows("plain34", TEN_CROPS, "28.54 %", "10.02 %", f"{RESNET}, table 3"),
    row("plain20_cifar", "weight layers", "20", f"{RESNET}, section 4.2"),
    row("plain56_cifar", "weight layers", "56", f"{RESNET}, section 4.2"),
    row("resnetv2_50", "year", "2016", RESNET_V2),
    row("resnetv2_101", "year", "2016", RESNET_V2),
    row("resnetv2_152", "year", "2016", RESNET_V2),
    row("resnetv2_50", "weight layers", "50", f"{RESNET_V2}, after {RESNET}, table 1"),
    row("resnetv2_101", "weight layers", "101", f"{RESNET_V2}, after {RESNET}, table 1"),
    row("resnetv2_152", "weight layers", "152", f"{RESNET_V2}, after {RESNET}, table 1"),
    row("resnetv2_50", "parameters", "25.5 M", TIMM),
    row("resnetv2_50", "MACs", "4.1 G", TIMM),
    row("resnetv2_101", "parameters", "44.5 M", TIMM),
    row("resnetv2_101", "MACs", "7.8 G", TIMM),
    *error_rows(
        "resnetv2_152", f"{VALIDATION}, 1 network, 1 crop of 320×320", "21.1 %", "5.5 %", f"{RESNET_V2}, table 5"
    ),
]


def _cifar_resnet(depth: int, millions: str, error: str) -> list[PublishedFigure]:
    network = f"resnet{depth}_cifar"
    return [
        row(network, "year", "2015", RESNET),
        row(network, "weight layers", str(depth), f"{RESNET}, section 4.2"),
        row(network, "parameters", f"{millions} M", f"{RESNET}, table 6"),
        row(network, "error", f"{error} %", f"{RESNET}, table 6", conditions=CIFAR10),
    ]


_RESNET_CIFAR = [
    *_cifar_resnet(20, "0.27", "8.75"),
    *_cifar_resnet(32, "0.46", "7.51"),
    *_cifar_resnet(44, "0.66", "7.17"),
    *_cifar_resnet(56, "0.85", "6.97"),
    *_cifar_resnet(110, "1.7", "6.43"),
    *_cifar_resnet(1202, "19.4", "7.93"),
]


_DEPTHS = {
    "densenet264": "1 + 2 · (6 + 12 + 64 + 48) + 3 + 1 = 265 with the blocks of the table: the name is one short"
}


def _densenet(network: str, top1: str, top5: str, with_statistics: str = "") -> list[PublishedFigure]:
    figures = [
        row(network, "year", "2016", DENSENET),
        row(
            network, "weight layers", network.removeprefix("densenet"), f"{DENSENET}, table 1", _DEPTHS.get(network, "")
        ),
        *error_rows(network, ONE_CROP, top1, top5, f"{DENSENET}, table 3"),
    ]
    if with_statistics:
        figures.append(row(network, "parameters and running statistics", with_statistics, KERAS))
    return figures


_DENSENET = [
    *_densenet("densenet121", "25.02 %", "7.71 %", "8.1 M"),
    *_densenet("densenet169", "23.80 %", "6.85 %", "14.3 M"),
    *_densenet("densenet201", "22.58 %", "6.34 %", "20.2 M"),
    *_densenet("densenet264", "22.15 %", "6.12 %"),
    row("densenet161", "year", "2016", DENSENET),
    row("densenet161", "weight layers", "161", "github.com/liuzhuang13/DenseNet"),
    *torchvision_rows("densenet121", "7,978,856", "2.834"),
    *torchvision_rows("densenet161", "28,681,000", "7.728"),
    *torchvision_rows("densenet169", "14,149,480", "3.36"),
    *torchvision_rows("densenet201", "20,013,928", "4.291"),
    row("densenet201", "parameters", "20 M", f"{DENSENET}, section 4.4"),
    row("densenet40_cifar", "year", "2016", DENSENET),
    row("densenet40_cifar", "weight layers", "40", f"{DENSENET}, table 2"),
    row("densenet40_cifar", "parameters", "1.0 M", f"{DENSENET}, table 2"),
    row("densenet40_cifar", "error", "5.24 %", f"{DENSENET}, table 2", conditions=CIFAR10),
    row("densenet100_cifar", "year", "2016", DENSENET),
    row("densenet100_cifar", "weight layers", "100", f"{DENSENET}, table 2"),
    row("densenet100_cifar", "parameters", "0.8 M", f"{DENSENET}, table 2"),
    row("densenet100_cifar", "error", "4.51 %", f"{DENSENET}, table 2", conditions=CIFAR10),
    row("densenet100_cifar", "parameters", "7.0 M", f"{DENSENET}, table 2", bottleneck=False, compression=1.0),
    row(
        "densenet100_cifar",
        "error",
        "4.10 %",
        f"{DENSENET}, table 2",
        conditions=CIFAR10,
        bottleneck=False,
        compression=1.0,
    ),
]

FIGURES: tuple[PublishedFigure, ...] = (*_RESNET, *_RESNET_CIFAR, *_DENSENET)
