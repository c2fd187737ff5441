"""Published figures of networks that are one chain of layers: LeNet, AlexNet, NiN, VGG."""

from __future__ import annotations

from hubel.models.published.figure import PublishedFigure
from hubel.models.published.rows import (
    ALEXNET,
    CLOSED_FORM,
    KERAS,
    LENET,
    NIN,
    RESNET,
    VALIDATION,
    VGG,
    error_rows,
    row,
    torchvision_rows,
)

_LENET = [
    row("lenet5", "year", "1998", LENET),
    row("lenet5", "parameters", "60,000", f"{LENET}, section II.B"),
    row("lenet5", "connections", "340,908", f"{LENET}, section II.B"),
    row("lenet5", "weight layers", "7", f"{LENET}, section II.B"),
    row("lenet5", "parameters", "156", f"{LENET}, section II.B", part="stages.c1"),
    row("lenet5", "parameters", "12", f"{LENET}, section II.B", part="stages.s2"),
    row("lenet5", "parameters", "1,516", f"{LENET}, section II.B", part="stages.c3"),
    row("lenet5", "parameters", "32", f"{LENET}, section II.B", part="stages.s4"),
    row("lenet5", "parameters", "48,120", f"{LENET}, section II.B", part="stages.c5"),
    row("lenet5", "parameters", "10,164", f"{LENET}, section II.B", part="head.f6"),
    row("lenet5", "error", "0.95 %", f"{LENET}, section III.B", conditions="MNIST test, without distortions"),
    row("lenet5", "error", "0.8 %", f"{LENET}, section III.B", conditions="MNIST test, trained with distortions"),
    row("lenet5_modern", "parameters", "61,706", CLOSED_FORM),
    row("lenet5_modern", "weight layers", "5", CLOSED_FORM),
    row(
        "lenet5_modern",
        "parameters",
        "60 K",
        "often printed of this copy",
        "60,000 is the paper's network, whose C3 is partly connected; the copy with a full C3 has 61,706",
    ),
    row("simple_cnn", "parameters", "1,413,834", CLOSED_FORM),
    row("simple_cnn", "weight layers", "8", "Géron 2019, chapter 14"),
    row("simple_cnn", "year", "2019", "Géron 2019, chapter 14"),
]

_ALEXNET_LAYERS = {
    "stages.conv1": ("34,944", "253,440"),
    "stages.conv2": ("307,456", "186,624"),
    "stages.conv3": ("885,120", "64,896"),
    "stages.conv4": ("663,936", "64,896"),
    "stages.conv5": ("442,624", "43,264"),
    "head.fc6": ("37,752,832", "4,096"),
    "head.fc7": ("16,781,312", "4,096"),
    "head.out": ("4,097,000", "1,000"),
}


def _alexnet_layer(part: str, parameters: str, neurons: str) -> list[PublishedFigure]:
    slip = "96 maps of 55×55 are 290,400; 253,440 is 96 maps of 55×48" if part == "stages.conv1" else ""
    return [
        row("alexnet", "parameters", parameters, CLOSED_FORM, part=part),
        row("alexnet", "neurons", neurons, f"{ALEXNET}, figure 2", slip, part=part),
    ]


_ALEXNET = [
    row("alexnet", "year", "2012", ALEXNET),
    row("alexnet", "weight layers", "8", f"{ALEXNET}, section 3.5"),
    row("alexnet", "parameters", "60,965,224", CLOSED_FORM),
    row(
        "alexnet",
        "parameters",
        "60 M",
        f"{ALEXNET}, abstract",
        "60,965,224 rounds to 61 million; the paper prints a rough figure",
    ),
    row("alexnet", "MACs", "724,406,816", CLOSED_FORM),
    row(
        "alexnet",
        "neurons",
        "650,000",
        f"{ALEXNET}, abstract",
        "a rough figure: the maps of eight layers are 659,272 values, the list in figure 2 sums to 622,312",
    ),
    row("alexnet", "parameters", "62,378,344", CLOSED_FORM, groups=1),
    row("alexnet", "MACs", "1,135,256,096", CLOSED_FORM, groups=1),
    *(figure for part, printed in _ALEXNET_LAYERS.items() for figure in _alexnet_layer(part, *printed)),
    *error_rows("alexnet", "ILSVRC-2010 test, 1 network, 10 crops", "37.5 %", "17.0 %", f"{ALEXNET}, table 1"),
    *error_rows("alexnet", f"{VALIDATION}, 1 network, 10 crops", "40.7 %", "18.2 %", f"{ALEXNET}, table 2"),
    *error_rows("alexnet", "ILSVRC-2012 test, 5 networks", "", "16.4 %", f"{ALEXNET}, table 2"),
    *error_rows("alexnet", "ILSVRC-2012 test, 7 networks, extra data", "", "15.3 %", f"{ALEXNET}, table 2"),
    row("alexnet_owt", "year", "2014", "Krizhevsky 2014, arXiv:1404.5997"),
    row("alexnet_owt", "weight layers", "8", "Krizhevsky 2014, arXiv:1404.5997"),
    *torchvision_rows("alexnet_owt", "61,100,840", "0.714"),
]


def _vgg(
    network: str, layers: str, millions: str, parameters: str, giga_macs: str, top1: str, top5: str, scales: str
) -> list[PublishedFigure]:
    return [
        row(network, "year", "2014", VGG),
        row(network, "weight layers", layers, f"{VGG}, table 1"),
        row(network, "parameters", f"{millions} M", f"{VGG}, table 2"),
        row(network, "parameters", parameters, CLOSED_FORM),
        row(network, "MACs", f"{giga_macs} G", CLOSED_FORM),
        *error_rows(network, f"{VALIDATION}, 1 network, {scales}", top1, top5, f"{VGG}, table 3"),
    ]


_VGG = [
    *_vgg("vgg11", "11", "133", "132,863,336", "7.609", "29.6 %", "10.4 %", "scale 256"),
    *_vgg("vgg11_lrn", "11", "133", "132,863,336", "7.609", "29.7 %", "10.5 %", "scale 256"),
    *_vgg("vgg13", "13", "133", "133,047,848", "11.308", "28.7 %", "9.9 %", "scale 256"),
    *_vgg("vgg16_c", "16", "134", "133,638,952", "11.771", "27.3 %", "8.8 %", "scale 384, trained at 256 to 512"),
    *_vgg("vgg16", "16", "138", "138,357,544", "15.470", "25.6 %", "8.1 %", "scale 384, trained at 256 to 512"),
    *_vgg("vgg19", "19", "144", "143,667,240", "19.632", "25.5 %", "8.0 %", "scale 384, trained at 256 to 512"),
    row(
        "vgg16",
        "MACs",
        "15.3 G",
        f"{RESNET}, section 1",
        "the convolutions alone (15.347 G); the three fully connected layers add 0.124 G",
    ),
    row("vgg16", "MACs", "15.3 G", f"{RESNET}, section 1", part="stages"),
    row("vgg19", "MACs", "19.6 G", f"{RESNET}, section 3.3"),
    row("vgg16", "values", "15,237,608", CLOSED_FORM),
    row(
        "vgg16",
        "values",
        "24 M",
        "CS231n 2017, lecture 9: the column's total",
        "the same column's entries sum to 15,237,608, which is 60.95 MB as float32, not 96 MB",
    ),
    row("vgg19", "parameters", "138 M", "often printed of both", "138,357,544 is VGG-16"),
    *torchvision_rows("vgg11", "132,863,336", "7.609"),
    *torchvision_rows("vgg13", "133,047,848", "11.308"),
    *torchvision_rows("vgg16", "138,357,544", "15.47"),
    *torchvision_rows("vgg19", "143,667,240", "19.632"),
    *torchvision_rows("vgg11_bn", "132,868,840", "7.609"),
    *torchvision_rows("vgg13_bn", "133,053,736", "11.308"),
    *torchvision_rows("vgg16_bn", "138,365,992", "15.47"),
    *torchvision_rows("vgg19_bn", "143,678,248", "19.632"),
    row("vgg16", "parameters", "138.4 M", KERAS),
    row("vgg19", "parameters", "143.7 M", KERAS),
]

_NIN = [
    row("nin", "year", "2013", NIN),
    row("nin", "parameters", "7,595,176", CLOSED_FORM),
    row("nin", "weight layers", "12", CLOSED_FORM),
    row("nin_cifar", "year", "2013", NIN),
    row("nin_cifar", "weight layers", "9", CLOSED_FORM),
    row("nin_cifar", "error", "10.41 %", f"{NIN}, table 1", conditions="CIFAR-10 test, no augmentation"),
    row("nin_cifar", "error", "8.81 %", f"{NIN}, table 1", conditions="CIFAR-10 test, shifts and mirror images"),
]

FIGURES: tuple[PublishedFigure, ...] = (*_LENET, *_ALEXNET, *_NIN, *_VGG)
