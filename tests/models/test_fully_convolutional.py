"""One pass over a picture against the classifier slid over it, window by window."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from hubel.models import ClassificationNetwork, build_model
from hubel.models.classification.resnet import BasicBlock
from hubel.models.fully_convolutional import FullyConvolutionalNetwork, SlidHead, to_fully_convolutional
from hubel.models.truncation import truncate

Place = tuple[int, int]


def network(name: str) -> ClassificationNetwork:
    """A network in evaluation mode whose logits differ from picture to picture."""
    torch.manual_seed(0)
    built = build_model(name, num_classes=5)
    assert isinstance(built, ClassificationNetwork)
    if name.startswith(("alexnet", "vgg")):
        for module in built.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # their own start makes logits near 0
    norms = [module for module in built.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # the running statistics become those of a batch
    if norms:
        with torch.no_grad():
            built.train()(torch.cat([picture(built.in_channels, 64, 64), -picture(built.in_channels, 64, 64)]))
    return built.eval()


def picture(channels: int, height: int, width: int) -> Tensor:
    """Patches, each of another brightness and contrast, so that windows differ."""
    generator = torch.Generator().manual_seed(2)
    coarse = torch.randn(1, channels, height // 16 + 1, width // 16 + 1, generator=generator)
    patches = coarse.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)[..., :height, :width]
    return patches + 0.5 * torch.randn(1, channels, height, width, generator=generator)


def assert_equal(logits: Tensor, classify: Callable[[Place], Tensor], rows: range, columns: range) -> None:
    """A map of logits is what a function says of every place: within 1e-4, and far closer than places are alike."""
    assert rows
    assert columns
    slid = torch.stack([torch.stack([classify((row, column))[0] for column in columns], -1) for row in rows], -2)
    here = logits[0, :, rows.start : rows.stop, columns.start : columns.stop]
    difference = float((here - slid).abs().max())
    assert difference <= 1e-4
    if slid[0].numel() > 1:
        apart = float(slid.flatten(1).std(dim=1).max())
        assert difference <= 1e-3 * apart, f"places differ by {apart}: nothing is proved"


def the_window_alone(
    classifier: nn.Module, x: Tensor, one_pass: FullyConvolutionalNetwork
) -> Callable[[Place], Tensor]:
    """The classifier's logits of the window of a place, cut out."""
    height, width = one_pass.window

    def classify(place: Place) -> Tensor:
        top, left = (index * one_pass.stride for index in place)
        return cast(Tensor, classifier(x[..., top : top + height, left : left + width]))

    return classify


def the_head_on_its_part(classifier: ClassificationNetwork, map_: Tensor, size: Place) -> Callable[[Place], Tensor]:
    """The head's logits of the part of the whole picture's last map that belongs to a place."""

    def classify(place: Place) -> Tensor:
        row, column = place
        return cast(Tensor, classifier.head(map_[..., row : row + size[0], column : column + size[1]]))

    return classify


@torch.no_grad()
@pytest.mark.parametrize("name", ["lenet5", "lenet5_modern"])
@pytest.mark.parametrize("size", [(32, 32), (53, 71)])
def test_without_padding_every_place_is_the_window_cut_out(name: str, size: tuple[int, int]) -> None:
    classifier = network(name)
    one_pass, x = to_fully_convolutional(classifier), picture(1, *size)
    assert (one_pass.window, one_pass.stride) == ((32, 32), 4)
    logits = one_pass(x)
    rows, columns = ((side - 32) // 4 + 1 for side in size)
    assert logits.shape == (1, 5, rows, columns)
    assert one_pass.unpadded_places(size) == (slice(0, rows), slice(0, columns))
    assert_equal(logits, the_window_alone(classifier, x, one_pass), range(rows), range(columns))
    boxes = one_pass.windows((rows, columns)).view(rows, columns, 4)
    assert boxes[-1, 0].tolist() == [0, 4 * (rows - 1), 32, 4 * (rows - 1) + 32]


class Cropped(nn.Module):
    """A shortcut that leaves out as much at each side as the convolutions beside it do."""

    def __init__(self, shortcut: nn.Module, margin: int) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.shortcut(x[..., self.margin : -self.margin, self.margin : -self.margin]))


def without_padding(padded: ClassificationNetwork) -> ClassificationNetwork:
    """The network with every padding removed; of a basic block the shortcut is cut to what is left beside it."""
    for module in padded.modules():
        if isinstance(module, BasicBlock) and module.shortcut is not None:
            stride = module.conv1.stride[0]  # the first convolution leaves out 1, the second 1 of its own places
            module.shortcut = Cropped(module.shortcut, 1 + stride)
    for module in padded.modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
        elif isinstance(module, nn.MaxPool2d):
            module.padding = 0
    return padded


@torch.no_grad()
@pytest.mark.parametrize(("name", "window"), [("alexnet", 355), ("vgg16", 212), ("resnet18", 467)])
def test_with_padding_removed_every_place_is_the_window_cut_out(name: str, window: int) -> None:
    """Without padding a window must be larger: AlexNet's maps are then 6×6 from 355 pixels on, where it had 227."""
    classifier = without_padding(network(name))
    one_pass = to_fully_convolutional(classifier, (window, window))
    x = picture(3, window + 32, window + 32 + 31)
    logits = one_pass(x)
    assert logits.shape == (1, 5, 2, 2)
    assert_equal(logits, the_window_alone(classifier, x, one_pass), range(2), range(2))


PADDED = {
    "alexnet": (227, 227),
    "vgg16": (64, 96),
    "resnet18": (64, 64),
}


@torch.no_grad()
@pytest.mark.parametrize("name", PADDED)
def test_with_padding_unpadded_places_are_windows_in_their_surroundings(name: str) -> None:
    """The classifier on a window and a margin around it, of whose last map the window's part goes to the head."""
    classifier, window = network(name), PADDED[name]
    one_pass = to_fully_convolutional(classifier, window)
    stride = one_pass.stride
    margin = math.ceil(max(-one_pass.field[0].low, one_pass.field[0].high - window[0]) / stride)  # in strides
    size = tuple(side + (2 * margin + 1) * stride for side in window)
    x = picture(3, size[0], size[1])
    logits = one_pass(x)
    rows, columns = one_pass.unpadded_places(size)
    height, width = (side // stride if name != "alexnet" else 6 for side in window)

    def classify(place: Place) -> Tensor:
        top, left = ((index - margin) * stride for index in place)
        reach = [side + 2 * margin * stride for side in window]
        map_ = classifier.features(x[..., top : top + reach[0], left : left + reach[1]])
        return cast(Tensor, classifier.head(map_[..., margin : margin + height, margin : margin + width]))

    assert (margin, margin) == (rows.start, columns.start)
    assert_equal(logits, classify, range(rows.start, rows.stop), range(columns.start, columns.stop))
    # It makes a difference: the windows alone, with zeros instead of their surroundings, are something else.
    alone = the_window_alone(classifier, x, one_pass)((margin, margin))
    assert (logits[:, :, margin, margin] - alone).abs().max() > 1e-2
    # And the places beside the unpadded ones do see padding: another picture around this one changes them.
    framed = nn.functional.pad(x, (stride,) * 4, value=3.0)
    apart = (one_pass(framed)[:, :, 1:-1, 1:-1][:, :, : logits.shape[2], : logits.shape[3]] - logits).abs().amax((0, 1))
    assert apart[rows, columns].max() < 1e-4 < apart[rows.start - 1].min()


@torch.no_grad()
@pytest.mark.parametrize("name", PADDED)
def test_a_picture_as_large_as_the_window_is_classified_as_before(name: str) -> None:
    classifier, window = network(name), PADDED[name]
    x = picture(3, *window)
    logits = to_fully_convolutional(classifier, window)(x)
    assert logits.shape == (1, 5, 1, 1)
    assert_equal(logits, lambda place: classifier(x), range(1), range(1))


HEADS = {
    "lenet5_modern": (32, 32),
    "alexnet": (227, 259),  # 6×7 pooled to 6×6
    "alexnet_owt": (127, 191),  # 3×5 pooled to 6×6
    "vgg11_bn": (64, 96),  # 2×3 pooled to 7×7
    "resnet18": (224, 160),
    "resnet20_cifar": (32, 32),
    "resnetv2_50": (64, 96),
    "nin_cifar": (32, 32),
    "densenet40_cifar": (32, 32),
    "googlenet": (224, 224),
    "simple_cnn": None,
}


@torch.no_grad()
@pytest.mark.parametrize("name", HEADS)
def test_every_place_is_the_head_on_its_part_of_the_last_map(name: str) -> None:
    classifier = network(name)
    one_pass = to_fully_convolutional(classifier, HEADS[name])
    assert not any(isinstance(module, nn.Linear | SlidHead) for module in one_pass.modules())
    height, width = one_pass.window
    x = picture(classifier.in_channels, height + one_pass.stride, width + 2 * one_pass.stride + 3)
    map_of_one = classifier.stages(x[..., :height, :width])
    map_ = classifier.stages(x)
    classify = the_head_on_its_part(classifier, map_, map_of_one.shape[2:])
    logits = one_pass(x)
    assert min(logits.shape[2:]) >= 2
    assert_equal(logits, classify, range(logits.shape[2]), range(logits.shape[3]))


@torch.no_grad()
def test_a_head_with_layers_on_vectors_and_one_that_is_not_known() -> None:
    truncated = truncate(network("resnet20_cifar"), "conv3", 4).eval()
    cast(Tensor, truncated.head.norm.running_mean).fill_(0.7)
    unknown = copy.deepcopy(truncated)
    unknown.head.pool = nn.AdaptiveMaxPool2d(1)
    x = picture(3, 48, 64)
    map_ = truncated.stages(x)
    for classifier, is_known in ((truncated, True), (unknown, False)):
        one_pass = to_fully_convolutional(classifier, (32, 32))
        assert isinstance(one_pass.head, SlidHead) != is_known
        logits = one_pass(x)
        rows, columns = (before - after + 1 for before, after in zip(map_.shape[2:], logits.shape[2:], strict=True))
        classify = the_head_on_its_part(classifier, map_, (rows, columns))
        assert_equal(logits, classify, range(logits.shape[2]), range(logits.shape[3]))


def test_the_network_is_not_changed_and_shares_nothing() -> None:
    classifier = network("lenet5_modern").train()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    one_pass = to_fully_convolutional(classifier)
    assert not one_pass.training
    assert classifier.training
    with torch.no_grad():
        for parameter in one_pass.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
    assert sum(p.numel() for p in one_pass.parameters()) == sum(p.numel() for p in classifier.parameters())


def test_what_cannot_be_slid_is_said() -> None:
    with pytest.raises(ValueError, match=r"^the network takes pictures of any size: say for which height and width"):
        to_fully_convolutional(network("resnet20_cifar"))
    with pytest.raises(ValueError, match=r"^the window 28×28 came: this network is for \(32, 32\)$"):
        to_fully_convolutional(network("lenet5"), (28, 28))
    with pytest.raises(ValueError, match=r"^the window 16×16 came: expected at least 32$"):
        to_fully_convolutional(network("vgg11"), (16, 16))
    with pytest.raises(ValueError, match=r"^the input has shape \(1, 1, 31, 40\): .* H at least 32 and W at least 32$"):
        to_fully_convolutional(network("lenet5"))(torch.zeros(1, 1, 31, 40))


@pytest.mark.parametrize("name", ["timm/resnet10t", "timm/tf_efficientnet_lite0"])
@torch.no_grad()
def test_networks_of_timm(name: str) -> None:
    pytest.importorskip("timm")
    classifier = network(name)
    one_pass, x = to_fully_convolutional(classifier, (64, 64)), picture(3, 96, 128)
    map_, logits = classifier.stages(x), one_pass(x)
    assert logits.shape == (1, 5, 2, 3)
    classify = the_head_on_its_part(classifier, map_, (2, 2))
    assert_equal(logits, classify, range(2), range(3))


def test_stages_that_pool_over_the_whole_picture_are_refused() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=r"^the network's stages pool over the whole picture"):
        to_fully_convolutional(network("timm/mobilenetv3_small_050"), (64, 64))


def test_tokens_are_refused() -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=r"expected a map \(N, C, H, W\) to slide a head over$"):
        to_fully_convolutional(network("timm/deit_tiny_patch16_224"))
