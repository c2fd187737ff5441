"""What must hold of every network: a row each, from its paper or computed from its layers by closed formula."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What must hold of one network at its standard input and its default number of classes.

    `parameters` are those of prediction, `aux_parameters` those of the auxiliary heads. `smallest` is the least height
    and width that the network takes, where it takes more than one size.
    """

    parameters: int
    macs: int
    out_shape: tuple[int, int]
    strides: tuple[int, ...]
    channels: tuple[int, ...]
    source: str
    aux_parameters: int = 0
    smallest: int = 1


RESNET_STRIDES = (2, 4, 8, 16, 32)
BASIC_CHANNELS = (64, 64, 128, 256, 512)
BOTTLENECK_CHANNELS = (64, 256, 512, 1024, 2048)
TABLE_1 = "arXiv:1512.03385, table 1"
SECTION_4_2 = "arXiv:1512.03385, section 4.2"


def resnet(parameters: int, macs: int, channels: tuple[int, ...]) -> Facts:
    return Facts(
        parameters=parameters,
        macs=macs,
        out_shape=(2, 1000),
        strides=RESNET_STRIDES,
        channels=channels,
        source=TABLE_1,
    )


def cifar_resnet(parameters: int, blocks: int) -> Facts:
    """Closed formula: every 3×3 convolution but the two that widen costs 2,359,296, these two cost half of that."""
    stem, same, wider, linear = 442_368, 2_359_296, 1_179_648, 640
    return Facts(
        parameters=parameters,
        macs=stem + (6 * blocks - 2) * same + 2 * wider + linear,
        out_shape=(2, 10),
        strides=(1, 1, 2, 4),
        channels=(16, 16, 32, 64),
        source=SECTION_4_2,
    )


FACTS = {
    "lenet5": Facts(
        parameters=60_000,
        macs=117_600 + 1_176 + 150_000 + 400 + 48_000 + 10_080 + 840,  # c1, s2, c3, s4, c5, f6, RBF
        out_shape=(2, 10),
        strides=(1, 2, 2, 4, 4),
        channels=(6, 6, 16, 16, 120),
        source="doi:10.1109/5.726791, section II.B",
    ),
    "lenet5_modern": Facts(
        parameters=61_706,
        macs=117_600 + 240_000 + 48_000 + 10_080 + 840,  # c1, c3, c5, f6, out
        out_shape=(2, 10),
        strides=(1, 2, 2, 4, 4),
        channels=(6, 6, 16, 16, 120),
        source="doi:10.1109/5.726791, section II.B",
    ),
    "simple_cnn": Facts(
        parameters=3_200 + 73_856 + 147_584 + 295_168 + 590_080 + 295_040 + 8_256 + 650,
        macs=28**2 * 7**2 * 64
        + 14**2 * 9 * (64 + 128) * 128
        + 7**2 * 9 * (128 + 256) * 256
        + 2304 * 128
        + 128 * 64
        + 640,
        out_shape=(2, 10),
        strides=(2, 4, 8),
        channels=(64, 128, 256),
        source="Géron 2019",
    ),
    "resnet18": resnet(11_689_512, 1_814_073_344, BASIC_CHANNELS),
    "resnet34": resnet(21_797_672, 3_663_761_408, BASIC_CHANNELS),
    "resnet50": resnet(25_557_032, 4_089_184_256, BOTTLENECK_CHANNELS),
    "resnet101": resnet(44_549_160, 7_801_405_440, BOTTLENECK_CHANNELS),
    "resnet152": resnet(60_192_808, 11_513_626_624, BOTTLENECK_CHANNELS),
    "resnet20_cifar": cifar_resnet(269_722, 3),
    "resnet32_cifar": cifar_resnet(464_154, 5),
    "resnet44_cifar": cifar_resnet(658_586, 7),
    "resnet56_cifar": cifar_resnet(853_018, 9),
    "resnet110_cifar": cifar_resnet(1_727_962, 18),
}
