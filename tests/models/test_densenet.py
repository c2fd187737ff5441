"""DenseNets against torchvision, closed formulas and the paper's equations; recomputation against none."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from tests.depths import slow
from tests.models.parity import assert_equal_networks
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.classification.densenet import DenseBlock, DenseLayer, DenseNet, Transition
from hubel.models.classification.densenet_cifar import CifarDenseNet
from hubel.weights import build_with_weights
from hubel.weights.names import recognise
from hubel.weights.names.densenet import published_densenet, torchvision_densenet


@pytest.mark.parametrize("name", ["densenet121", "densenet161", *slow("densenet169", "densenet201")])
def test_equal_to_torchvision(name: str):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(num_classes=10)
    ours = build_model(name, num_classes=10)
    assert_equal_networks(ours, theirs, torchvision_densenet, torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize(
    ("origin", "dots"), [("torchvision", False), ("torchvision's files", True)], ids=["module names", "file names"]
)
def test_both_of_torchvisions_namings_are_recognised(tmp_path: Path, origin: str, dots: bool):
    """torchvision's own loading takes the dots away: `denselayer1.norm.1.weight` becomes `denselayer1.norm1.weight`."""
    torch.manual_seed(0)
    theirs = torchvision.models.densenet121(num_classes=5).eval()
    tensors = theirs.state_dict()
    if dots:
        digits = [f"{kind}{number}" for kind in ("norm", "conv") for number in (1, 2)]
        for digit in digits:
            tensors = {
                name.replace(f".{digit}.", f".{digit[:-1]}.{digit[-1]}.") if ".denselayer" in name else name: tensor
                for name, tensor in tensors.items()
            }
        assert "features.denseblock2.denselayer12.norm.1.running_mean" in tensors
    save_file(tensors, tmp_path / "w.safetensors")
    built = build_with_weights("densenet121", weights=tmp_path / "w.safetensors")
    assert recognise(built.model, tensors).origin == origin
    assert built.notes == ()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(built.model.eval()(x), theirs(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("stages.conv.norm.bias", "features.norm0.bias"),
        ("stages.block3.transition.norm.weight", "features.transition2.norm.weight"),
        ("stages.block4.dense.layer16.conv2.weight", "features.denseblock4.denselayer16.conv.2.weight"),
        ("stages.block4.norm.running_var", "features.norm5.running_var"),
        ("head.out.weight", "classifier.weight"),
    ],
)
def test_names_of_the_published_files(name: str, published: str):
    assert published_densenet(name) == published


def closed_formula(
    width: int, counts: tuple[int, ...], growth_rate: int, classes: int, *, bottleneck: bool, compression: float
) -> int:
    """Parameters behind the first convolution; a BatchNorm has two per channel."""
    total = 0
    for number, count in enumerate(counts):
        if number:
            total += 2 * width + width * int(width * compression)
            width = int(width * compression)
        for _ in range(count):
            inside = 4 * growth_rate if bottleneck else 0
            total += 2 * width + (inside * (width + 2) if bottleneck else 0) + 9 * (inside or width) * growth_rate
            width += growth_rate
    return total + 2 * width + (width + 1) * classes


@pytest.mark.parametrize(
    ("name", "growth_rate", "counts", "parameters"),
    [
        ("densenet121", 32, (6, 12, 24, 16), 7_978_856),
        ("densenet169", 32, (6, 12, 32, 32), 14_149_480),
        ("densenet201", 32, (6, 12, 48, 32), 20_013_928),
        ("densenet161", 48, (6, 12, 36, 24), 28_681_000),
        ("densenet264", 32, (6, 12, 64, 48), 33_337_704),
    ],
)
def test_parameters_by_closed_formula(name: str, growth_rate: int, counts: tuple[int, ...], parameters: int):
    width = 2 * growth_rate
    stem = 3 * 49 * width + 2 * width
    rest = closed_formula(width, counts, growth_rate, 1000, bottleneck=True, compression=0.5)
    assert stem + rest == parameters
    assert parameters_of(name) == parameters


@pytest.mark.parametrize(
    ("name", "arguments", "layers", "width", "millions"),
    [
        ("densenet40_cifar", {"bottleneck": False, "compression": 1.0}, 12, 16, 1.0),
        ("densenet100_cifar", {"bottleneck": False, "compression": 1.0}, 32, 16, 7.0),
        ("densenet100_cifar", {"bottleneck": True, "compression": 0.5}, 16, 24, 0.8),
        ("densenet100_cifar", {"bottleneck": True, "compression": 1.0}, 16, 16, None),  # DenseNet-B, not in the table
    ],
)
def test_parameters_of_table_2(name: str, arguments: dict[str, float], layers: int, width: int, millions: float | None):
    expected = 27 * width + closed_formula(width, (layers,) * 3, 12, 10, **arguments)
    assert parameters_of(name, **arguments) == expected
    if millions is not None:
        assert round(expected / 1e6, 1) == millions


def parameters_of(name: str, **arguments: float) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(name, **arguments).parameters())


def test_defaults_of_the_networks_for_cifar():
    assert parameters_of("densenet40_cifar") == parameters_of("densenet40_cifar", bottleneck=False, compression=1.0)
    assert parameters_of("densenet100_cifar") == parameters_of("densenet100_cifar", bottleneck=True, compression=0.5)


@pytest.mark.parametrize("name", ["densenet121", "densenet40_cifar"])
def test_every_block_keeps_its_size_and_its_channels_follow_the_formula(name: str):
    """The input of layer l has k0 + k (l - 1) channels (section 3, growth rate); every layer makes k."""
    network = build_model(name)
    growth_rate = 12 if "cifar" in name else 32
    seen: list[tuple[int, int]] = []  # channels before and behind each layer
    for module in network.modules():
        if isinstance(module, DenseLayer):
            module.register_forward_hook(
                lambda layer, maps, output: seen.append((sum(x.shape[1] for x in maps), output.shape[1]))
            )
    for block in (module for module in network.modules() if isinstance(module, DenseBlock)):
        first = block.layer1.norm1.num_features
        x = torch.randn(2, first, 5, 7)
        seen.clear()
        assert block(x).shape == (2, first + growth_rate * len(block), 5, 7)
        assert seen == [(first + growth_rate * index, growth_rate) for index in range(len(block))]


@pytest.mark.parametrize("recompute", [False, True])
def test_a_block_of_l_layers_has_l_times_l_plus_1_halves_links(recompute: bool):
    """Equation 2: a layer takes the block's input and what every layer before it made, in this order."""
    torch.manual_seed(0)
    block = DenseBlock(5, 6, 3, recompute=recompute)
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for layer in block:
        layer.register_forward_hook(lambda layer, maps, output: inputs.append(torch.cat(maps, 1)))
        layer.register_forward_hook(lambda layer, maps, output: outputs.append(output))
    x = torch.randn(2, 5, 4, 4)
    y = block(x)
    links = 0
    for index, given in enumerate(inputs):
        sources = [x, *outputs[:index]]
        assert torch.equal(given, torch.cat(sources, 1))
        links += len(sources)
    assert links == 6 * 7 // 2
    assert torch.equal(y, torch.cat([x, *outputs], 1))


def test_a_layer_is_the_papers_composite_function():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 4)
    basic = DenseLayer(6, 3, bottleneck=False)
    torch.testing.assert_close(basic(x), basic.conv1(F.relu(basic.norm1(x))))
    layer = DenseLayer(6, 3)
    torch.testing.assert_close(layer(x), layer.conv2(F.relu(layer.norm2(layer.conv1(F.relu(layer.norm1(x)))))))
    assert [tuple(weight.shape) for name, weight in layer.named_parameters() if "conv" in name] == [
        (12, 6, 1, 1),
        (3, 12, 3, 3),
    ]


def test_a_transition_halves_the_map_and_compresses():
    torch.manual_seed(0)
    transition = Transition(6, 3)
    x = torch.randn(2, 6, 8, 8)
    expected = F.avg_pool2d(F.conv2d(F.relu(transition.norm(x)), transition.conv.weight), 2)
    torch.testing.assert_close(transition(x), expected)
    assert expected.shape == (2, 3, 4, 4)


def test_dropout_is_behind_every_convolution_but_the_first():
    network = build_model("densenet100_cifar", dropout=0.2)
    dropped: list[str] = []
    order = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Dropout)]
    for _, module in order:
        module.register_forward_hook(lambda module, given, output: dropped.append(type(module).__name__))
    network.train()(torch.randn(2, 3, 32, 32))
    assert dropped == ["Conv2d", *["Conv2d", "Dropout"] * (len(dropped) // 2)]
    assert dropped.count("Conv2d") == 99
    assert {module.p for _, module in order if isinstance(module, nn.Dropout)} == {0.2}


def small(**arguments: bool) -> DenseNet:
    torch.manual_seed(0)
    return DenseNet((3, 4, 2, 2), growth_rate=8, num_classes=5, **arguments)


@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_recomputation_changes_no_logit_no_gradient_and_no_statistic(bottleneck: bool, training: bool):
    usual = small(bottleneck=bottleneck).double().train(training)
    saving = small(bottleneck=bottleneck, recompute=True).double().train(training)
    saving.load_state_dict(usual.state_dict(), strict=True)
    x = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    results = []
    for network in (usual, saving):
        image = x.clone().requires_grad_()
        logits = network(image)
        gradients = torch.autograd.grad(logits.square().sum(), [image, *network.parameters()])
        results.append((logits, gradients, network.state_dict()))
    assert torch.equal(results[0][0], results[1][0])
    for ours, theirs in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10 * ours.abs().max().item())
    for name, value in results[0][2].items():
        assert torch.equal(value, results[1][2][name]), name
        assert not name.endswith("num_batches_tracked") or value == training


def test_recomputation_may_happen_twice_and_remembers_the_mode():
    network = small(recompute=True).train()
    before = copy.deepcopy(network.state_dict())
    buffers = [buffer.data_ptr() for buffer in network.buffers()]
    logits = network(torch.randn(3, 3, 64, 64))
    after = copy.deepcopy(network.state_dict())
    parameters = list(network.parameters())
    first = torch.autograd.grad(logits.sum(), parameters, retain_graph=True)
    network.eval()  # between forward and backward: what is computed again must still be what training computed
    second = torch.autograd.grad(logits.sum(), parameters)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(module.training for module in network.modules())
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in after.items())
    assert any(not torch.equal(state[name], value) for name, value in before.items())
    assert buffers == [buffer.data_ptr() for buffer in network.buffers()]


def saved_channels(block: DenseBlock, x: Tensor) -> int:
    """How many channels of maps the backward pass keeps; what shares its memory counts once."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.ndim == 4 and tensor.shape[2:] == x.shape[2:]:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        y = block(x)
    assert y.requires_grad
    return sum(tensor.untyped_storage().nbytes() // (4 * x[:, 0].numel()) for tensor in kept.values())


@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("count", [6, 24])
def test_recomputation_keeps_what_grows_linearly(bottleneck: bool, count: int):
    """Pleiss et al. 2017: without it, each layer keeps the concatenation and its activation, so quadratically many."""
    first, growth_rate = 16, 12
    x = torch.randn(2, first, 6, 6, requires_grad=True)
    maps = first + growth_rate * (count - 1)  # what the last layer takes
    bottlenecks = 2 * 4 * growth_rate * count if bottleneck else 0  # before and behind the second BatchNorm
    concatenations = sum(first + growth_rate * index for index in range(count))
    blocks = {
        recompute: DenseBlock(first, count, growth_rate, bottleneck=bottleneck, recompute=recompute)
        for recompute in (False, True)
    }
    assert saved_channels(blocks[True], x) == maps + bottlenecks
    assert saved_channels(blocks[False], x) == 2 * concatenations + bottlenecks


def test_without_gradients_nothing_is_recomputed():
    network = small(recompute=True).eval()
    calls: list[int] = []
    network.stages.block1.dense.layer2.norm1.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    assert len(calls) == 1
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("densenet121", {"compression": 0}, "densenet121: compression is 0: expected more than 0 and at most 1"),
        ("densenet121", {"compression": 1.5}, r"compression is 1.5: expected more than 0 and at most 1"),
        ("densenet40_cifar", {"compression": 0.001}, "compression is 0.001: it leaves none of 160 channels"),
        ("densenet121", {"dropout": 1.0}, "dropout is 1.0: expected at least 0 and less than 1"),
        ("densenet121", {"dropout": -0.1}, "dropout is -0.1: expected at least 0 and less than 1"),
        ("densenet121", {"growth": 12}, "unknown argument of densenet121 'growth'"),
    ],
)
def test_bad_arguments_say_what_is_expected(name: str, arguments: dict[str, float], message: str):
    with pytest.raises(ConfigError, match=message):
        build_model(name, **arguments)


@pytest.mark.parametrize(("depth", "bottleneck", "step"), [(41, False, 3), (43, True, 6), (4, False, 3)])
def test_impossible_depths_say_what_is_expected(depth: int, bottleneck: bool, step: int):
    with pytest.raises(ValueError, match=rf"depth is {depth}: expected {step}n \+ 4, such as 40 or 100"):
        CifarDenseNet(depth, bottleneck=bottleneck)
