"""What must hold of every segmentation network: from its paper, or computed from its layers by closed formula."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What must hold of one network at its standard input and its default number of classes.

    `out_shape` is (num_classes, height, width) of the logits.
    """

    parameters: int
    macs: int
    out_shape: tuple[int, int, int]
    source: str
    weight_layers: int
    aux_parameters: int = 0


def convolution(kernel: int, before: int, after: int) -> int:
    """Weights and biases."""
    return (kernel**2 * before + 1) * after


def unet_parameters(in_channels: int, num_classes: int, *, width: int = 64) -> int:
    """Figure 1 of arXiv:1505.04597: two 3×3 at every level down, an up-convolution 2×2 and two 3×3 at every one up."""
    widths = [width * 2**level for level in range(5)]
    down = sum(
        convolution(3, a, b) + convolution(3, b, b) for a, b in zip([in_channels, *widths], widths, strict=False)
    )
    up = sum(
        convolution(2, 2 * w, w) + convolution(3, 2 * w, w) + convolution(3, w, w) for w in widths[:-1]
    )  # what comes beside the enlarged map has as many channels as it
    return down + up + convolution(1, width, num_classes)


def unet_macs(side: int) -> int:
    """The same without padding: every 3×3 takes two pixels off a side."""
    macs, before = 0, 1
    for level in range(5):
        width = 64 * 2**level
        if level:
            side //= 2
        macs += 9 * width * (before * (side - 2) ** 2 + width * (side - 4) ** 2)
        side, before = side - 4, width
    for level in reversed(range(4)):
        width = 64 * 2**level
        macs += side**2 * 4 * 2 * width * width
        side = 2 * side
        macs += 9 * width * (2 * width * (side - 2) ** 2 + width * (side - 4) ** 2)
        side -= 4
    return macs + side**2 * 64 * 2


VGG_COUNTS, VGG_WIDTHS = (2, 2, 3, 3, 3), (64, 128, 256, 512, 512)  # arXiv:1409.1556, table 1, D


def fcn_parameters(factor: int, classes: int = 21) -> int:
    """VGG-16 with its dense layers as convolutions, 1×1 to scores, kernels of 2f×2f that enlarge."""
    vgg = sum(
        convolution(3, a, b) + (count - 1) * convolution(3, b, b)
        for count, a, b in zip(VGG_COUNTS, (3, *VGG_WIDTHS), VGG_WIDTHS, strict=False)
    )
    dense = convolution(7, 512, 4096) + convolution(1, 4096, 4096)
    scores = convolution(1, 4096, classes) + {32: 0, 16: 1, 8: 1}[factor] * convolution(1, 512, classes)
    scores += {32: 0, 16: 0, 8: 1}[factor] * convolution(1, 256, classes)
    twofold = {32: 0, 16: 1, 8: 2}[factor] * classes**2 * 4**2
    return vgg + dense + scores + twofold + classes * (2 * factor) ** 2


def fcn_macs(factor: int, classes: int = 21) -> int:
    """At 500×500, padded by 100: the first convolution gives 698, pools round up."""
    macs, side, before, sides = 0, 698, 3, []
    for count, width in zip(VGG_COUNTS, VGG_WIDTHS, strict=True):
        macs += side**2 * 9 * (before * width + (count - 1) * width**2)
        side, before = -(-side // 2), width
        sides.append(side)
    side -= 6
    macs += side**2 * (49 * 512 * 4096 + 4096**2 + 4096 * classes)
    for before, at in ((512, 3), (256, 2))[: {32: 0, 16: 1, 8: 2}[factor]]:
        macs += side**2 * 16 * classes**2 + sides[at] ** 2 * before * classes
        side = 2 * side + 2
    return macs + side**2 * classes * (2 * factor) ** 2


def dilated_fcn_macs(classes: int = 21) -> int:
    """At 520×520: maps of 260, 130, and then 65; the first block of a stage takes the map before it."""
    macs = 260**2 * 49 * 3 * 64
    before, side = 64, 130
    for count, width, after in ((3, 64, 130), (4, 128, 65), (6, 256, 65), (3, 512, 65)):
        wide = 4 * width
        macs += side**2 * before * width + after**2 * (9 * width**2 + width * wide + before * wide)
        macs += (count - 1) * after**2 * (2 * wide * width + 9 * width**2)
        before, side = wide, after
    return macs + 65**2 * (9 * 2048 * 512 + 512 * classes)


def resnet18_unet_macs(classes: int = 2) -> int:
    """At 256×256: ResNet-18 without its linear layer, and a decoder of 256, 128, 64, 32 and 16 channels."""
    macs = 1_814_073_344 - 512 * 1000
    macs = macs * 256**2 // 224**2
    coarse, side = 512, 8
    for skip, width in ((256, 256), (128, 128), (64, 64), (64, 32), (0, 16)):
        macs += side**2 * 4 * coarse * width
        side *= 2
        macs += side**2 * 9 * ((width + skip) * width + width**2)
        coarse = width
    return macs + side**2 * 16 * classes


def resnet18_unet_parameters(classes: int = 2) -> int:
    """ResNet-18 without its linear layer; the decoder's 3×3 have BatchNorm instead of biases."""
    parameters, coarse = 11_689_512 - 513 * 1000, 512
    for skip, width in ((256, 256), (128, 128), (64, 64), (64, 32), (0, 16)):
        parameters += convolution(2, coarse, width) + 9 * ((width + skip) * width + width**2) + 2 * 2 * width
        coarse = width
    return parameters + convolution(1, 16, classes)


FACTS = {
    "unet": Facts(
        parameters=unet_parameters(1, 2),
        macs=unet_macs(572),
        out_shape=(2, 388, 388),
        source="arXiv:1505.04597, figure 1",
        weight_layers=23,  # section 2: "In total the network has 23 convolutional layers"
    ),
    "fcn32s": Facts(
        parameters=fcn_parameters(32),  # table 1: 134M
        macs=fcn_macs(32),
        out_shape=(21, 500, 500),
        source="arXiv:1411.4038, section 4",
        weight_layers=16,  # the last step enlarges each class by itself
    ),
    "fcn16s": Facts(
        parameters=fcn_parameters(16),
        macs=fcn_macs(16),
        out_shape=(21, 500, 500),
        source="arXiv:1411.4038, section 4",
        weight_layers=17,
    ),
    "fcn8s": Facts(
        parameters=fcn_parameters(8),
        macs=fcn_macs(8),
        out_shape=(21, 500, 500),
        source="arXiv:1411.4038, section 4",
        weight_layers=18,
    ),
    "fcn_resnet50": Facts(
        parameters=35_322_218 - 2_365_205,  # torchvision's metadata: 35,322,218, the auxiliary head included
        aux_parameters=9 * 1024 * 256 + 2 * 256 + convolution(1, 256, 21),
        macs=dilated_fcn_macs(),
        out_shape=(21, 520, 520),
        source="torchvision's fcn_resnet50",
        weight_layers=51,
    ),
    "unet/resnet18": Facts(
        parameters=resnet18_unet_parameters(),
        macs=resnet18_unet_macs(),
        out_shape=(2, 256, 256),
        source="arXiv:1505.04597",
        weight_layers=17 + 3 * 5 + 1,
    ),
}
