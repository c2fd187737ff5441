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


def products(*rows: tuple[int, int]) -> int:
    """Multiply-accumulates: of each row, the side of a map and the weights of the convolutions that make it."""
    return sum(side**2 * weights for side, weights in rows)


def separable(before: int, after: int) -> int:
    """Weights of a 3×3 convolution within each channel and a 1×1 across them."""
    return 9 * before + before * after


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
    "inception_v4": Facts(
        parameters=42_679_816,  # as timm
        macs=products(
            *((149, 9 * 3 * 32), (147, 9 * 32 * (32 + 64)), (71, 2 * 9 * 64 * 96), (35, 9 * 192 * 192)),
            (73, 9 * 64 * 96 + 2 * 160 * 64 + 2 * 7 * 64 * 64),  # these two lines: the stem
            (35, 4 * (384 * (96 + 64 + 64 + 96) + 9 * (2 * 64 * 96 + 96 * 96))),  # A
            *((35, 384 * 192 + 9 * 192 * 224), (17, 9 * (384 * 384 + 224 * 256))),
            (17, 7 * 1024 * (384 + 192 + 192 + 128)),  # B, its 1×1, then its 1×7 and 7×1
            (17, 7 * 7 * (192 * 224 + 224 * 256 + 192 * 192 + 192 * 224 + 224 * 224 + 224 * 256)),
            *((17, 1024 * (192 + 256) + 7 * (256 * 256 + 256 * 320)), (8, 9 * (192 * 192 + 320 * 320))),
            (8, 3 * (1536 * (256 + 384 + 384 + 256) + 3 * (2 * 384 * 256 + 384 * 448 + 448 * 512 + 2 * 512 * 256))),
            (1, 1536 * 1000),
        ),  # 12.254 G; timm's tables print 12.28 G, with two operations for each of 15,089,184 normalised values
        out_shape=(2, 1000),
        strides=(8, 8, 16, 16, 32, 32),
        channels=(384, 384, 1024, 1024, 1536, 1536),
        source="arXiv:1602.07261, figure 9",
        smallest=75,
    ),
    "inception_resnet_v2": Facts(
        parameters=55_843_464,  # as timm
        macs=products(
            *((149, 9 * 3 * 32), (147, 9 * 32 * (32 + 64)), (73, 64 * 80), (71, 9 * 80 * 192)),
            (35, 192 * (96 + 48 + 64 + 64) + 25 * 48 * 64 + 9 * (64 * 96 + 96 * 96)),  # the stem's module
            (35, 10 * (320 * 3 * 32 + 9 * (32 * 32 + 32 * 48 + 48 * 64) + 128 * 320)),  # A
            *((35, 320 * 256 + 9 * 256 * 256), (17, 9 * (320 * 384 + 256 * 384))),
            (17, 20 * (1088 * (192 + 128) + 7 * (128 * 160 + 160 * 192) + 384 * 1088)),  # B
            *((17, 3 * 1088 * 256 + 9 * 256 * 288), (8, 9 * (256 * 384 + 256 * 288 + 288 * 320))),
            (8, 10 * (2 * 2080 * 192 + 3 * (192 * 224 + 224 * 256) + 448 * 2080)),  # C
            *((8, 2080 * 1536), (1, 1536 * 1000)),
        ),  # 13.156 G; timm's tables print 13.18 G, with two operations for each of 13,519,136 normalised values
        out_shape=(2, 1000),
        strides=(8, 8, 16, 16, 32, 32, 32),
        channels=(320, 320, 1088, 1088, 2080, 2080, 1536),
        source="arXiv:1602.07261, figure 15",
        smallest=75,
    ),
    "xception": Facts(
        parameters=22_855_952,  # table 3
        macs=products(
            *((149, 9 * 3 * 32), (147, 9 * 32 * 64)),
            *((147, separable(64, 128) + separable(128, 128)), (74, 64 * 128)),
            *((74, separable(128, 256) + separable(256, 256)), (37, 128 * 256)),
            *((37, separable(256, 728) + separable(728, 728)), (19, 256 * 728)),
            (19, 8 * 3 * separable(728, 728)),  # the middle flow
            *((19, separable(728, 728) + separable(728, 1024)), (10, 728 * 1024)),
            *((10, separable(1024, 1536) + separable(1536, 2048)), (1, 2048 * 1000)),
        ),
        out_shape=(2, 1000),
        strides=(2, 4, 8, 16, 16, 32, 32),
        channels=(64, 128, 256, 728, 728, 1024, 2048),
        source="arXiv:1610.02357, figure 5",
        smallest=7,
    ),
}
