"""Every published figure, paper by paper.

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


def _figure(
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


def _errors(
    network: str, conditions: str, top1: str, top5: str, source: str, **arguments: Any
) -> list[PublishedFigure]:
    """Top-1 and top-5 error as a source prints them."""
    pairs: list[tuple[Quantity, str]] = [("top-1 error", top1), ("top-5 error", top5)]
    return [
        _figure(network, quantity, printed, source, conditions=conditions, **arguments)
        for quantity, printed in pairs
        if printed
    ]


def _torchvision(network: str, parameters: str, giga_macs: str) -> list[PublishedFigure]:
    """`num_params` and `_ops`; torchvision calls the latter GFLOPS and counts multiply-accumulates."""
    return [
        _figure(network, "parameters", parameters, TORCHVISION),
        _figure(network, "MACs", f"{giga_macs} G", TORCHVISION),
    ]


_LENET = [
    _figure("lenet5", "year", "1998", LENET),
    _figure("lenet5", "parameters", "60,000", f"{LENET}, section II.B"),
    _figure("lenet5", "connections", "340,908", f"{LENET}, section II.B"),
    _figure("lenet5", "weight layers", "7", f"{LENET}, section II.B"),
    _figure("lenet5", "parameters", "156", f"{LENET}, section II.B", part="stages.c1"),
    _figure("lenet5", "parameters", "12", f"{LENET}, section II.B", part="stages.s2"),
    _figure("lenet5", "parameters", "1,516", f"{LENET}, section II.B", part="stages.c3"),
    _figure("lenet5", "parameters", "32", f"{LENET}, section II.B", part="stages.s4"),
    _figure("lenet5", "parameters", "48,120", f"{LENET}, section II.B", part="stages.c5"),
    _figure("lenet5", "parameters", "10,164", f"{LENET}, section II.B", part="head.f6"),
    _figure("lenet5", "error", "0.95 %", f"{LENET}, section III.B", conditions="MNIST test, without distortions"),
    _figure("lenet5", "error", "0.8 %", f"{LENET}, section III.B", conditions="MNIST test, trained with distortions"),
    _figure("lenet5_modern", "parameters", "61,706", CLOSED_FORM),
    _figure("lenet5_modern", "weight layers", "5", CLOSED_FORM),
    _figure(
        "lenet5_modern",
        "parameters",
        "60 K",
        "often printed of this copy",
        "60,000 is the paper's network, whose C3 is partly connected; the copy with a full C3 has 61,706",
    ),
    _figure("simple_cnn", "parameters", "1,413,834", CLOSED_FORM),
    _figure("simple_cnn", "weight layers", "8", "Géron 2019, chapter 14"),
    _figure("simple_cnn", "year", "2019", "Géron 2019, chapter 14"),
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
        _figure("alexnet", "parameters", parameters, CLOSED_FORM, part=part),
        _figure("alexnet", "neurons", neurons, f"{ALEXNET}, figure 2", slip, part=part),
    ]


_ALEXNET = [
    _figure("alexnet", "year", "2012", ALEXNET),
    _figure("alexnet", "weight layers", "8", f"{ALEXNET}, section 3.5"),
    _figure("alexnet", "parameters", "60,965,224", CLOSED_FORM),
    _figure(
        "alexnet",
        "parameters",
        "60 M",
        f"{ALEXNET}, abstract",
        "60,965,224 rounds to 61 million; the paper prints a rough figure",
    ),
    _figure("alexnet", "MACs", "724,406,816", CLOSED_FORM),
    _figure(
        "alexnet",
        "neurons",
        "650,000",
        f"{ALEXNET}, abstract",
        "a rough figure: the maps of eight layers are 659,272 values, the list in figure 2 sums to 622,312",
    ),
    _figure("alexnet", "parameters", "62,378,344", CLOSED_FORM, groups=1),
    _figure("alexnet", "MACs", "1,135,256,096", CLOSED_FORM, groups=1),
    *(figure for part, printed in _ALEXNET_LAYERS.items() for figure in _alexnet_layer(part, *printed)),
    *_errors("alexnet", "ILSVRC-2010 test, 1 network, 10 crops", "37.5 %", "17.0 %", f"{ALEXNET}, table 1"),
    *_errors("alexnet", f"{VALIDATION}, 1 network, 10 crops", "40.7 %", "18.2 %", f"{ALEXNET}, table 2"),
    *_errors("alexnet", "ILSVRC-2012 test, 5 networks", "", "16.4 %", f"{ALEXNET}, table 2"),
    *_errors("alexnet", "ILSVRC-2012 test, 7 networks, extra data", "", "15.3 %", f"{ALEXNET}, table 2"),
    _figure("alexnet_owt", "year", "2014", "Krizhevsky 2014, arXiv:1404.5997"),
    _figure("alexnet_owt", "weight layers", "8", "Krizhevsky 2014, arXiv:1404.5997"),
    *_torchvision("alexnet_owt", "61,100,840", "0.714"),
]


def _vgg(
    network: str, layers: str, millions: str, parameters: str, giga_macs: str, top1: str, top5: str, scales: str
) -> list[PublishedFigure]:
    return [
        _figure(network, "year", "2014", VGG),
        _figure(network, "weight layers", layers, f"{VGG}, table 1"),
        _figure(network, "parameters", f"{millions} M", f"{VGG}, table 2"),
        _figure(network, "parameters", parameters, CLOSED_FORM),
        _figure(network, "MACs", f"{giga_macs} G", CLOSED_FORM),
        *_errors(network, f"{VALIDATION}, 1 network, {scales}", top1, top5, f"{VGG}, table 3"),
    ]


_VGG = [
    *_vgg("vgg11", "11", "133", "132,863,336", "7.609", "29.6 %", "10.4 %", "scale 256"),
    *_vgg("vgg11_lrn", "11", "133", "132,863,336", "7.609", "29.7 %", "10.5 %", "scale 256"),
    *_vgg("vgg13", "13", "133", "133,047,848", "11.308", "28.7 %", "9.9 %", "scale 256"),
    *_vgg("vgg16_c", "16", "134", "133,638,952", "11.771", "27.3 %", "8.8 %", "scale 384, trained at 256 to 512"),
    *_vgg("vgg16", "16", "138", "138,357,544", "15.470", "25.6 %", "8.1 %", "scale 384, trained at 256 to 512"),
    *_vgg("vgg19", "19", "144", "143,667,240", "19.632", "25.5 %", "8.0 %", "scale 384, trained at 256 to 512"),
    _figure(
        "vgg16",
        "MACs",
        "15.3 G",
        f"{RESNET}, section 1",
        "the convolutions alone (15.347 G); the three fully connected layers add 0.124 G",
    ),
    _figure("vgg16", "MACs", "15.3 G", f"{RESNET}, section 1", part="stages"),
    _figure("vgg19", "MACs", "19.6 G", f"{RESNET}, section 3.3"),
    _figure("vgg16", "values", "15,237,608", CLOSED_FORM),
    _figure(
        "vgg16",
        "values",
        "24 M",
        "CS231n 2017, lecture 9: the column's total",
        "the same column's entries sum to 15,237,608, which is 60.95 MB as float32, not 96 MB",
    ),
    _figure("vgg19", "parameters", "138 M", "often printed of both", "138,357,544 is VGG-16"),
    *_torchvision("vgg11", "132,863,336", "7.609"),
    *_torchvision("vgg13", "133,047,848", "11.308"),
    *_torchvision("vgg16", "138,357,544", "15.47"),
    *_torchvision("vgg19", "143,667,240", "19.632"),
    *_torchvision("vgg11_bn", "132,868,840", "7.609"),
    *_torchvision("vgg13_bn", "133,053,736", "11.308"),
    *_torchvision("vgg16_bn", "138,365,992", "15.47"),
    *_torchvision("vgg19_bn", "143,678,248", "19.632"),
    _figure("vgg16", "parameters", "138.4 M", KERAS),
    _figure("vgg19", "parameters", "143.7 M", KERAS),
]

_NIN = [
    _figure("nin", "year", "2013", NIN),
    _figure("nin", "parameters", "7,595,176", CLOSED_FORM),
    _figure("nin", "weight layers", "12", CLOSED_FORM),
    _figure("nin_cifar", "year", "2013", NIN),
    _figure("nin_cifar", "weight layers", "9", CLOSED_FORM),
    _figure("nin_cifar", "error", "10.41 %", f"{NIN}, table 1", conditions="CIFAR-10 test, no augmentation"),
    _figure("nin_cifar", "error", "8.81 %", f"{NIN}, table 1", conditions="CIFAR-10 test, shifts and mirror images"),
]

# Table 1 of the paper: "params" and "ops" of each row.
_GOOGLENET_ROWS = {
    "stages.conv1": ("2.7 K", "34 M"),
    "stages.conv2": ("112 K", "360 M"),
    "stages.inception3a": ("159 K", "128 M"),
    "stages.inception3b": ("380 K", "304 M"),
    "stages.inception4a": ("364 K", "73 M"),
    "stages.inception4b": ("437 K", "88 M"),
    "stages.inception4c": ("463 K", "100 M"),
    "stages.inception4d": ("580 K", "119 M"),
    "stages.inception4e": ("840 K", "170 M"),
    "stages.inception5a": ("1072 K", "54 M"),
    "stages.inception5b": ("1388 K", "71 M"),
    "head": ("1000 K", "1 M"),
}
_NO_ONE_COUNT = (
    "the column fits no one way to count: in units of 1,024 it is right for conv2, 3b and, without biases, the last row"
)
_GOOGLENET_REASONS: dict[tuple[str, Quantity], str] = {
    ("stages.conv1", "parameters"): "64 filters of 7×7×3 are 9,408 weights and 64 biases",
    ("stages.conv1", "MACs"): "9,408 weights at 112×112 places; the table's 34 M are its own 2.7 K at these places",
    ("stages.inception4a", "MACs"): "cut off, not rounded: the table's own filters give 73.6 M",
    ("stages.inception5a", "MACs"): "the table's own filters give 51.1 M",
}


def _googlenet_row(part: str, parameters: str, macs: str) -> list[PublishedFigure]:
    pairs: list[tuple[Quantity, str, str]] = [("parameters", parameters, _NO_ONE_COUNT), ("MACs", macs, "")]
    return [
        _figure(
            "googlenet",
            quantity,
            printed,
            f"{GOOGLENET}, table 1",
            _GOOGLENET_REASONS.get((part, quantity), reason),
            part=part,
        )
        for quantity, printed, reason in pairs
    ]


_GOOGLENET = [
    _figure("googlenet", "year", "2014", GOOGLENET),
    _figure("googlenet", "weight layers", "22", f"{GOOGLENET}, section 5"),
    _figure("googlenet", "parameters", "6,998,552", CLOSED_FORM),
    _figure("googlenet", "parameters with auxiliary heads", "13,378,280", CLOSED_FORM),
    _figure(
        "googlenet",
        "parameters",
        "6.8 M",
        f"{GOOGLENET}, sum of table 1",
        "the table's column of parameters fits its own layers only roughly (rows below)",
    ),
    _figure("googlenet", "MACs", "1.583 G", CLOSED_FORM),
    _figure(
        "googlenet",
        "MACs",
        "1.5 G",
        f"{GOOGLENET}, section 1",
        "the ops of table 1 sum to 1.502 G; it has 34 M for the first convolution, which costs 118 M",
    ),
    *(figure for part, printed in _GOOGLENET_ROWS.items() for figure in _googlenet_row(part, *printed)),
    *_errors("googlenet", ONE_CROP, "", "10.07 %", f"{GOOGLENET}, table 3"),
    *_errors("googlenet", TEN_CROPS, "", "9.15 %", f"{GOOGLENET}, table 3"),
    *_errors("googlenet", f"{VALIDATION}, 1 network, 144 crops", "", "7.89 %", f"{GOOGLENET}, table 3"),
    *_errors("googlenet", f"{VALIDATION}, 7 networks, 144 crops", "", "6.67 %", f"{GOOGLENET}, table 3"),
    *_torchvision("googlenet_bn", "6,624,904", "1.498"),
]

_INCEPTION = [
    _figure("inception_v3", "year", "2015", INCEPTION_V3),
    _figure("inception_v3", "parameters", "< 25 M", f"{INCEPTION_V3}, abstract"),
    _figure(
        "inception_v3",
        "parameters",
        "23,626,728",
        f"{XCEPTION}, table 3",
        "0.9 % fewer; that paper does not say what its Inception-v3 leaves out, Keras's and torchvision's have 23.8 M",
    ),
    _figure("inception_v3", "parameters with auxiliary heads", "27,161,264", TORCHVISION),
    _figure("inception_v3", "MACs", "5.713 G", TORCHVISION),
    _figure(
        "inception_v3",
        "MACs",
        "5 G",
        f"{INCEPTION_V3}, abstract",
        "5.71 G for the released network at 299×299; the paper (4.8 G in its table 3) does not list what it counts",
    ),
    _figure(
        "inception_v3",
        "weight layers",
        "42",
        f"{INCEPTION_V3}, section 6",
        "the longest way through the released network has 48 weight layers; the paper does not list its 42",
    ),
    _figure("inception_v3", "parameters and running statistics", "23.9 M", KERAS),
    *_errors("inception_v3", ONE_CROP, "21.2 %", "5.6 %", f"{INCEPTION_V3}, table 3"),
    _figure("inception_v4", "year", "2016", INCEPTION_V4),
    _figure("inception_v4", "parameters", "42.7 M", TIMM),
    _figure("inception_v4", "MACs", "12.3 G", TIMM),
    *_errors("inception_v4", ONE_CROP, "20.0 %", "5.0 %", f"{INCEPTION_V4}, table 2"),
    *_errors("inception_v4", f"{VALIDATION}, 1 network, 144 crops", "17.7 %", "3.8 %", f"{INCEPTION_V4}, table 4"),
    _figure("inception_resnet_v2", "year", "2016", INCEPTION_V4),
    _figure("inception_resnet_v2", "parameters", "55.8 M", TIMM),
    _figure("inception_resnet_v2", "MACs", "13.2 G", TIMM),
    _figure("inception_resnet_v2", "parameters and running statistics", "55.9 M", KERAS),
    *_errors("inception_resnet_v2", ONE_CROP, "19.9 %", "4.9 %", f"{INCEPTION_V4}, table 2"),
    *_errors(
        "inception_resnet_v2", f"{VALIDATION}, 1 network, 144 crops", "17.8 %", "3.7 %", f"{INCEPTION_V4}, table 4"
    ),
    _figure("xception", "year", "2016", XCEPTION),
    _figure("xception", "parameters", "22,855,952", f"{XCEPTION}, table 3"),
    _figure("xception", "parameters and running statistics", "22.9 M", KERAS),
    _figure("xception", "MACs", "8.4 G", TIMM),
    _figure("xception", "weight layers", "36", f"{XCEPTION}, section 4", part="stages"),
    *_errors("xception", ONE_CROP, "21.0 %", "5.5 %", f"{XCEPTION}, table 1"),
]


def _resnet(
    network: str, parameters: str, giga_macs: str, printed_giga: str, reason: str, **arguments: str
) -> list[PublishedFigure]:
    return [
        _figure(network, "year", "2015", RESNET),
        _figure(network, "weight layers", network.removeprefix("resnet"), f"{RESNET}, table 1"),
        *_torchvision(network, parameters, giga_macs),
        _figure(network, "MACs", f"{printed_giga} G", f"{RESNET}, table 1", reason, **arguments),
    ]


_SAYS_NOT = "no choice of stride and shortcut that the paper names gives its figure; ours is 3.86 with its stride"

_RESNET = [
    *_resnet("resnet18", "11,689,512", "1.814", "1.8", ""),
    *_resnet("resnet34", "21,797,672", "3.664", "3.6", "", shortcut="A"),
    *_resnet("resnet50", "25,557,032", "4.089", "3.8", _SAYS_NOT, stride_on="1x1"),
    *_resnet("resnet101", "44,549,160", "7.801", "7.6", "", stride_on="1x1"),
    *_resnet("resnet152", "60,192,808", "11.514", "11.3", "", stride_on="1x1"),
    _figure("resnet34", "MACs", "3.66 G", CLOSED_FORM),
    _figure("resnet50", "MACs", "3.86 G", CLOSED_FORM, stride_on="1x1"),
    _figure("resnet101", "MACs", "7.57 G", CLOSED_FORM, stride_on="1x1"),
    _figure("resnet152", "MACs", "11.28 G", CLOSED_FORM, stride_on="1x1"),
    _figure("resnet50", "parameters and running statistics", "25.6 M", KERAS),
    _figure("resnet101", "parameters and running statistics", "44.7 M", KERAS),
    _figure(
        "resnet152",
        "parameters and running statistics",
        "60.4 M",
        KERAS,
        "Keras's convolutions have biases, which the normalisation after them takes away again",
    ),
    *_errors("resnet18", TEN_CROPS, "27.88 %", "", f"{RESNET}, table 2", shortcut="A"),
    *_errors("resnet34", TEN_CROPS, "25.03 %", "7.76 %", f"{RESNET}, table 3", shortcut="A"),
    *_errors("resnet34", TEN_CROPS, "24.52 %", "7.46 %", f"{RESNET}, table 3"),
    *_errors("resnet34", TEN_CROPS, "24.19 %", "7.40 %", f"{RESNET}, table 3", shortcut="C"),
    *_errors("resnet50", TEN_CROPS, "22.85 %", "6.71 %", f"{RESNET}, table 3", stride_on="1x1"),
    *_errors("resnet101", TEN_CROPS, "21.75 %", "6.05 %", f"{RESNET}, table 3", stride_on="1x1"),
    *_errors("resnet152", TEN_CROPS, "21.43 %", "5.71 %", f"{RESNET}, table 3", stride_on="1x1"),
    *_errors("resnet34", MULTI_SCALE, "21.84 %", "5.71 %", f"{RESNET}, table 4"),
    *_errors("resnet50", MULTI_SCALE, "20.74 %", "5.25 %", f"{RESNET}, table 4", stride_on="1x1"),
    *_errors("resnet101", MULTI_SCALE, "19.87 %", "4.60 %", f"{RESNET}, table 4", stride_on="1x1"),
    *_errors("resnet152", MULTI_SCALE, "19.38 %", "4.49 %", f"{RESNET}, table 4", stride_on="1x1"),
    _figure("plain18", "weight layers", "18", f"{RESNET}, table 1"),
    _figure("plain34", "weight layers", "34", f"{RESNET}, table 1"),
    _figure("plain34", "MACs", "3.6 G", f"{RESNET}, section 3.3"),
    _figure("plain18", "top-1 error", "27.94 %", f"{RESNET}, table 2", conditions=TEN_CROPS),
    *_errors("plain34", TEN_CROPS, "28.54 %", "10.02 %", f"{RESNET}, table 3"),
    _figure("plain20_cifar", "weight layers", "20", f"{RESNET}, section 4.2"),
    _figure("plain56_cifar", "weight layers", "56", f"{RESNET}, section 4.2"),
    _figure("resnetv2_50", "year", "2016", RESNET_V2),
    _figure("resnetv2_101", "year", "2016", RESNET_V2),
    _figure("resnetv2_152", "year", "2016", RESNET_V2),
    _figure("resnetv2_50", "weight layers", "50", f"{RESNET_V2}, after {RESNET}, table 1"),
    _figure("resnetv2_101", "weight layers", "101", f"{RESNET_V2}, after {RESNET}, table 1"),
    _figure("resnetv2_152", "weight layers", "152", f"{RESNET_V2}, after {RESNET}, table 1"),
    _figure("resnetv2_50", "parameters", "25.5 M", TIMM),
    _figure("resnetv2_50", "MACs", "4.1 G", TIMM),
    _figure("resnetv2_101", "parameters", "44.5 M", TIMM),
    _figure("resnetv2_101", "MACs", "7.8 G", TIMM),
    *_errors("resnetv2_152", f"{VALIDATION}, 1 network, 1 crop of 320×320", "21.1 %", "5.5 %", f"{RESNET_V2}, table 5"),
]


def _cifar_resnet(depth: int, millions: str, error: str) -> list[PublishedFigure]:
    network = f"resnet{depth}_cifar"
    return [
        _figure(network, "year", "2015", RESNET),
        _figure(network, "weight layers", str(depth), f"{RESNET}, section 4.2"),
        _figure(network, "parameters", f"{millions} M", f"{RESNET}, table 6"),
        _figure(network, "error", f"{error} %", f"{RESNET}, table 6", conditions=CIFAR10),
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
        _figure(network, "year", "2016", DENSENET),
        _figure(
            network, "weight layers", network.removeprefix("densenet"), f"{DENSENET}, table 1", _DEPTHS.get(network, "")
        ),
        *_errors(network, ONE_CROP, top1, top5, f"{DENSENET}, table 3"),
    ]
    if with_statistics:
        figures.append(_figure(network, "parameters and running statistics", with_statistics, KERAS))
    return figures


_DENSENET = [
    *_densenet("densenet121", "25.02 %", "7.71 %", "8.1 M"),
    *_densenet("densenet169", "23.80 %", "6.85 %", "14.3 M"),
    *_densenet("densenet201", "22.58 %", "6.34 %", "20.2 M"),
    *_densenet("densenet264", "22.15 %", "6.12 %"),
    _figure("densenet161", "year", "2016", DENSENET),
    _figure("densenet161", "weight layers", "161", "github.com/liuzhuang13/DenseNet"),
    *_torchvision("densenet121", "7,978,856", "2.834"),
    *_torchvision("densenet161", "28,681,000", "7.728"),
    *_torchvision("densenet169", "14,149,480", "3.36"),
    *_torchvision("densenet201", "20,013,928", "4.291"),
    _figure("densenet201", "parameters", "20 M", f"{DENSENET}, section 4.4"),
    _figure("densenet40_cifar", "year", "2016", DENSENET),
    _figure("densenet40_cifar", "weight layers", "40", f"{DENSENET}, table 2"),
    _figure("densenet40_cifar", "parameters", "1.0 M", f"{DENSENET}, table 2"),
    _figure("densenet40_cifar", "error", "5.24 %", f"{DENSENET}, table 2", conditions=CIFAR10),
    _figure("densenet100_cifar", "year", "2016", DENSENET),
    _figure("densenet100_cifar", "weight layers", "100", f"{DENSENET}, table 2"),
    _figure("densenet100_cifar", "parameters", "0.8 M", f"{DENSENET}, table 2"),
    _figure("densenet100_cifar", "error", "4.51 %", f"{DENSENET}, table 2", conditions=CIFAR10),
    _figure("densenet100_cifar", "parameters", "7.0 M", f"{DENSENET}, table 2", bottleneck=False, compression=1.0),
    _figure(
        "densenet100_cifar",
        "error",
        "4.10 %",
        f"{DENSENET}, table 2",
        conditions=CIFAR10,
        bottleneck=False,
        compression=1.0,
    ),
]

FIGURES: tuple[PublishedFigure, ...] = (
    *_LENET,
    *_ALEXNET,
    *_NIN,
    *_VGG,
    *_GOOGLENET,
    *_INCEPTION,
    *_RESNET,
    *_RESNET_CIFAR,
    *_DENSENET,
)
