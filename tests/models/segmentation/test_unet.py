"""U-Net: the maps of its figure, its variants, and what they have in common."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import build_model, model_entry
from hubel.models.complexity import complexity
from hubel.models.segmentation.network import centred
from hubel.models.segmentation.unet import UpStage


def test_the_maps_of_figure_1():
    rows = complexity(model_entry("unet").build_shapes(), (1, 572, 572)).stages
    assert [row.output_shape[1] for row in rows] == [568, 280, 136, 64, 28, 52, 100, 196, 388, 388]
    assert [row.output_shape[0] for row in rows] == [64, 128, 256, 512, 1024, 512, 256, 128, 64, 2]


def test_only_sizes_whose_pools_meet_even_sizes_are_taken():
    """Brute force: a size is taken just if no pool drops a row, and something is left."""

    def works(side: int) -> bool:
        for _ in range(4):
            side -= 4
            if side % 2:
                return False
            side //= 2
        side -= 4
        for _ in range(4):
            side = 2 * side - 4
        return side > 0

    network = model_entry("unet").build_shapes(width=1)
    for side in range(150, 260):
        assert (network.nearest_side(side) == side) == works(side), side
    with pytest.raises(ValueError, match="H and W that are a multiple of 16 plus 12; the next ones are 268 and 252"):
        network(torch.empty(1, 1, 256, 250, device="meta"))
    with pytest.raises(ValueError, match="H and W at least 188"):
        network(torch.empty(1, 1, 172, 188, device="meta"))


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_the_padded_network_is_the_published_one_in_the_middle(upsampling: str):
    """Without borders both compute the same: with the same weights, the middle of a large input has equal logits."""
    torch.manual_seed(0)
    valid = build_model("unet", width=2, upsampling=upsampling).double().eval()
    padded = build_model("unet", width=2, upsampling=upsampling, padded=True).double().eval()
    padded.load_state_dict(valid.state_dict(), strict=True)
    side = 332 + 16 * 8
    x = torch.randn(1, 1, side, side, dtype=torch.float64)
    with torch.no_grad():
        whole, part = padded(F.pad(x, (2, 0, 2, 0)))[:, :, 2:, 2:], valid(x)  # pools of both meet the same pixels
    middle = slice(100, 140)
    expected = part[:, :, middle, middle]
    torch.testing.assert_close(whole[:, :, 92:-92, 92:-92][:, :, middle, middle], expected)
    assert expected.std() > 0


def test_weights_start_with_the_variance_of_section_3():
    torch.manual_seed(0)
    for module in build_model("unet", width=32).modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 10_000:
            incoming = module.in_channels * (9 if isinstance(module, nn.Conv2d) else 1)
            assert abs(module.weight.var().item() * incoming / 2 - 1) < 0.06
            assert not module.bias.any()


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_both_ways_of_upsampling_have_the_same_shapes(upsampling: str):
    for padded, side in ((False, 388), (True, 572)):
        network = model_entry("unet").build_shapes(padded=padded, upsampling=upsampling, batch_norm=True)
        assert network(torch.empty(1, 1, 572, 572, device="meta")).shape == (1, 2, side, side)


def test_bilinear_upsampling_is_interpolation_of_fewer_channels():
    torch.manual_seed(0)
    stage = UpStage(6, 0, 3, upsampling="bilinear", padded=True, batch_norm=False)
    x = torch.randn(2, 6, 5, 7)
    enlarged_first = F.conv2d(
        F.interpolate(x, scale_factor=2, mode="bilinear"), stage.up.conv.weight, stage.up.conv.bias
    )
    torch.testing.assert_close(stage.up(x), enlarged_first)


def test_unknown_upsampling_says_what_is_known():
    for name in ("unet", "unet/resnet18"):
        with pytest.raises(ConfigError, match=f"{name}: upsampling is 'cubic': expected transposed or bilinear"):
            build_model(name, upsampling="cubic")
    with pytest.raises(ConfigError, match="unknown argument of unet 'pad': did you mean padded"):
        build_model("unet", pad=True)


@pytest.mark.parametrize("size", [(5, 6), (4, 6), (2, 3), (9, 8), (7, 2)])
def test_the_middle_of_a_map(size: tuple[int, int]):
    x = torch.arange(42.0).view(1, 1, 6, 7)
    result = centred(x, size)
    assert result.shape[2:] == size

    def shift(have: int, want: int) -> int:
        return (have - want) // 2 if have > want else -((want - have) // 2)

    rows, columns = (
        [min(max(place + shift(have, want), 0), have - 1) for place in range(want)]
        for have, want in zip((6, 7), size, strict=True)
    )
    assert torch.equal(result, x[:, :, rows][:, :, :, columns])
