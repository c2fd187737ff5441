"""Overlapping tiles: no seams, at any size, with bounded memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.segmentation import SegmentationNetwork
from hubel.tasks.tiles import Prepare, logit_strips, predict_mask, seamless_overlap

NETWORKS = {
    "valid": ("unet", {"width": 2}, 268),
    "valid, bilinear": ("unet", {"width": 1, "upsampling": "bilinear"}, 460),
    "padded": ("unet", {"width": 1, "padded": True, "batch_norm": True}, 320),
    "padded, bilinear": ("unet", {"width": 1, "padded": True, "upsampling": "bilinear"}, 320),
    "on a backbone": ("unet/resnet20_cifar", {"upsampling": "bilinear"}, 128),
}


def prepare(tiles: torch.Tensor) -> torch.Tensor:
    return tiles.permute(0, 3, 1, 2).float()


def built(key: str) -> SegmentationNetwork:
    torch.manual_seed(0)
    name, arguments, _ = NETWORKS[key]
    network = build_model(name, **arguments)
    assert isinstance(network, SegmentationNetwork)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def whole_logits(network: SegmentationNetwork, image: np.ndarray, prepare: Prepare, **tiling: int) -> torch.Tensor:
    """The strips of a picture together: (num_classes, H, W)."""
    return torch.cat(list(logit_strips(network, image, prepare, **tiling)), dim=1)


def picture(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, channels), dtype=np.float32)


@pytest.mark.parametrize("key", NETWORKS)
def test_tiles_are_seamless(key: str):
    network, tile = built(key), NETWORKS[key][2]
    overlap = seamless_overlap(network)
    side = 2 * overlap + 61 if network.sees_borders else 301
    image = picture(side, side + 30, network.in_channels)
    whole = whole_logits(network, image, prepare)
    tiled = whole_logits(network, image, prepare, tile=tile, batch_size=2)
    assert whole.shape == (2, side, side + 30)
    difference = (whole - tiled).abs() / whole.abs().max()
    inside = slice(overlap, -overlap) if network.sees_borders else slice(None)
    assert difference[:, inside, inside].max() <= 1e-4
    if network.sees_borders:
        assert difference.max() > 1e-4  # at the picture's border zeros and a mirror differ; so there were tiles
    assert network.training


@pytest.mark.parametrize("key", NETWORKS)
def test_nothing_farther_than_the_overlap_is_seen(key: str):
    """Brute force: the gradient of logits at all phases of the stride, by every pixel of the picture."""
    network = built(key).double().eval()
    overlap, stride = seamless_overlap(network), network.stride
    side = network.nearest_side(2 * overlap + 4 * stride)
    x = torch.randn(1, network.in_channels, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    middle = logits.shape[2] // 2 // stride * stride  # where the kept part of a tile may begin
    window = slice(middle, middle + stride)
    (gradient,) = torch.autograd.grad(logits[:, :, window, window].abs().sum(), x)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
    start = middle + network.margin - overlap
    assert start <= rows.min()
    assert rows.max() < start + network.nearest_side(stride + 2 * overlap)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (16, 17), (95, 61)])
@pytest.mark.parametrize("key", ["valid", "padded", "on a backbone"])
def test_any_size_is_padded_and_cut_back(key: str, size: tuple[int, int]):
    network = built(key).eval()
    image = picture(*size, network.in_channels)
    logits = whole_logits(network, image, prepare)
    assert logits.shape == (2, *size)
    mirrored = image
    before = network.margin
    if min(size) > 1 and before == 0:
        after = [-side % network.stride for side in size]
        mirrored = np.pad(image, ((0, after[0]), (0, after[1]), (0, 0)), mode="reflect")
        with torch.no_grad():
            expected = network(prepare(torch.from_numpy(mirrored)[None]))[0, :, : size[0], : size[1]]
        torch.testing.assert_close(logits, expected)


def test_valid_tiles_see_the_mirrored_picture():
    """Figure 2 of the paper: what is missing beyond the border is the picture's own mirror image."""
    network = built("valid").eval()
    image = picture(100, 116, 1)
    mirrored = np.pad(image, ((92, 92 + 12 - 4 + 4), (92, 92 + 12), (0, 0)), mode="reflect")
    sides = [network.nearest_side(side + 184) for side in image.shape[:2]]
    with torch.no_grad():
        expected = network(prepare(torch.from_numpy(mirrored[: sides[0], : sides[1]])[None]))[0, :, :100, :116]
    torch.testing.assert_close(whole_logits(network, image, prepare), expected)


def test_masks_are_the_most_probable_classes_and_a_memory_map_is_read_tile_by_tile(tmp_path: Path):
    network = built("valid")
    image = (picture(300, 210, 1) * 255).astype(np.uint8)
    np.save(tmp_path / "large.npy", image)
    fed = []

    def watched(tiles: torch.Tensor) -> torch.Tensor:
        fed.append(tuple(tiles.shape))
        return prepare(tiles) / 255

    out = np.lib.format.open_memmap(tmp_path / "mask.npy", mode="w+", dtype=np.uint8, shape=(300, 210))
    mask = predict_mask(network, np.load(tmp_path / "large.npy", mmap_mode="r"), watched, tile=252, out=out)
    assert mask is out
    logits = whole_logits(network, image, lambda tiles: prepare(tiles) / 255)
    assert (np.asarray(mask) == logits.argmax(dim=0).numpy()).mean() > 0.999
    assert set(fed) == {(1, 252, 252, 1)}
    assert len(fed) == 5 * 4  # 64 kept of each


def test_mistakes_are_said():
    network = built("valid")
    image = picture(600, 600, 1)
    with pytest.raises(
        ConfigError, match="tile is 200: with 92 pixels of overlap on each side, this network needs at least 204"
    ):
        whole_logits(network, image, prepare, tile=200)
    with pytest.raises(
        ConfigError,
        match="overlap is 0: expected 92, which this network does not return, or more by a multiple of its stride 16",
    ):
        whole_logits(network, image, prepare, tile=300, overlap=0)
    with pytest.raises(ValueError, match=r"shape \(600, 600\) came: expected \(H, W, C\)"):
        whole_logits(network, image[:, :, 0], prepare)
    assert network.training


def test_networks_that_see_everything_have_no_seamless_tiles():
    network = build_model("unet/timm/mobilenetv3_small_050")  # squeeze and excitation
    image = picture(90, 90, 3)
    with pytest.raises(ConfigError, match="layers that see all that it is fed"):
        whole_logits(network, image, prepare, tile=64)
    assert whole_logits(network, image, prepare, tile=96, overlap=0).shape == (2, 90, 90)
