"""What every network must do, checked on every network."""

from __future__ import annotations

import copy
import weakref
from functools import lru_cache

import pytest
import torch
from tests.depths import networks
from tests.models.counting import macs_by_formula, macs_by_torch
from tests.models.facts import FACTS
from torch import nn

from hubel.models import ClassificationNetwork, build_model, list_models, model_entry
from hubel.models.complexity import complexity


@lru_cache(maxsize=2)
def built(name: str) -> ClassificationNetwork:
    """One instance per network, its running statistics those of a batch; tests must not change it.

    Only the last two stay in memory: a VGG alone is half a gigabyte.
    """
    torch.manual_seed(0)
    network = build_model(name)
    assert isinstance(network, ClassificationNetwork)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images(name, 4))
    for norm in norms:
        norm.momentum = 0.1
    return network


def images(name: str, count: int = 2) -> torch.Tensor:
    """Random images, small ones where the network takes any size."""
    entry = model_entry(name)
    channels, height, width = entry.input_size
    least = max(64, FACTS[name].smallest)
    size = (height, width) if entry.fixed_size else (min(height, least), min(width, least))
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(1))


def on_meta(name: str, **arguments: int) -> ClassificationNetwork:
    with torch.device("meta"):
        network = build_model(name, **arguments)
    assert isinstance(network, ClassificationNetwork)
    return network


# With a module's scope, pytest runs all tests of one network before those of the next, so each is built once.
each_network = pytest.mark.parametrize("name", networks(list_models("classification")), scope="module")


def test_every_network_has_its_facts():
    assert set(list_models("classification")) == set(FACTS)


@each_network
def test_facts(name: str):
    facts, entry, network = FACTS[name], model_entry(name), on_meta(name)
    cost = complexity(network, entry.input_size)
    everything = sum(parameter.numel() for parameter in network.parameters())
    assert (cost.parameters, cost.auxiliary_parameters) == (facts.parameters, facts.aux_parameters)
    assert everything == facts.parameters + facts.aux_parameters
    assert cost.macs == facts.macs
    assert network(torch.empty(2, *entry.input_size, device="meta")).shape == facts.out_shape
    assert network.num_classes == facts.out_shape[1]
    assert network.strides == facts.strides
    assert network.out_channels == facts.channels
    assert facts.source in entry.source


# Layers whose multiplications torch's counter cannot see, or sees otherwise: hubel's count and torch's.
SEEN_OTHERWISE = {
    "lenet5": {
        "stages.s2.0": (1_176, 0),  # a product with the coefficient for each value: elementwise
        "stages.c3.0": (150_000, 240_000),  # the arithmetic also multiplies by the zeros of absent connections
        "stages.s4.0": (400, 0),
        "head.out": (840, 0),  # the squares of differences: elementwise
    }
}


@each_network
def test_three_counts_of_multiplications_agree_in_every_layer(name: str):
    """Hubel's, torch's and that of the closed formula, to the unit."""
    network, size = on_meta(name).eval(), model_entry(name).input_size
    cost, by_torch = complexity(network, size), macs_by_torch(network, size)
    ours = {layer.name: layer.macs for layer in cost.layers if layer.macs}
    otherwise = SEEN_OTHERWISE.get(name, {})
    assert {layer: (ours[layer], by_torch.get(layer, 0)) for layer in otherwise} == otherwise
    assert cost.macs - by_torch[""] == sum(own - seen for own, seen in otherwise.values())
    ours = {layer: macs for layer, macs in ours.items() if layer not in otherwise}
    assert {layer: by_torch.get(layer, 0) for layer in ours} == ours
    assert macs_by_formula(network, size) == ours


@each_network
def test_stages_are_what_strides_and_channels_say(name: str):
    entry, network = model_entry(name), on_meta(name)
    image = torch.empty(2, *entry.input_size, device="meta")
    maps = network.forward_stages(image)
    assert list(maps) == [stage for stage, _ in network.stages.named_children()]
    assert tuple(map_.shape[1] for map_ in maps.values()) == network.out_channels
    if name.startswith("resnet"):  # the others have convolutions without padding or pools that drop a rest
        assert tuple(image.shape[2] // map_.shape[2] for map_ in maps.values()) == network.strides


@each_network
def test_network_is_head_of_features_of_stages(name: str):
    network, x = built(name).eval(), images(name)
    with torch.no_grad():
        logits, features, maps = network(x), network.features(x), network.forward_stages(x)
        assert torch.equal(features, list(maps.values())[-1])
        assert torch.equal(network.head(features), logits)
    assert logits.isfinite().all()
    assert network.head.out is network.out


@each_network
def test_both_modes_return_logits(name: str):
    network, x = built(name), images(name)
    state = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        outputs = [network.train()(x), network.eval()(x)]
    network.load_state_dict(state)
    assert all(isinstance(output, torch.Tensor) and output.shape == FACTS[name].out_shape for output in outputs)


@each_network
def test_backward_reaches_every_parameter(name: str):
    network = built(name).train()
    state = copy.deepcopy(network.state_dict())
    logits, aux = network.forward_with_aux(images(name, 4))
    loss = sum(nn.functional.cross_entropy(each / 10, torch.arange(4)) for each in (logits, *aux.values()))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    network.load_state_dict(state)
    for (parameter, _), gradient in zip(network.named_parameters(), gradients, strict=True):
        assert gradient.isfinite().all(), parameter
        assert gradient.abs().max() > 0, parameter


@each_network
def test_state_dict_round_trip(name: str):
    network, x = built(name).eval(), images(name)
    other = build_model(name).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(other(x), network(x))


@each_network
def test_smallest_size_works_and_below_it_an_error_names_it(name: str):
    network, channels = on_meta(name), model_entry(name).input_size[0]
    if model_entry(name).fixed_size:
        return
    assert network.smallest == FACTS[name].smallest
    for height, width in ((network.smallest, network.smallest + 1), (network.smallest + 1, network.smallest)):
        logits, aux = network.forward_with_aux(torch.empty(2, channels, height, width, device="meta"))
        assert all(each.shape == logits.shape for each in aux.values())
    if network.smallest > 1:
        below = torch.empty(2, channels, network.smallest - 1, network.smallest, device="meta")
        with pytest.raises(ValueError, match=f"H and W at least {network.smallest}$"):
            network(below)
        network.smallest = 1
        with pytest.raises((RuntimeError, ValueError)):  # it is the arithmetic that asks for it
            network.forward_with_aux(below)


@each_network
def test_odd_sizes_work_or_say_what_is_expected(name: str):
    network, (channels, height, width) = built(name).eval(), model_entry(name).input_size
    odd = torch.zeros(1, channels, max(33, network.smallest), max(47, network.smallest + 14))
    if model_entry(name).fixed_size:
        with pytest.raises(
            ValueError, match=rf"shape \(1, {channels}, 33, 47\).*takes \(N, {channels}, {height}, {width}\)"
        ):
            network(odd)
    else:
        with torch.no_grad():
            assert network(odd).isfinite().all()


@each_network
def test_wrong_channels_say_what_is_expected(name: str):
    network = on_meta(name)
    with pytest.raises(ValueError, match=rf"shape \(1, 7, 32, 32\): this network takes \(N, {network.in_channels}, "):
        network.forward_stages(torch.zeros(1, 7, 32, 32))


@each_network
def test_num_classes_and_in_channels(name: str):
    network = on_meta(name, num_classes=7, in_channels=2)
    _, height, width = model_entry(name).input_size
    assert (network.num_classes, network.in_channels) == (7, 2)
    logits, aux = network.forward_with_aux(torch.empty(3, 2, height, width, device="meta"))
    assert all(each.shape == (3, 7) for each in (logits, *aux.values()))


@each_network
def test_replace_out_changes_nothing_else(name: str):
    network = copy.deepcopy(built(name)).double().eval()
    before = {key: value for key, value in network.state_dict().items() if ".out." not in key}
    network.replace_out(5)
    x = images(name).double()
    with torch.no_grad():
        assert network(x).shape == (2, 5)
    assert network.num_classes == 5
    assert network(x).dtype == torch.float64
    assert not network.out.training
    assert all(logits.shape == (2, 5) for logits in network.forward_with_aux(x).aux.values())
    after = {key: value for key, value in network.state_dict().items() if ".out." not in key}
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


class Watching(nn.Module):
    """The identity, which notes whether something else is alive meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: weakref.ref[torch.Tensor] | None = None
        self.saw_it_alive: bool | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.watched is not None:
            self.saw_it_alive = self.watched() is not None
        return x + 0


def test_the_map_before_a_stage_is_freed_when_the_stage_has_shrunk_it():
    first, watching = nn.AvgPool2d(2), Watching()
    two = nn.Sequential(nn.AvgPool2d(2), watching)
    network = ClassificationNetwork(
        {"one": first, "two": two}, nn.Identity(), in_channels=1, strides=(2, 4), out_channels=(1, 1)
    )

    def remember(module: nn.Module, given: object, output: torch.Tensor) -> None:
        watching.watched = weakref.ref(output)

    first.register_forward_hook(remember)
    image = torch.randn(1, 1, 8, 8)
    with torch.no_grad():
        expected = network.features(image)
    assert watching.saw_it_alive is False
    seen = []
    two.register_forward_hook(lambda module, given, output: seen.append(output))
    assert torch.equal(network.features(image), expected)
    assert len(seen) == 1


def test_auxiliary_heads_follow_stages():
    with pytest.raises(ValueError, match="auxiliary heads came for b: expected names of stages"):
        ClassificationNetwork(
            {"a": nn.Identity()},
            nn.Identity(),
            in_channels=3,
            strides=(1,),
            out_channels=(3,),
            aux_heads={"b": nn.Identity()},
        )


def test_number_of_strides_must_be_that_of_the_stages():
    with pytest.raises(ValueError, match="1 stages, 2 strides and 1 channels"):
        ClassificationNetwork({"a": nn.Identity()}, nn.Identity(), in_channels=3, strides=(1, 2), out_channels=(3,))
