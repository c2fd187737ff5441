"""What every segmentation network must do, checked on every one and on backbones of all families."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.models.counting import macs_by_formula, macs_by_torch
from tests.models.segmentation.facts import FACTS
from torch import nn

from hubel.models import build_model, list_models, model_entry
from hubel.models.complexity import complexity
from hubel.models.depth import weight_layers
from hubel.models.segmentation import SegmentationNetwork

each_network = pytest.mark.parametrize("name", FACTS, scope="module")

# Small enough to compute with; the networks of the papers are computed as shapes.
SMALL = {
    "unet": {"width": 4},
    "unet/resnet20_cifar": {},
    "unet/alexnet": {},
    "unet/timm/tf_efficientnet_lite0": {"upsampling": "bilinear"},
    "fcn_resnet50": {"num_classes": 3},
}
each_small = pytest.mark.parametrize("name", SMALL, scope="module")


def on_meta(name: str, **arguments: object) -> SegmentationNetwork:
    with torch.device("meta"):
        network = build_model(name, **arguments)
    assert isinstance(network, SegmentationNetwork)
    return network


def built(name: str) -> SegmentationNetwork:
    torch.manual_seed(0)
    network = build_model(name, **SMALL[name])
    assert isinstance(network, SegmentationNetwork)
    return network


def images(network: SegmentationNetwork, count: int = 2, side: int = 64) -> torch.Tensor:
    return torch.randn(count, network.in_channels, *[network.nearest_side(side)] * 2)


def test_every_network_has_its_facts():
    assert set(list_models("segmentation")) <= set(FACTS)


@each_network
def test_facts(name: str):
    facts, entry, network = FACTS[name], model_entry(name), on_meta(name)
    cost = complexity(network, entry.input_size)
    everything = sum(parameter.numel() for parameter in network.parameters())
    assert (cost.parameters, cost.auxiliary_parameters) == (facts.parameters, facts.aux_parameters)
    assert everything == facts.parameters + facts.aux_parameters
    assert cost.macs == facts.macs
    image = torch.empty(2, *entry.input_size, device="meta")
    assert network(image).shape == (2, *facts.out_shape)
    assert network.num_classes == facts.out_shape[0]
    assert [side - 2 * network.margin for side in entry.input_size[1:]] == list(facts.out_shape[1:])
    assert facts.source in entry.source
    assert weight_layers(network.eval(), entry.input_size) == facts.weight_layers


def test_the_published_number_of_parameters():
    assert FACTS["unet"].parameters == 31_030_658


@each_network
def test_three_counts_of_multiplications_agree_in_every_layer(name: str):
    """Hubel's, torch's and that of the closed formula, to the unit."""
    network, size = on_meta(name).eval(), model_entry(name).input_size
    cost, by_torch = complexity(network, size), macs_by_torch(network, size)
    ours = {layer.name: layer.macs for layer in cost.layers if layer.macs}
    assert cost.macs == by_torch[""]
    assert {layer: by_torch.get(layer, 0) for layer in ours} == ours
    assert macs_by_formula(network, size) == ours


@each_network
def test_stages_are_what_strides_and_channels_say(name: str):
    network, size = on_meta(name), model_entry(name).input_size
    rows = {row.name: row.output_shape for row in complexity(network, size).stages}
    assert list(rows) == [*network.stages, "head"]
    for stage, stride, channels in zip(network.stages, network.strides, network.out_channels, strict=True):
        assert rows[stage][0] == channels
        if network.margin == 0 and not name.endswith("s"):  # the maps of a valid U-Net shrink, those of FCN overhang
            assert rows[stage][1] == -(-size[1] // stride)


@each_network
def test_num_classes_and_in_channels(name: str):
    network = on_meta(name, num_classes=7, in_channels=2)
    _, height, width = model_entry(name).input_size
    assert (network.num_classes, network.in_channels) == (7, 2)
    logits, aux = network.forward_with_aux(torch.empty(2, 2, height, width, device="meta"))
    shape = (2, 7, height - 2 * network.margin, width - 2 * network.margin)
    assert all(each.shape == shape for each in (logits, *aux.values()))


@each_network
def test_wrong_inputs_say_what_is_expected(name: str):
    network = on_meta(name)
    with pytest.raises(ValueError, match=rf"shape \(1, 7, 188, 188\): this network takes \(N, {network.in_channels}, "):
        network(torch.zeros(1, 7, 188, 188))
    if network.smallest > 1:
        below = torch.empty(2, network.in_channels, network.smallest - 1, network.smallest, device="meta")
        with pytest.raises(ValueError, match=f"H and W at least {network.smallest}$"):
            network(below)


@each_network
@pytest.mark.parametrize("padded", [False, True])
def test_any_size_gives_a_logit_at_every_pixel(name: str, padded: bool):
    network = on_meta(name, **({"padded": padded} if name == "unet" else {}))
    for height, width in ((33, 47), (64, 50), (95, 131)):
        sides = [network.nearest_side(side) for side in (height, width)]
        expected = tuple(side - 2 * network.margin for side in sides)
        assert network(torch.empty(2, network.in_channels, *sides, device="meta")).shape[2:] == expected


@each_small
def test_backward_reaches_every_parameter(name: str):
    network = built(name).train()
    logits, aux = network.forward_with_aux(images(network))
    labels = torch.ones_like(logits[:, 0], dtype=torch.long)
    loss = sum(nn.functional.cross_entropy(each, labels) for each in (logits, *aux.values()))
    loss.backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.isfinite().all(), parameter
        assert tensor.grad.abs().max() > 0, parameter


@each_small
def test_both_modes_return_logits_and_a_state_dict_makes_the_same_network(name: str):
    network = built(name)
    x = images(network)
    with torch.no_grad():
        assert network.train()(x).shape == network.eval()(x).shape
        other = build_model(name, **SMALL[name]).eval()
        other.load_state_dict(network.state_dict(), strict=True)
        assert torch.equal(other(x), network(x))
        assert torch.equal(network.forward_with_aux(x).logits, network(x))


@pytest.mark.parametrize("name", ["unet", "unet/resnet20_cifar", "fcn_resnet50", "fcn8s"])
def test_replace_out_changes_nothing_else(name: str):
    network = copy.deepcopy(on_meta(name)).double().eval()
    before = {key: value.shape for key, value in network.state_dict().items() if ".out." not in key}
    network.replace_out(5)
    assert network.num_classes == 5
    assert {value.dtype for key, value in network.state_dict().items() if ".out." in key} == {torch.float64}
    assert not network.out.training
    logits, aux = network.forward_with_aux(torch.empty(1, network.in_channels, 188, 188, device="meta").double())
    assert all(each.shape[1] == 5 for each in (logits, *aux.values()))
    assert {key: value.shape for key, value in network.state_dict().items() if ".out." not in key} == before


@each_small
def test_in_evaluation_a_picture_does_not_depend_on_its_company(name: str):
    network = built(name).double().eval()
    x = images(network, 3).double()
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:2], network(x[1:2]))
