"""The computed numbers of `docs/numbers.md`: the template names them, and Markdown tables come ready."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import nn

from hubel.models.classification.densenet import DenseLayer
from hubel.models.classification.googlenet import MODULES, Widths
from hubel.models.classification.lenet import connections
from hubel.models.classification.resnet import BasicBlock
from hubel.models.complexity import Complexity, complexity
from hubel.models.depth import weight_layers
from hubel.models.inception_arithmetic import ConvolutionCost, ModuleCost, inception_arithmetic, reduced_module
from hubel.models.network import ClassificationNetwork
from hubel.models.published import ILSVRC_RESULTS, figures_of
from hubel.models.registry import build_model, model_entry
from hubel.nn import DepthwiseSeparableConv2d, LocalResponseNorm, convolution_parameters, output_size

VGG_CONFIGURATIONS = {
    "A": "vgg11",
    "A-LRN": "vgg11_lrn",
    "B": "vgg13",
    "C": "vgg16_c",
    "D": "vgg16",
    "E": "vgg19",
}
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
SPECTRUM = {
    "LeNet-5 as usually copied": "lenet5_modern",
    "AlexNet": "alexnet",
    "VGG-16": "vgg16",
    "VGG-19": "vgg19",
    "GoogLeNet": "googlenet",
    "ResNet-152": "resnet152",
}

# Layer, then n, f, s and p of the textbooks' formula.
SIZES = (
    ("LeNet-5, C1", 32, 5, 1, 0),
    ("AlexNet, conv1", 227, 11, 4, 0),
    ("AlexNet, conv1 at 224 without padding", 224, 11, 4, 0),
    ("AlexNet in one column, conv1", 224, 11, 4, 2),
    ("AlexNet, overlapping pooling", 55, 3, 2, 0),
    ("5×5 that keeps the size", 28, 5, 1, 2),
    ("VGG, every 3×3", 224, 3, 1, 1),
    ("VGG, every pooling", 224, 2, 2, 0),
    ("GoogLeNet and ResNet, conv1", 224, 7, 2, 3),
    ("ResNet, pooling", 112, 3, 2, 1),
)


@cache
def network(name: str, **arguments: Any) -> ClassificationNetwork:
    """A network as shapes alone."""
    return cast(ClassificationNetwork, model_entry(name).build_shapes(**arguments).eval())


@cache
def cost(name: str, **arguments: Any) -> Complexity:
    """What a network costs at its standard input."""
    return complexity(network(name, **arguments), model_entry(name).input_size)


@cache
def depth(name: str) -> int:
    """The weight layers of a network."""
    return weight_layers(network(name), model_entry(name).input_size)


def layers_of(name: str, kind: type[nn.Module]) -> list[Any]:
    """The layers of this class that a network has for prediction."""
    modules = network(name).named_modules()
    return [module for path, module in modules if isinstance(module, kind) and not path.startswith("aux_heads.")]


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, text: int = 1) -> str:
    """A Markdown table; all but the first `text` columns are flush right, whole numbers have their thousands apart."""
    rule = ["---" if column < text else "---:" for column, _ in enumerate(head)]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *cells))


def by(shape: Sequence[int]) -> str:
    """`96×55×55`."""
    return "×".join(map(str, shape))


def values() -> dict[str, Any]:
    """Everything that the template names, beside `network`, `cost` and `depth`.

    Raises:
        AssertionError: Something that the page states of the networks is not so.
    """
    return {
        **_layers(),
        **_lenet(),
        **_alexnet(),
        **_vgg(),
        **_inception(),
        **_residual(),
        **_dense(),
        "years_table": _years(),
        "spectrum": ", ".join(f"{label} {depth(name)}" for label, name in SPECTRUM.items()),
    }


def _require(condition: bool, statement: str) -> None:
    """What the page's prose says of the networks must be so."""
    if not condition:
        raise AssertionError(f"this does not hold: {statement}")


def _layers() -> dict[str, Any]:
    rows = []
    for what, size, kernel, stride, padding in SIZES:
        layer = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, device="meta")
        by_torch = layer(torch.empty(1, 1, size, size, device="meta")).shape[-1]
        unrounded = (size + 2 * padding - kernel) / stride + 1
        by_formula = output_size(size, kernel, stride, padding)
        rows.append((what, size, kernel, stride, padding, f"{unrounded:g}", by_formula, by_torch))
    head = ("layer", "n", "f", "s", "p", "(n + 2p - f) / s + 1", "⌊(n + 2p - f) / s⌋ + 1", "PyTorch")
    one_by_one = [layer for layer in layers_of("googlenet", nn.Conv2d) if layer.kernel_size == (1, 1)]
    return {
        "sizes_table": table(head, rows),
        "pooling_parameters": sum(parameter.numel() for parameter in nn.MaxPool2d(3).parameters()),
        "pixel_difference": _difference_of_one_by_one_and_dense(),
        "one_by_one_in_googlenet": sum(p.numel() for layer in one_by_one for p in layer.parameters()),
        "separable_share": _separable_share(256, 256),
        "separable_share_of_one": _separable_share(1, 1),
    }


def _difference_of_one_by_one_and_dense() -> int:
    """On integers, which float64 adds exactly."""
    convolution, dense = nn.Conv2d(8, 5, 1, bias=False).double(), nn.Linear(8, 5, bias=False).double()
    weight = torch.arange(40, dtype=torch.float64).remainder(7).view(5, 8)
    image = torch.arange(2 * 8 * 6 * 6, dtype=torch.float64).remainder(11).view(2, 8, 6, 6)
    with torch.no_grad():
        convolution.weight.copy_(weight[:, :, None, None])
        dense.weight.copy_(weight)
        pixels = dense(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return int((convolution(image) - pixels).abs().max())


def _separable_share(in_channels: int, out_channels: int) -> float:
    """Weights of a depthwise separable 3×3 convolution, as a share of an ordinary one's."""
    separable = DepthwiseSeparableConv2d(in_channels, out_channels, 3)
    weights = sum(parameter.numel() for parameter in separable.parameters())
    return weights / convolution_parameters(in_channels, out_channels, 3, bias=False)


def _lenet() -> dict[str, Any]:
    background, foreground = -0.1, 1.175
    maps = network("lenet5").forward_stages(torch.empty(1, 1, 32, 32, device="meta"))
    return {
        "lenet_maps": ", ".join(f"{m.shape[1]}@{by(m.shape[2:])}" for m in maps.values()),
        "lenet_sum": " + ".join(f"{layer.parameters:,}" for layer in cost("lenet5").layers if layer.parameters),
        "lenet_connections": sum(connections(network("lenet5")).values()),
        "greatest_variance": ((foreground - background) / 2) ** 2,
        "variance_of_two_values": -background * foreground,
    }


def _alexnet() -> dict[str, Any]:
    norms, pools = layers_of("alexnet", LocalResponseNorm), layers_of("alexnet", nn.MaxPool2d)
    modules = network("alexnet").named_modules()
    grouped = [name.split(".")[1] for name, m in modules if isinstance(m, nn.Conv2d) and m.groups == 2]
    dropouts = [layer.p for layer in layers_of("alexnet", nn.Dropout)]
    _require([(pool.kernel_size, pool.stride) for pool in pools] == [(3, 2)] * 3, "AlexNet pools 3×3 with stride 2")
    _require(dropouts == [0.5, 0.5], "AlexNet drops half of two layers")
    rows = [
        (f"`{layer.name.removesuffix('.conv')}`", by(layer.output_shape), layer.parameters, layer.macs)
        for layer in cost("alexnet").layers
        if layer.parameters or layer.kind == "MaxPool2d"
    ]
    whole = cost("alexnet")
    head = ("layer", "output", "parameters", "multiplications")
    return {
        "norm": norms[0],
        "norms": len(norms),
        "grouped": ", ".join(grouped),
        "normalised": _normalised(),
        "alexnet_table": table(head, [*rows, ("total", "", whole.parameters, whole.macs)]),
    }


def _normalised() -> dict[str, float]:
    """The middle of five channels of 100: by the paper's formula, by PyTorch's layer with 5 α, and with α."""
    x = torch.full((1, 5, 1, 1), 100.0, dtype=torch.float64)
    layers = {
        "paper": LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
        "five_alpha": nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        "one_alpha": nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
    }
    return {name: layer(x)[0, 2, 0, 0].item() for name, layer in layers.items()}


def _vgg() -> dict[str, Any]:
    d = cost("vgg16")
    with_input = d.activations + torch.Size(d.input_size).numel()
    conv1 = [layer for layer in d.layers if layer.name.startswith("stages.conv1.") and layer.parameters]
    dense = [layer for layer in d.layers if layer.kind == "Linear"]
    kinds = {(layer.kernel_size, layer.stride, layer.padding) for layer in layers_of("vgg16", nn.Conv2d)}
    _require(kinds == {((3, 3), (1, 1), (1, 1))}, "all convolutions of VGG-16 are 3×3 with stride 1 and padding 1")
    one_by_one = [layer for layer in layers_of("vgg16_c", nn.Conv2d) if layer.kernel_size == (1, 1)]
    rows = [
        (letter, f"`{name}`", depth(name), cost(name).parameters, f"{cost(name).macs / 1e9:.3f} G")
        for letter, name in VGG_CONFIGURATIONS.items()
    ]
    return {
        "vgg_values": with_input,
        "vgg_conv1_share": sum(layer.activations for layer in conv1) / with_input,
        "vgg_dense": ", ".join(f"{layer.output_shape[0]:,}" for layer in dense),
        "vgg_dense_share": sum(layer.parameters for layer in dense) / d.parameters,
        "vgg_c_one_by_one": len(one_by_one),
        "vgg_errors": {name: _quoted(name) for name in ("vgg16", "vgg19")},
        "vgg_table": table(("", "network", "weight layers", "parameters", "multiplications"), rows, text=2),
    }


def _quoted(name: str) -> str:
    """The errors that the paper of a network prints."""
    return " and ".join(figure.printed for figure in figures_of(name) if figure.quoted)


def _inception() -> dict[str, Any]:
    naive, reduced, published, branch, reduced_branch = inception_arithmetic()
    slip = reduced.macs + next(row.macs for row in reduced.rows if row.name == "3×3")
    wide = reduced_module("", reduced.input_shape, Widths(128, 128, 192, 64, 96, 64))
    without_projection = sum(row.macs for row in wide.rows if row.name != "pool projection")
    _require(slip == without_projection, "the slip is also the cost of a module without pool projection")
    google = network("googlenet")
    image = torch.empty(1, *model_entry("googlenet").input_size, device="meta")
    maps = google.forward_stages(image)
    pooled = [head.get_submodule("pool")(maps[name]) for name, head in google.aux_heads.items()]
    (aux_dropout,) = {layer.p for layer in google.aux_heads.modules() if isinstance(layer, nn.Dropout)}
    rows: list[tuple[Any, ...]] = []
    for module in (naive, reduced, published, branch, reduced_branch):
        rows.append(_cost_row(f"**{module.name}**", module))
        rows.extend(_cost_row(row.name, row) for row in module.rows)
    return {
        "naive": naive,
        "reduced": reduced,
        "published": published,
        "branch": branch,
        "reduced_branch": reduced_branch,
        "slip": slip,
        "sum_of": lambda module: " + ".join(f"{row.macs:,}" for row in module.rows),
        "aux_inputs": " and ".join(by((*map_.shape[2:], map_.shape[1])) for map_ in pooled),
        "aux_dropout": aux_dropout,
        "modules_table": _modules(),
        "arithmetic_table": table(("", "input", "output", "weights", "multiplications"), rows),
    }


def _cost_row(label: str, part: ModuleCost | ConvolutionCost) -> tuple[Any, ...]:
    return label, by(part.input_shape), by(part.output_shape), part.weights, part.macs


def _modules() -> str:
    stages = {stage.name: stage for stage in cost("googlenet").stages}
    rows = []
    for name, widths in MODULES.items():
        stage = stages[name]
        rows.append((f"`{name}`", *widths, by(stage.output_shape), stage.parameters, f"{stage.macs / 1e6:.1f} M"))
    head = (
        "",
        "1×1",
        "3×3 reduce",
        "3×3",
        "5×5 reduce",
        "5×5",
        "projection",
        "output",
        "parameters",
        "multiplications",
    )
    return table(head, rows)


def _residual() -> dict[str, Any]:
    plain, padded = cost("plain34"), cost("resnet34", shortcut="A")
    same = (plain.parameters, plain.macs) == (padded.parameters, padded.macs)
    _require(same, "shortcuts of option A cost nothing")
    _require(not layers_of("resnet34", nn.Dropout), "ResNet-34 has no dropout")
    rows = []
    for name in RESNETS:
        printed = next(f for f in figures_of(name) if f.quantity == "MACs" and "table 1" in f.source).printed
        macs = [f"{cost(name, stride_on=stride_on).macs / 1e9:.2f} G" for stride_on in ("1x1", "3x3")]
        rows.append((f"`{name}`", cost(name).parameters, *macs, printed))
    head = ("", "parameters", "stride on the 1×1 (paper)", "stride on the 3×3 (torchvision)", "printed in the paper")
    return {
        "resnet_head": next(stage for stage in cost("resnet34").stages if stage.name == "head"),
        "ten_crops": {name: _ten_crops(name) for name in ("plain18", "plain34", "resnet18", "resnet34")},
        "identity_difference": _difference_of_a_block_and_the_identity(),
        "resnet_table": table(head, rows),
    }


def _ten_crops(name: str) -> str:
    """The printed top-1 error of ten crops, with shortcuts of option A where there are any."""
    return next(
        figure.printed
        for figure in figures_of(name)
        if figure.quantity == "top-1 error"
        and "10 crops" in figure.conditions
        and figure.arguments.get("shortcut", "A") == "A"
    )


def _difference_of_a_block_and_the_identity() -> float:
    net = build_model("resnet20_cifar", zero_init_residual=True).eval()
    block = next(m for m in net.modules() if isinstance(m, BasicBlock) and isinstance(m.shortcut, nn.Identity))
    x = torch.arange(2 * 16 * 4 * 4, dtype=torch.float32).view(2, 16, 4, 4)  # not negative, as behind a ReLU
    with torch.no_grad():
        return float((block(x) - x).abs().max())


def _dense() -> dict[str, Any]:
    inputs = [layer.conv1.in_channels for layer in _dense_layers("densenet40_cifar", "block1")]
    growth = inputs[1] - inputs[0]
    _require(
        all(after - before == growth for before, after in itertools.pairwise(inputs)),
        "the channels of DenseNet-40 follow k0 + k (l - 1)",
    )
    blocks = [len(_dense_layers("densenet121", f"block{number}")) for number in (1, 2, 3, 4)]
    links = [count * (count + 1) // 2 for count in blocks]
    return {
        "dense_inputs": ", ".join(map(str, inputs[:4])),
        "dense_growth": growth,
        "dense_bottleneck": _dense_layers("densenet121", "block1")[0].conv1.out_channels,
        "dense_blocks": ", ".join(map(str, blocks)),
        "dense_links": f"{' + '.join(map(str, links))} = {sum(links)}",
    }


def _dense_layers(name: str, stage: str) -> list[Any]:
    return [m for m in network(name).get_submodule(f"stages.{stage}").modules() if isinstance(m, DenseLayer)]


def _years() -> str:
    rows = [
        (str(r.year), r.entry, r.note, r.source, str(r.layers or "–"), f"{r.top5_error} %", r.place)
        for r in ILSVRC_RESULTS
    ]
    return table(("year", "entry", "", "source", "layers", "top-5 error", "place"), rows, text=4)
