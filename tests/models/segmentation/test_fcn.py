"""FCN: the released geometry, bilinear starts, and VGG-16's dense layers as convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import build_model, model_entry
from hubel.models.segmentation.fcn import FCN, SkipScores, vgg16_made_convolutional

NAMES = ["fcn32s", "fcn16s", "fcn8s"]


@pytest.mark.parametrize("padding", ["released", "same"])
@pytest.mark.parametrize("name", NAMES)
def test_every_size_gives_a_logit_at_every_pixel(name: str, padding: str):
    network = model_entry(name).build_shapes(padding=padding)
    for height in range(1, 70):
        assert network(torch.empty(1, 3, height, height + 32, device="meta")).shape[2:] == (height, height + 32)


def slim(name: str, padding: str) -> FCN:
    """A network whose maps are counted, not learned: every map is the mean over its window, one channel wide."""
    network = model_entry(name).build_shapes(num_classes=1, in_channels=1, padding=padding, dropout=0.0)
    for stage in network.stages.values():
        for child, layer in stage.named_children():
            if isinstance(layer, nn.Conv2d):
                thin = nn.Conv2d(1, 1, layer.kernel_size, padding=layer.padding, bias=False, device="cpu")
                nn.init.constant_(thin.weight, 1 / thin.weight.numel())
                setattr(stage, child, thin)
    scores = SkipScores(1, network.skips, network.head.out.factor, padding)
    for child in ("fc", *network.skips):
        thin = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(thin.weight)
        setattr(scores, child, thin)
    network.head.out = scores
    return network.eval()


@pytest.mark.parametrize("padding", ["released", "same"])
@pytest.mark.parametrize("name", NAMES)
def test_logits_lie_on_the_pixels_that_they_tell_of(name: str, padding: str):
    """A bright square's response has its centre of mass on the square, wherever the offsets cut."""
    network = slim(name, padding)
    x = torch.zeros(1, 1, 480, 480)
    x[:, :, 208:240, 272:304] = 1
    with torch.no_grad():
        response = network(x)[0, 0]
    mass = response / response.sum()
    row = (mass.sum(dim=1) * torch.arange(480)).sum().item()
    column = (mass.sum(dim=0) * torch.arange(480)).sum().item()
    # Pools and the released offsets round: by no more than half a step of the coarsest map.
    assert abs(row - 223.5) <= 16
    assert abs(column - 287.5) <= 16


def released_by_hand(network: FCN, x: Tensor) -> Tensor:
    """The layers of the released definitions one by one, with their crops."""
    height, width = x.shape[2:]
    maps = {}
    for name, stage in network.stages.items():
        x = stage(x)
        maps[name] = x
    out = network.head.out
    score = out.fc(maps["fc"])
    if "conv4" in network.skips:
        upscore2 = F.conv_transpose2d(score, out.to_conv4.weight, stride=2)
        score4 = out.conv4(maps["conv4"])[:, :, 5 : 5 + upscore2.shape[2], 5 : 5 + upscore2.shape[3]]
        score = upscore2 + score4
    if "conv3" in network.skips:
        upscore4 = F.conv_transpose2d(score, out.to_conv3.weight, stride=2)
        score3 = out.conv3(maps["conv3"])[:, :, 9 : 9 + upscore4.shape[2], 9 : 9 + upscore4.shape[3]]
        score = upscore4 + score3
    factor = {0: 32, 1: 16, 2: 8}[len(network.skips)]
    full = torch.zeros(out.out_channels, out.out_channels, 2 * factor, 2 * factor)
    for number in range(out.out_channels):  # the files have zeros between classes
        full[number, number] = out.enlarge.weight[number, 0]
    offset = {32: 19, 16: 27, 8: 31}[factor]
    return F.conv_transpose2d(score, full, stride=factor)[:, :, offset : offset + height, offset : offset + width]


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_the_released_definition(name: str):
    torch.manual_seed(0)
    network = slim(name, "released")
    network.head.out = SkipScores(3, network.skips, network.head.out.factor, "released")
    for child in ("fc", *network.skips):
        setattr(network.head.out, child, nn.Conv2d(1, 3, 1))
    for child in network.skips:
        nn.init.normal_(getattr(network.head.out, f"to_{child}").weight)
    x = torch.randn(1, 1, 75, 101)
    with torch.no_grad():
        torch.testing.assert_close(network(x), released_by_hand(network, x))


def test_enlarging_starts_as_bilinear_interpolation():
    scores = SkipScores(3, ("conv4",), 16, "same")
    x = torch.randn(1, 3, 9, 9)
    inside = (..., slice(16, -16), slice(16, -16))
    expected = F.interpolate(x, scale_factor=16, mode="bilinear")
    torch.testing.assert_close(scores.enlarge(x)[inside], expected[inside])
    expected = F.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(scores.to_conv4(x)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])
    assert not scores.enlarge.weight.requires_grad
    assert scores.to_conv4.weight.requires_grad


def test_scores_start_at_zero():
    scores = SkipScores(5, ("conv4", "conv3"), 8, "released")
    maps = [torch.randn(1, channels, side, side) for channels, side in ((4096, 4), (512, 24), (256, 48))]
    assert not scores(maps).any()


def test_fc6_and_fc7_are_vggs_dense_layers():
    """One position of `fc` computes what the dense layers do on a map of 512×7×7."""
    torch.manual_seed(0)
    fc6, fc7 = nn.Linear(512 * 49, 16).double(), nn.Linear(16, 8).double()  # narrower than 4096
    tensors = {
        f"head.{name}.{kind}": tensor
        for name, layer in (("fc6", fc6), ("fc7", fc7))
        for kind, tensor in layer.state_dict().items()
    }
    ours = vgg16_made_convolutional(tensors)
    x = torch.randn(2, 512, 7, 7, dtype=torch.float64)
    hidden = F.conv2d(x, ours["stages.fc.fc6.weight"], ours["stages.fc.fc6.bias"]).relu()
    result = F.conv2d(hidden, ours["stages.fc.fc7.weight"], ours["stages.fc.fc7.bias"])
    torch.testing.assert_close(result[:, :, 0, 0], fc7(fc6(x.flatten(1)).relu()))


@pytest.mark.parametrize("name", NAMES)
def test_vgg16_has_all_but_the_head(name: str):
    network, vgg = model_entry(name).build_shapes(), model_entry("vgg16").build_shapes()
    ours = vgg16_made_convolutional(vgg.state_dict())
    expected = {key: tensor.shape for key, tensor in network.state_dict().items() if not key.startswith("head.")}
    assert {key: tensor.shape for key, tensor in ours.items()} == expected


def test_unknown_padding_says_what_is_known():
    with pytest.raises(ConfigError, match="fcn8s: padding is '100': expected released or same"):
        build_model("fcn8s", padding="100")
