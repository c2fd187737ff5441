"""GoogLeNet against torchvision, against table 1 of its paper, and against the arithmetic of lectures."""

from __future__ import annotations

import pytest
import torch
import torchvision
from tests.models.parity import assert_equal_networks
from torch import Tensor, nn

from hubel.models import build_model
from hubel.models.classification.googlenet import MODULES, InceptionModule, NaiveInceptionModule, Widths
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.weights.names import namings, recognise
from hubel.weights.names.inception import torchvision_googlenet


def on_meta(name: str, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        return build_model(name, **arguments)


def logits_of_torchvision(network: nn.Module, x: Tensor) -> list[Tensor]:
    outputs = network(x)
    return [outputs.logits, outputs.aux_logits1, outputs.aux_logits2] if network.training else [outputs]


def test_equal_to_torchvision():
    torch.manual_seed(0)
    theirs = torchvision.models.googlenet(num_classes=10, aux_logits=True, init_weights=False)
    ours = build_model("googlenet_bn", num_classes=10)
    assert list(ours.aux_heads) == ["inception4a", "inception4d"]
    assert_equal_networks(
        ours,
        theirs,
        torchvision_googlenet,
        torch.randn(2, 3, 96, 96),  # 6×6 at the auxiliary heads, so that their pooling has something to do
        logits_of_theirs=logits_of_torchvision,
    )


def test_equal_to_torchvision_without_auxiliary_heads():
    torch.manual_seed(0)
    theirs = torchvision.models.googlenet(num_classes=10, aux_logits=False, init_weights=False)
    ours = build_model("googlenet_bn", num_classes=10, aux_heads=False)
    assert_equal_networks(ours, theirs, torchvision_googlenet, torch.randn(2, 3, 64, 64))


def test_torchvisions_names_are_known_for_its_own_variant_only():
    with torch.device("meta"):
        names = list(torchvision.models.googlenet(aux_logits=True, init_weights=False).state_dict())
    assert recognise(on_meta("googlenet_bn"), names).origin == "torchvision"
    assert [naming.origin for naming in namings(on_meta("googlenet"))] == ["hubel"]


def test_modules_cost_what_table_1_makes_them():
    """Million multiply-accumulates, 3a to 5b; table 1 prints 54 for 5a, whose printed widths make 51.1."""
    stages = complexity(on_meta("googlenet"), (3, 224, 224)).stages
    macs = {stage.name: round(stage.macs / 1e6, 1) for stage in stages if stage.name in MODULES}
    assert list(macs.values()) == [128.0, 304.3, 73.6, 87.9, 99.9, 118.5, 170.0, 51.1, 70.7]


@pytest.mark.parametrize("name", ["googlenet", "googlenet_bn"])
def test_pooling_rounds_up_to_the_maps_of_table_1(name: str):
    network = on_meta(name)
    maps = network.forward_stages(torch.empty(1, 3, 224, 224, device="meta"))
    sizes = [map_.shape[2] for map_ in maps.values()]
    assert sizes == [112, 56, 28, 28, 14, 14, 14, 14, 14, 7, 7]
    assert sizes == [224 // stride for stride in network.strides]


@pytest.mark.parametrize("name", ["googlenet", "googlenet_bn"])
def test_it_is_22_layers_deep(name: str):
    assert weight_layers(on_meta(name).eval(), (3, 224, 224)) == 22


def test_published_network_has_biases_and_real_5x5_and_no_batch_norm():
    network = on_meta("googlenet")
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 3 + 9 * 6 + 2
    assert all(convolution.bias is not None for convolution in convolutions)
    assert sum(convolution.kernel_size == (5, 5) for convolution in convolutions) == 9
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_published_auxiliary_heads_are_those_of_section_5():
    network = on_meta("googlenet")
    assert network.aux_weight == 0.3
    for name, channels in (("inception4a", 512), ("inception4d", 528)):
        head = network.aux_heads[name]
        map_ = torch.empty(1, channels, 14, 14, device="meta")
        assert head.pool(map_).shape == (1, channels, 4, 4)
        assert head.conv(head.pool(map_)).shape == (1, 128, 4, 4)
        assert (head.dense.in_features, head.dense.out_features, head.dropout.p) == (2048, 1024, 0.7)


def test_auxiliary_pooling_is_5x5_with_stride_3_at_the_standard_size():
    pool = build_model("googlenet", num_classes=2).aux_heads["inception4a"].pool
    x = torch.randn(2, 3, 14, 14)
    assert torch.equal(pool(x), nn.functional.avg_pool2d(x, 5, stride=3))


def test_local_response_norm_is_caffes():
    """Caffe's formula, as PyTorch's, divides alpha by the number of neighbours."""
    conv2 = build_model("googlenet", num_classes=2).stages.conv2
    x = torch.randn(2, 12, 5, 4) * 30
    for norm in (conv2.norm1, conv2.norm2):
        torch.testing.assert_close(norm(x), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(x))
        assert not torch.allclose(norm(x), x, rtol=0.01)


def test_weights_start_as_caffes():
    torch.manual_seed(0)
    network = build_model("googlenet")
    last = [network.head.out, *(head.out for head in network.aux_heads.values())]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert (module.bias == (0.0 if module in last else 0.2)).all()
            if module.weight.numel() > 50_000:
                fan_in = module.weight[0].numel()
                assert abs(module.weight.var().item() * fan_in - 1) < 0.03
                assert module.weight.abs().max() <= (3 / fan_in) ** 0.5


@pytest.mark.parametrize(
    ("name", "whole", "without"), [("googlenet", 13_378_280, 6_998_552), ("googlenet_bn", 13_004_888, 6_624_904)]
)
def test_auxiliary_heads_are_optional(name: str, whole: int, without: int):
    """By closed formula from table 1 of arXiv:1409.4842, and as torchvision."""
    assert sum(parameter.numel() for parameter in on_meta(name).parameters()) == whole
    plain = on_meta(name, aux_heads=False)
    assert sum(parameter.numel() for parameter in plain.parameters()) == without
    assert not plain.aux_heads


@pytest.mark.parametrize(("name", "dropout"), [("googlenet", 0.4), ("googlenet_bn", 0.2)])
def test_dropout(name: str, dropout: float):
    assert on_meta(name).head.dropout.p == dropout
    network = on_meta(name, dropout=0.1, aux_dropout=0.2)
    assert network.head.dropout.p == 0.1
    assert network.aux_heads["inception4d"].dropout.p == 0.2


def test_naive_module_costs_854_million_and_is_672_deep():
    module = NaiveInceptionModule(256, 128, 192, 96)
    layers = complexity(module, (256, 28, 28))
    assert [layer.macs for layer in layers.layers if layer.macs] == [25_690_112, 346_816_512, 481_689_600]
    assert layers.macs == 854_196_224
    assert module(torch.randn(1, 256, 5, 4)).shape == (1, module.out_channels, 5, 4) == (1, 672, 5, 4)


@pytest.mark.parametrize(
    ("widths", "macs"),
    [(Widths(128, 64, 192, 64, 96, 64), 271_351_808), (MODULES["inception3b"], 304_267_264)],
)
def test_reduced_module_costs_a_third_and_is_480_deep(widths: Widths, macs: int):
    module = InceptionModule(256, widths)
    assert complexity(module, (256, 28, 28)).macs == macs
    assert module(torch.randn(1, 256, 5, 4)).shape == (1, module.out_channels, 5, 4) == (1, 480, 5, 4)


def test_inception_3b_has_the_weights_of_table_1():
    module = InceptionModule(256, MODULES["inception3b"])
    weights = sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Conv2d))
    assert weights == 388_096  # table 1 prints 380K


@pytest.mark.parametrize("kind", ["naive", "reduced"])
def test_a_module_is_its_branches_side_by_side(kind: str):
    torch.manual_seed(0)
    module = NaiveInceptionModule(8, 3, 4, 5) if kind == "naive" else InceptionModule(8, Widths(3, 2, 4, 2, 5, 6))
    x = torch.randn(2, 8, 7, 6)
    parts = module(x).split([3, 4, 5, module.out_channels - 12], dim=1)
    branches = (module.branch1, module.branch3, module.branch5, module.branch_pool)
    for part, branch in zip(parts, branches, strict=True):
        assert torch.equal(part, branch(x))
    if kind == "naive":
        assert torch.equal(parts[3], nn.functional.max_pool2d(x, 3, stride=1, padding=1))
