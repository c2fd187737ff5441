"""Published figures of GoogLeNet and of what came of it: Inception, Inception-ResNet, Xception."""

from __future__ import annotations

from hubel.models.published.figure import PublishedFigure, Quantity
from hubel.models.published.rows import (
    CLOSED_FORM,
    GOOGLENET,
    INCEPTION_V3,
    INCEPTION_V4,
    KERAS,
    ONE_CROP,
    TEN_CROPS,
    TIMM,
    TORCHVISION,
    VALIDATION,
    XCEPTION,
    error_rows,
    row,
    torchvision_rows,
)

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
        row(
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
    row("googlenet", "year", "2014", GOOGLENET),
    row("googlenet", "weight layers", "22", f"{GOOGLENET}, section 5"),
    row("googlenet", "parameters", "6,998,552", CLOSED_FORM),
    row("googlenet", "parameters with auxiliary heads", "13,378,280", CLOSED_FORM),
    row(
        "googlenet",
        "parameters",
        "6.8 M",
        f"{GOOGLENET}, sum of table 1",
        "the table's column of parameters fits its own layers only roughly (rows below)",
    ),
    row("googlenet", "MACs", "1.583 G", CLOSED_FORM),
    row(
        "googlenet",
        "MACs",
        "1.5 G",
        f"{GOOGLENET}, section 1",
        "the ops of table 1 sum to 1.502 G; it has 34 M for the first convolution, which costs 118 M",
    ),
    *(figure for part, printed in _GOOGLENET_ROWS.items() for figure in _googlenet_row(part, *printed)),
    *error_rows("googlenet", ONE_CROP, "", "10.07 %", f"{GOOGLENET}, table 3"),
    *error_rows("googlenet", TEN_CROPS, "", "9.15 %", f"{GOOGLENET}, table 3"),
    *error_rows("googlenet", f"{VALIDATION}, 1 network, 144 crops", "", "7.89 %", f"{GOOGLENET}, table 3"),
    *error_rows("googlenet", f"{VALIDATION}, 7 networks, 144 crops", "", "6.67 %", f"{GOOGLENET}, table 3"),
    *torchvision_rows("googlenet_bn", "6,624,904", "1.498"),
]

_INCEPTION = [
    row("inception_v3", "year", "2015", INCEPTION_V3),
    row("inception_v3", "parameters", "< 25 M", f"{INCEPTION_V3}, abstract"),
    row(
        "inception_v3",
        "parameters",
        "23,626,728",
        f"{XCEPTION}, table 3",
        "0.9 % fewer; that paper does not say what its Inception-v3 leaves out, Keras's and torchvision's have 23.8 M",
    ),
    row("inception_v3", "parameters with auxiliary heads", "27,161,264", TORCHVISION),
    row("inception_v3", "MACs", "5.713 G", TORCHVISION),
    row(
        "inception_v3",
        "MACs",
        "5 G",
        f"{INCEPTION_V3}, abstract",
        "5.71 G for the released network at 299×299; the paper (4.8 G in its table 3) does not list what it counts",
    ),
    row(
        "inception_v3",
        "weight layers",
        "42",
        f"{INCEPTION_V3}, section 6",
        "the longest way through the released network has 48 weight layers; the paper does not list its 42",
    ),
    row("inception_v3", "parameters and running statistics", "23.9 M", KERAS),
    *error_rows("inception_v3", ONE_CROP, "21.2 %", "5.6 %", f"{INCEPTION_V3}, table 3"),
    row("inception_v4", "year", "2016", INCEPTION_V4),
    row("inception_v4", "parameters", "42.7 M", TIMM),
    row("inception_v4", "MACs", "12.3 G", TIMM),
    *error_rows("inception_v4", ONE_CROP, "20.0 %", "5.0 %", f"{INCEPTION_V4}, table 2"),
    *error_rows("inception_v4", f"{VALIDATION}, 1 network, 144 crops", "17.7 %", "3.8 %", f"{INCEPTION_V4}, table 4"),
    row("inception_resnet_v2", "year", "2016", INCEPTION_V4),
    row("inception_resnet_v2", "parameters", "55.8 M", TIMM),
    row("inception_resnet_v2", "MACs", "13.2 G", TIMM),
    row("inception_resnet_v2", "parameters and running statistics", "55.9 M", KERAS),
    *error_rows("inception_resnet_v2", ONE_CROP, "19.9 %", "4.9 %", f"{INCEPTION_V4}, table 2"),
    *error_rows(
        "inception_resnet_v2", f"{VALIDATION}, 1 network, 144 crops", "17.8 %", "3.7 %", f"{INCEPTION_V4}, table 4"
    ),
    row("xception", "year", "2016", XCEPTION),
    row("xception", "parameters", "22,855,952", f"{XCEPTION}, table 3"),
    row("xception", "parameters and running statistics", "22.9 M", KERAS),
    row("xception", "MACs", "8.4 G", TIMM),
    row("xception", "weight layers", "36", f"{XCEPTION}, section 4", part="stages"),
    *error_rows("xception", ONE_CROP, "21.0 %", "5.5 %", f"{XCEPTION}, table 1"),
]

FIGURES: tuple[PublishedFigure, ...] = (*_GOOGLENET, *_INCEPTION)
