"""What is found in networks, against what their papers say."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
import torch
from tests.depths import networks
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from hubel.models import ClassificationNetwork, list_models, model_entry
from hubel.models.drawing import anatomy
from hubel.models.drawing.structure import (
    Anatomy,
    Block,
    Chain,
    Dense,
    Layer,
    Parallel,
    Repeat,
    Stage,
    Tangle,
    dense_in,
    layers_in,
    parallels_in,
    parts_in,
)

each_network = pytest.mark.parametrize("name", networks(list_models("classification")))


@cache
def found(name: str) -> Anatomy:
    entry = model_entry(name)
    return anatomy(entry.build_shapes(), entry.input_size)


def everything(name: str) -> Chain:
    return tuple(item for part in (*found(name).parts, *found(name).aux_heads) for item in part.items)


def stage(name: str, which: str) -> Stage:
    (result,) = [part for part in found(name).stages if part.name == which]
    return result


def label(layer: Layer) -> str:
    return ", ".join((layer.what, *layer.details))


def labels(chain: Chain) -> list[str]:
    return [label(layer) for layer in layers_in(chain)]


def of(chain: Chain) -> Any:
    """The structure of a small network: its only stage's only item."""
    (item,) = chain
    return item


def small(network: nn.Module, size: tuple[int, int, int] = (4, 8, 8)) -> Chain:
    """The items of a network that leaves the map's size alone."""
    (only,) = anatomy(network, size).stages
    return only.items


# Every network


class Counted(TorchDispatchMode):
    """Counts operations, on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func._schema.name] += 1
        return func(*args, **(kwargs or {}))


@each_network
def test_every_convolution_and_every_linear_layer_is_there(name: str):
    entry = model_entry(name)
    network = entry.build_shapes().eval()
    with Counted() as counted, torch.no_grad():
        network.forward_with_aux(torch.empty(1, *entry.input_size, device="meta"))
    layers = layers_in(everything(name))
    separable = sum("separable" in layer.what for layer in layers)  # two convolutions each
    kinds = Counter(layer.kind for layer in layers)
    assert kinds["convolution"] + separable == counted.counts["aten::convolution"]
    assert kinds["linear"] == counted.counts["aten::addmm"] + counted.counts["aten::mm"]


@each_network
def test_stages_have_the_networks_own_shapes(name: str):
    entry, structure = model_entry(name), found(name)
    network = entry.build_shapes().eval()
    maps = network.forward_stages(torch.empty(1, *entry.input_size, device="meta"))
    assert [(part.name, part.shape) for part in structure.stages] == [
        (stage_name, tuple(map_.shape[1:])) for stage_name, map_ in maps.items()
    ]
    assert [head.name for head in structure.aux_heads] == list(network.aux_heads)
    assert structure.head is not None
    assert structure.head.shape == (network.num_classes,)
    assert not any(isinstance(item, Tangle) for item in parts_in(everything(name)))


# What the papers say


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", [2, 2, 2, 2]),
        ("resnet34", [3, 4, 6, 3]),
        ("resnet50", [3, 4, 6, 3]),
        ("resnet101", [3, 4, 23, 3]),
        ("resnet152", [3, 8, 36, 3]),
        ("resnetv2_50", [3, 4, 6, 3]),
    ],
)
def test_additions_of_resnets_are_those_of_table_1(name: str, blocks: list[int]):
    stages = [stage(name, f"conv{number}") for number in (2, 3, 4, 5)]
    assert [len(parallels_in(part.items)) for part in stages] == blocks
    additions = parallels_in(everything(name))
    assert all(each.operation == "add" and each.is_shortcut for each in additions)
    projections = [each for each in additions if all(each.branches)]
    basic = name in ("resnet18", "resnet34")  # conv2 has 64 channels there, as the map before it: no projection
    assert len(projections) == (3 if basic else 4)
    assert all(each.given != each.shape for each in projections)


def test_equal_blocks_of_resnet152_are_folded():
    repeats = [item for item in stage("resnet152", "conv4").items if isinstance(item, Repeat)]
    assert [(repeat.count, repeat.names, repeat.kind) for repeat in repeats] == [
        (35, ("block2", "block36"), "Bottleneck")
    ]
    first = stage("resnet152", "conv4").items[0]
    assert isinstance(first, Block)
    assert (first.name, labels(first.items)) == (
        "block1",
        ["1×1 conv, 256", "3×3 conv, 256, /2", "1×1 conv, 1024", "1×1 conv, 1024, /2"],
    )
    layer = layers_in(first.items)[0]
    assert layer.notes == ("BatchNorm", "ReLU")


def test_the_stride_can_be_on_the_first_convolution_as_in_the_paper():
    network = model_entry("resnet50").build_shapes(stride_on="1x1")
    (conv3,) = [part for part in anatomy(network, (3, 224, 224)).stages if part.name == "conv3"]
    assert labels(conv3.items)[:3] == ["1×1 conv, 128, /2", "3×3 conv, 128", "1×1 conv, 512"]


def test_shortcuts_of_option_a_pad_with_zeros():
    additions = parallels_in(everything("resnet110_cifar"))
    assert len(additions) == 54
    padded = [branch for each in additions for branch in each.branches if len(branch) == 1]
    assert [[label(layer) for layer in layers_in(branch)] for branch in padded] == [["ZeroPadding"]] * 2
    assert [layer.shape for branch in padded for layer in layers_in(branch)] == [(32, 16, 16), (64, 8, 8)]


def test_plain_networks_have_no_branches():
    assert not parallels_in(everything("plain34"))
    assert Counter(layer.kind for layer in layers_in(everything("plain34"))) == {
        "convolution": 33,
        "linear": 1,
        "pooling": 2,
    }


def test_inception_modules_of_googlenet_are_those_of_table_1():
    table = {  # Szegedy et al. 2014: 1×1; 3×3 reduce, 3×3; 5×5 reduce, 5×5; pool proj
        "inception3a": (64, 96, 128, 16, 32, 32),
        "inception4a": (192, 96, 208, 16, 48, 64),
        "inception5b": (384, 192, 384, 48, 128, 128),
    }
    for name, (a, b1, b2, c1, c2, d) in table.items():
        (module,) = parallels_in(stage("googlenet", name).items)
        assert [labels(branch) for branch in module.branches] == [
            [f"1×1 conv, {a}"],
            [f"1×1 conv, {b1}", f"3×3 conv, {b2}"],
            [f"1×1 conv, {c1}", f"5×5 conv, {c2}"],
            ["3×3 max pool", f"1×1 conv, {d}"],
        ]
        assert module.operation == "concatenate"
        assert module.shape[0] == a + b2 + c2 + d
    assert len(parallels_in(everything("googlenet"))) == 9
    assert [head.name for head in found("googlenet").aux_heads] == ["inception4a", "inception4d"]
    assert labels(found("googlenet").aux_heads[0].items) == [
        "5×5 average pool, /3",
        "1×1 conv, 128",
        "fully connected, 1024",
        "fully connected, 1000",
    ]
    assert found("googlenet").parameters == 6_998_552


def test_inception_v4_repeats_its_modules_as_in_figure_9():
    repeats = [item.count for item in parts_in(everything("inception_v4")) if isinstance(item, Repeat)]
    assert list(dict.fromkeys(repeats)) == [4, 7, 3]


def test_the_last_modules_of_inception_v3_divide_their_branches_again():
    outer, *inner = parallels_in(stage("inception_v3", "mixed7c").items)
    assert len(outer.branches) == 4
    assert [[labels(branch) for branch in each.branches] for each in inner] == [
        [["1×3 conv, 384"], ["3×1 conv, 384"]],
        [["1×3 conv, 384"], ["3×1 conv, 384"]],
    ]
    assert stage("inception_v3", "mixed7b") == stage("inception_v3", "mixed7c")  # but for what comes in


def test_residuals_of_inception_resnet_are_scaled():
    additions = [each for each in parallels_in(everything("inception_resnet_v2")) if each.operation == "add"]
    scales = Counter(layer.notes[-1:] for each in additions for branch in each.branches for layer in branch[-1:])
    assert scales == {("× 0.17",): 10, ("× 0.1",): 20, ("× 0.2",): 9, (): 1}


def test_xception_has_34_separable_convolutions_and_12_shortcuts():
    layers = layers_in(everything("xception"))
    assert sum(layer.what == "3×3 separable conv" for layer in layers) == 34
    additions = parallels_in(everything("xception"))
    assert len(additions) == 12
    assert [labels(branch) for each in additions for branch in each.branches if len(branch) == 1] == [
        ["1×1 conv, 128, /2"],
        ["1×1 conv, 256, /2"],
        ["1×1 conv, 728, /2"],
        ["1×1 conv, 1024, /2"],
    ]


@pytest.mark.parametrize(
    ("name", "growth", "blocks"),
    [  # k0 of each block, and how many layers it has (Huang et al. 2017, table 1 and section 4.2)
        ("densenet121", 32, [(64, 6), (128, 12), (256, 24), (512, 16)]),
        ("densenet264", 32, [(64, 6), (128, 12), (256, 64), (1152, 48)]),
        ("densenet40_cifar", 12, [(16, 12), (160, 12), (304, 12)]),
        ("timm/densenet121", 32, [(64, 6), (128, 12), (256, 24), (512, 16)]),
    ],
)
def test_dense_blocks(name: str, growth: int, blocks: list[tuple[int, int]]):
    dense = dense_in(everything(name))
    assert [(each.start, each.count) for each in dense] == blocks
    assert {each.growth for each in dense} == {growth}
    for each in dense:
        assert each.channels(1) == each.start
        assert each.channels(each.count + 1) == each.shape[0]  # what the next layer would take
    assert not parallels_in(everything(name))


def test_lenet5_names_what_is_its_own():
    layers = layers_in(everything("lenet5"))
    assert [(label(layer), layer.notes) for layer in layers] == [
        ("5×5 conv, 6", ("ScaledTanh",)),
        ("2×2 sum pool, /2", ("Subsampling", "ScaledTanh")),
        ("5×5 conv, 16", ("PartialConvolution", "ScaledTanh")),
        ("2×2 sum pool, /2", ("Subsampling", "ScaledTanh")),
        ("5×5 conv, 120", ("ScaledTanh",)),
        ("fully connected, 84", ("ScaledTanh",)),
        ("EuclideanRBF, 10", ()),
    ]


def test_alexnet_has_groups_and_its_response_normalisation():
    layers = layers_in(everything("alexnet"))
    assert [label(layer) for layer in layers if layer.kind == "convolution"] == [
        "11×11 conv, 96, /4",
        "5×5 conv, 256, 2 groups",
        "3×3 conv, 384",
        "3×3 conv, 384, 2 groups",
        "3×3 conv, 256, 2 groups",
    ]
    assert sum("LocalResponseNorm" in layer.notes for layer in layers) == 2


def test_timms_networks_with_gates():
    products = [each for each in parallels_in(everything("timm/mobilenetv3_small_050")) if each.operation == "multiply"]
    assert len(products) == 9  # squeeze-and-excitation in 9 of 11 blocks (Howard et al. 2019, table 2)
    assert all(each.branches[0] == () for each in products)


# Networks of one's own


class Written(nn.Module):
    """A network whose forward is a function."""

    def __init__(self, run: Any, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.run = run

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def conv(channels_in: int = 4, channels_out: int = 4, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, **options)


def three_layers(run: Any) -> Written:
    return Written(run, a=conv(4, 2), b=conv(6, 2), c=conv(8, 2))


def from_a_list(net: Any, x: Tensor) -> Tensor:
    maps = [x]
    for layer in (net.a, net.b, net.c):
        maps.append(layer(torch.cat(maps, 1)))
    return torch.cat(maps, 1)


def one_by_one(net: Any, x: Tensor) -> Tensor:
    for layer in (net.a, net.b, net.c):
        x = torch.cat([x, layer(x)], 1)
    return x


@pytest.mark.parametrize("run", [from_a_list, one_by_one])
def test_dense_links_look_alike_however_they_are_written(run: Any):
    dense = of(small(three_layers(run)))
    assert isinstance(dense, Dense)
    assert (dense.start, dense.growth, dense.count, dense.shape) == (4, 2, 3, (10, 8, 8))
    assert labels(dense.layer) == ["3×3 conv, 2"]


def test_halves_are_no_dense_links():
    def run(net: Any, x: Tensor) -> Tensor:
        for layer in (net.a, net.b):
            kept, changed = x.chunk(2, dim=1)
            x = torch.cat([kept, layer(changed)], 1)
        return x

    repeat = of(small(Written(run, a=conv(2, 2), b=conv(2, 2))))
    assert isinstance(repeat, Repeat)
    (half,) = repeat.items
    assert repeat.count == 2
    assert isinstance(half, Parallel)
    assert [labels(branch) for branch in half.branches] == [["part"], ["3×3 conv, 2"]]


def test_sums_in_place_and_activations_in_place():
    def run(net: Any, x: Tensor) -> Tensor:
        x = F.relu(net.a(x), inplace=True)
        out = net.b(x)
        out += x
        return out.relu_()

    first, addition = small(Written(run, a=conv(), b=conv()))
    assert isinstance(first, Layer)
    assert first.notes == ("ReLU",)
    assert isinstance(addition, Parallel)
    assert [labels(branch) for branch in addition.branches] == [["3×3 conv, 4"], []]
    assert (addition.operation, addition.notes) == ("add", ("ReLU",))


def test_a_sum_of_three_is_one_place():
    addition = of(small(Written(lambda net, x: net.a(x) + net.b(x) + x, a=conv(), b=conv())))
    assert [labels(branch) for branch in addition.branches] == [["3×3 conv, 4"], ["3×3 conv, 4"], []]


def test_maps_of_a_whole_chain_concatenated_at_its_end():
    def run(net: Any, x: Tensor) -> Tensor:
        a = net.a(x)
        b = net.b(a)
        return torch.cat([x, a, b], 1)

    outer = of(small(Written(run, a=conv(4, 5), b=conv(5, 6))))
    assert outer.branches[0] == ()
    inner = outer.branches[1][1]
    assert (labels(outer.branches[1][:1]), inner.branches[0], labels(inner.branches[1])) == (
        ["3×3 conv, 5"],
        (),
        ["3×3 conv, 6"],
    )
    assert (inner.shape, outer.shape) == ((11, 8, 8), (15, 8, 8))


@pytest.mark.parametrize(
    ("wider", "name"),
    [
        (lambda x: F.pad(x, (0, 0, 0, 0, 0, 2)), "zero padding"),
        (lambda x: torch.cat([x, torch.zeros(1, 2, 8, 8, device="meta")], 1), "padding"),
    ],
)
def test_shortcuts_that_are_made_wider_say_so(wider: Any, name: str):
    addition = of(small(Written(lambda net, x: net.a(x) + wider(x), a=conv(4, 6))))
    assert [labels(branch) for branch in addition.branches] == [["3×3 conv, 6"], [name]]
    assert (addition.given, addition.shape) == ((4, 8, 8), (6, 8, 8))


def test_what_is_no_nesting_of_branches_is_a_tangle():
    def run(net: Any, x: Tensor) -> Tensor:
        a = net.a(x)
        b = net.b(x)
        c = torch.relu(net.c(a + b))
        return torch.cat([a, c, b * c], 1)

    tangle = of(small(Written(run, a=conv(), b=conv(), c=conv())))
    assert isinstance(tangle, Tangle)
    names = [layer.what for layer in tangle.layers]
    assert names == ["input", "3×3 conv", "3×3 conv", "add", "3×3 conv", "multiply", "concatenate"]
    assert tangle.layers[4].notes == ("ReLU",)
    assert set(tangle.links) == {(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (1, 6), (4, 6), (2, 5), (4, 5), (5, 6)}


def test_a_network_without_stages_has_those_of_its_resolutions():
    def run(net: Any, x: Tensor) -> dict[str, Tensor]:
        low = F.max_pool2d(net.b(F.max_pool2d(net.a(x), 2)), 2)
        return {"out": net.out(low.mean((2, 3)))}

    structure = anatomy(Written(run, a=conv(), b=conv(4, 8), out=nn.Linear(8, 3)), (4, 16, 16))
    assert [(part.name, part.given, part.shape) for part in structure.stages] == [
        ("stage 1", (4, 16, 16), (4, 16, 16)),
        ("stage 2", (4, 16, 16), (8, 8, 8)),
        ("stage 3", (8, 8, 8), (8, 4, 4)),
    ]
    assert structure.head is not None
    assert labels(structure.head.items) == ["global average pool", "fully connected, 3"]
    assert structure.parameters == 4 * 4 * 9 + 4 + 4 * 8 * 9 + 8 + 8 * 3 + 3


def test_kernels_strides_dilation_and_transposition():
    network = nn.Sequential(
        nn.Conv2d(4, 8, (1, 7), padding=(0, 3)),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
        nn.Conv2d(8, 6, 3, stride=(2, 1), padding=1),
        nn.ConvTranspose2d(6, 5, 2, stride=2),
        nn.AdaptiveAvgPool2d(3),
        nn.AdaptiveAvgPool2d(3),  # leaves everything as it is
    )
    items = tuple(item for part in anatomy(network, (4, 8, 8)).stages for item in part.items)
    assert labels(items) == [
        "1×7 conv, 8",
        "3×3 depthwise conv, 8, dilation 2",
        "3×3 conv, 6, /2×1",
        "2×2 transposed conv, 5, ×2",
        "average pool to 3×3",
    ]


def test_few_equal_layers_are_drawn_and_many_are_folded():
    def chain(count: int) -> Chain:
        return small(nn.Sequential(*(nn.Sequential(conv(), nn.ReLU()) for _ in range(count))))

    assert len(chain(4)) == 4
    repeat = of(chain(5))
    assert (repeat.count, labels(repeat.items)) == (5, ["3×3 conv, 4"])


def test_groups_of_equal_neighbours_are_folded_together():
    pair = [nn.Sequential(conv(4, 8), conv(8, 4)) for _ in range(3)]
    repeat = of(small(nn.Sequential(*pair)))
    assert (repeat.count, labels(repeat.items)) == (3, ["3×3 conv, 8", "3×3 conv, 4"])


def test_the_network_is_left_alone():
    network = nn.Sequential(conv(), nn.BatchNorm2d(4), nn.Dropout())
    network[2].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert labels(small(network)) == ["3×3 conv, 4"]
    assert [module.training for module in network] == [True, True, False]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_an_input_that_does_not_fit_is_an_error_that_says_so():
    network = model_entry("lenet5").build_shapes()
    assert isinstance(network, ClassificationNetwork)
    with pytest.raises(ValueError, match=r"shape \(1, 1, 20, 20\): this network takes \(N, 1, 32, 32\)"):
        anatomy(network, (1, 20, 20))
    with pytest.raises(ValueError, match="output does not depend on the image"):
        anatomy(Written(lambda net, x: torch.zeros(1, 2)), (1, 4, 4))
