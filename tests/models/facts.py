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


def resnetv2(parameters_of_resnet: int, macs_of_resnet: int) -> Facts:
    return Facts(
        parameters=parameters_of_resnet - 2 * (256 + 512 + 1024 + 2048),
        macs=macs_of_resnet,
        out_shape=(2, 1000),
        strides=RESNET_STRIDES,
        channels=BOTTLENECK_CHANNELS,
        source="arXiv:1603.05027, figure 4e",
    )


def plain(parameters_of_resnet: int, macs_of_resnet: int) -> Facts:
    """The residual network without its three projections, each a 1×1 convolution and a BatchNorm."""
    projections = ((64, 128, 28), (128, 256, 14), (256, 512, 7))
    return Facts(
        parameters=parameters_of_resnet - sum(before * after + 2 * after for before, after, _ in projections),
        macs=macs_of_resnet - sum(before * after * side**2 for before, after, side in projections),
        out_shape=(2, 1000),
        strides=RESNET_STRIDES,
        channels=BASIC_CHANNELS,
        source="arXiv:1512.03385, figure 3 and table 2",
    )


def densenet_macs(
    width: int,
    counts: tuple[int, ...],
    side: int,
    growth_rate: int,
    *,
    bottleneck: bool = True,
    compression: float = 0.5,
) -> int:
    """Dense blocks on maps whose first side is `side`, and the transitions, whose convolution is before the pooling."""
    macs = 0
    for number, count in enumerate(counts):
        if number:
            macs += side**2 * width * int(width * compression)
            side, width = side // 2, int(width * compression)
        for _ in range(count):
            macs += side**2 * growth_rate * (4 * (width + 9 * growth_rate) if bottleneck else 9 * width)
            width += growth_rate
    return macs


def densenet(parameters: int, growth_rate: int, counts: tuple[int, ...], channels: tuple[int, ...]) -> Facts:
    stem, linear = 112**2 * 7**2 * 3 * 2 * growth_rate, channels[-1] * 1000
    return Facts(
        parameters=parameters,
        macs=stem + densenet_macs(2 * growth_rate, counts, 56, growth_rate) + linear,
        out_shape=(2, 1000),
        strides=RESNET_STRIDES,
        channels=channels,
        source="arXiv:1608.06993, table 1",
        smallest=29,
    )


def cifar_densenet(parameters: int, macs_of_blocks: int, channels: tuple[int, ...]) -> Facts:
    return Facts(
        parameters=parameters,
        macs=32**2 * 3**2 * 3 * channels[0] + macs_of_blocks + channels[-1] * 10,
        out_shape=(2, 10),
        strides=(1, 1, 2, 4),
        channels=channels,
        source="arXiv:1608.06993, section 3 and table 2",
        smallest=4,
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


DENSE_LAYERS = 4096 * 4096 + 4096 * 1000  # the second and the third of AlexNet and VGG


def vgg(parameters: int, counts: tuple[int, ...], *, pointwise: int = 0) -> Facts:
    """Table 1: so many 3×3 convolutions in each stage, and so many 1×1 in each of the last three."""
    sides, widths = (224, 112, 56, 28, 14), (64, 128, 256, 512, 512)
    macs = 7 * 7 * 512 * 4096 + DENSE_LAYERS
    for number, (count, side, before, width) in enumerate(zip(counts, sides, (3, *widths[:4]), widths, strict=True)):
        macs += side**2 * 9 * (before + (count - 1) * width) * width
        macs += side**2 * width * width * (pointwise if number >= 2 else 0)
    return Facts(
        parameters=parameters,
        macs=macs,
        out_shape=(2, 1000),
        strides=(2, 4, 8, 16, 32),
        channels=widths,
        source="arXiv:1409.1556, table 1",
        smallest=32,
    )


def mlpconv(kernel: int, before: int, *widths: int) -> int:
    """Weights and biases of a convolution of this kernel, and of 1×1 convolutions."""
    spans = (kernel**2 * before, *widths[:-1])
    return sum((span + 1) * width for span, width in zip(spans, widths, strict=True))


def products(*rows: tuple[int, int]) -> int:
    """Multiply-accumulates: of each row, the side of a map and the weights of the convolutions that make it."""
    return sum(side**2 * weights for side, weights in rows)


def separable(before: int, after: int) -> int:
    """Weights of a 3×3 convolution within each channel and a 1×1 across them."""
    return 9 * before + before * after


# Table 1 of arXiv:1409.4842: side of the map, channels before, and the columns from #1×1 to pool proj.
GOOGLENET_TABLE = (
    *((28, 192, (64, 96, 128, 16, 32, 32)), (28, 256, (128, 128, 192, 32, 96, 64))),
    *((14, 480, (192, 96, 208, 16, 48, 64)), (14, 512, (160, 112, 224, 24, 64, 64))),
    *((14, 512, (128, 128, 256, 24, 64, 64)), (14, 512, (112, 144, 288, 32, 64, 64))),
    (14, 528, (256, 160, 320, 32, 128, 128)),
    *((7, 832, (256, 160, 320, 32, 128, 128)), (7, 832, (384, 192, 384, 48, 128, 128))),
)


def googlenet(parameters: int, aux_parameters: int, kernel: int, smallest: int, source: str) -> Facts:
    """Closed formula; `kernel` is that of the branches which the paper has 5×5."""

    def module(before: int, widths: tuple[int, ...]) -> int:
        one, reduce3, three, reduce5, five, projection = widths
        return before * (one + reduce3 + reduce5 + projection) + 9 * reduce3 * three + kernel**2 * reduce5 * five

    return Facts(
        parameters=parameters,
        macs=products(
            *((112, 49 * 3 * 64), (56, 64 * 64 + 9 * 64 * 192)),
            *((side, module(before, widths)) for side, before, widths in GOOGLENET_TABLE),
            (1, 1024 * 1000),
        ),
        out_shape=(2, 1000),
        strides=(2, 4, 8, 8, 16, 16, 16, 16, 16, 32, 32),
        channels=(64, 192, 256, 480, 512, 512, 512, 528, 832, 832, 1024),
        source=source,
        aux_parameters=aux_parameters,
        smallest=smallest,
    )


FACTS = {
    "alexnet": Facts(
        parameters=34_944 + 307_456 + 885_120 + 663_936 + 442_624 + 37_752_832 + 16_781_312 + 4_097_000,
        macs=55**2 * 11**2 * 3 * 96
        + 27**2 * 5**2 * 48 * 256  # two groups: each map sees half of those before
        + 13**2 * 3**2 * (256 * 384 + 192 * 384 + 192 * 256)
        + 6 * 6 * 256 * 4096
        + DENSE_LAYERS,
        out_shape=(2, 1000),
        strides=(8, 16, 16, 16, 32),
        channels=(96, 256, 384, 384, 256),
        source="doi:10.1145/3065386",
        smallest=67,
    ),
    "alexnet_owt": Facts(
        parameters=61_100_840,  # torchvision's AlexNet_Weights.IMAGENET1K_V1.meta["num_params"]
        macs=55**2 * 11**2 * 3 * 64
        + 27**2 * 5**2 * 64 * 192
        + 13**2 * 3**2 * (192 * 384 + 384 * 256 + 256 * 256)
        + 6 * 6 * 256 * 4096
        + DENSE_LAYERS,
        out_shape=(2, 1000),
        strides=(8, 16, 16, 16, 32),
        channels=(64, 192, 384, 256, 256),
        source="arXiv:1404.5997",
        smallest=63,
    ),
    # The paper's table 2 rounds the parameters to 133, 133, 134, 138 and 144 million.
    "vgg11": vgg(132_863_336, (1, 1, 2, 2, 2)),
    "vgg11_lrn": vgg(132_863_336, (1, 1, 2, 2, 2)),
    "vgg13": vgg(133_047_848, (2, 2, 2, 2, 2)),
    "vgg16_c": vgg(133_638_952, (2, 2, 2, 2, 2), pointwise=1),
    "vgg16": vgg(138_357_544, (2, 2, 3, 3, 3)),
    "vgg19": vgg(143_667_240, (2, 2, 4, 4, 4)),
    # BatchNorm adds a weight and a bias for each channel of each convolution; torchvision's num_params says the same.
    "vgg11_bn": vgg(132_863_336 + 2 * (64 + 128 + 2 * 256 + 4 * 512), (1, 1, 2, 2, 2)),
    "vgg13_bn": vgg(133_047_848 + 2 * (2 * 64 + 2 * 128 + 2 * 256 + 4 * 512), (2, 2, 2, 2, 2)),
    "vgg16_bn": vgg(138_357_544 + 2 * (2 * 64 + 2 * 128 + 3 * 256 + 6 * 512), (2, 2, 3, 3, 3)),
    "vgg19_bn": vgg(143_667_240 + 2 * (2 * 64 + 2 * 128 + 4 * 256 + 8 * 512), (2, 2, 4, 4, 4)),
    # The model zoo's file of 29 MB is 7.6 million values of 4 bytes.
    "nin": Facts(
        parameters=mlpconv(11, 3, 96, 96, 96)
        + mlpconv(5, 96, 256, 256, 256)
        + mlpconv(3, 256, 384, 384, 384)
        + mlpconv(3, 384, 1024, 1024, 1000),
        macs=54**2 * (11**2 * 3 * 96 + 2 * 96 * 96)
        + 27**2 * (5**2 * 96 * 256 + 2 * 256 * 256)
        + 13**2 * (3**2 * 256 * 384 + 2 * 384 * 384)
        + 6**2 * (3**2 * 384 * 1024 + 1024 * 1024 + 1024 * 1000),
        out_shape=(2, 1000),
        strides=(8, 16, 32, 32),
        channels=(96, 256, 384, 1024),
        source="arXiv:1312.4400",
        smallest=39,
    ),
    "nin_cifar": Facts(
        parameters=mlpconv(5, 3, 192, 160, 96) + mlpconv(5, 96, 192, 192, 192) + mlpconv(3, 192, 192, 192, 10),
        macs=32**2 * (5**2 * 3 * 192 + 192 * 160 + 160 * 96)
        + 16**2 * (5**2 * 96 * 192 + 2 * 192 * 192)
        + 8**2 * (3**2 * 192 * 192 + 192 * 192 + 192 * 10),
        out_shape=(2, 10),
        strides=(2, 4, 4),
        channels=(96, 192, 192),
        source="arXiv:1312.4400, section 4",
        smallest=4,
    ),
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
    "resnet1202_cifar": cifar_resnet(19_421_274, 200),  # table 6: 19.4 M
    "plain18": plain(11_689_512, 1_814_073_344),
    "plain34": plain(21_797_672, 3_663_761_408),  # figure 3: 3.6 billion multiply-adds
    "plain20_cifar": cifar_resnet(269_722, 3),  # option A has no parameters, so nor has its absence
    "plain56_cifar": cifar_resnet(853_018, 9),
    # As ResNet, without the BatchNorms of the projections; those of the layers only changed their places.
    "resnetv2_50": resnetv2(25_557_032, 4_089_184_256),
    "resnetv2_101": resnetv2(44_549_160, 7_801_405_440),
    "resnetv2_152": resnetv2(60_192_808, 11_513_626_624),
    "densenet121": densenet(7_978_856, 32, (6, 12, 24, 16), (64, 256, 512, 1024, 1024)),
    "densenet161": densenet(28_681_000, 48, (6, 12, 36, 24), (96, 384, 768, 2112, 2208)),
    "densenet169": densenet(14_149_480, 32, (6, 12, 32, 32), (64, 256, 512, 1280, 1664)),
    "densenet201": densenet(20_013_928, 32, (6, 12, 48, 32), (64, 256, 512, 1792, 1920)),
    "densenet264": densenet(33_337_704, 32, (6, 12, 64, 48), (64, 256, 512, 2304, 2688)),
    "densenet40_cifar": cifar_densenet(  # table 2: 1.0 M
        1_019_722,
        densenet_macs(16, (12, 12, 12), 32, 12, bottleneck=False, compression=1.0),
        (16, 160, 304, 448),
    ),
    "densenet100_cifar": cifar_densenet(  # table 2, DenseNet-BC: 0.8 M
        769_162,
        densenet_macs(24, (16, 16, 16), 32, 12),
        (24, 216, 300, 342),
    ),
    "googlenet": googlenet(  # 1.583 G; the paper's introduction speaks of a budget of 1.5 billion multiply-adds
        6_998_552, 13_378_280 - 6_998_552, kernel=5, smallest=31, source="arXiv:1409.4842, table 1"
    ),
    "googlenet_bn": googlenet(  # torchvision's metadata: 6,624,904 and 1.498 G
        6_624_904, 13_004_888 - 6_624_904, kernel=3, smallest=15, source="torchvision's variant of Szegedy et al. 2014"
    ),
    "inception_v3": Facts(
        parameters=23_834_568,
        aux_parameters=27_161_264 - 23_834_568,  # torchvision's metadata: 27,161,264
        macs=products(
            *((149, 9 * 3 * 32), (147, 9 * 32 * (32 + 64)), (73, 64 * 80), (71, 9 * 80 * 192)),
            (35, (192 + 256 + 288) * (64 + 48 + 64) + 192 * 32 + (256 + 288) * 64),  # three modules: their 1×1
            (35, 3 * (25 * 48 * 64 + 9 * (64 * 96 + 96 * 96))),  # and their 5×5 and 3×3
            *((35, 288 * 64 + 9 * 64 * 96), (17, 9 * (288 * 384 + 96 * 96))),
            *((17, 768 * (2 * 192 + 2 * c) + 7 * (4 * c * c + 2 * c * 192)) for c in (128, 160, 160, 192)),
            *((17, 768 * 2 * 192 + 7 * 2 * 192 * 192), (8, 9 * (192 * 320 + 192 * 192))),
            (8, (1280 + 2048) * (320 + 384 + 448 + 192) + 2 * (3 * 4 * 384 * 384 + 9 * 448 * 384)),
            (1, 2048 * 1000),
        ),  # 5.713 G, as torchvision's metadata; the paper's abstract says 5 billion for its table 1
        out_shape=(2, 1000),
        strides=(2, 2, 2, 4, 4, 8, 8, 8, 16, 16, 16, 16, 16, 32, 32, 32),
        channels=(32, 32, 64, 80, 192, 256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048),
        source="arXiv:1512.00567, table 1",
        smallest=75,
    ),
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
