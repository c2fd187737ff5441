"""The stages in the papers' words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from hubel.models.description import describe_stages
from hubel.models.network import ClassificationNetwork
from hubel.models.registry import model_entry


def described(name: str) -> dict[str, str]:
    entry = model_entry(name)
    network = entry.build_shapes().eval()
    assert isinstance(network, ClassificationNetwork)
    return describe_stages(network, entry.input_size)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        # arXiv:1512.03385, table 1
        (
            "resnet50",
            {
                "conv1": "7×7 64 /2",
                "conv2": "max pool 3×3 /2, 3 × [1×1 64, 3×3 64, 1×1 256]",
                "conv3": "4 × [1×1 128, 3×3 128, 1×1 512]",
                "head": "global average pool, linear 1000",
            },
        ),
        # arXiv:1409.4842, table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj
        (
            "googlenet",
            {"inception3b": "[1×1 128 | 1×1 128, 3×3 192 | 1×1 32, 5×5 96 | max pool 3×3, 1×1 64]"},
        ),
        # arXiv:1512.00567, figure 7: branches that fork once more
        (
            "inception_v3",
            {
                "mixed7c": "[1×1 320 | 1×1 384, [1×3 384 | 3×1 384] | 1×1 448, 3×3 384, [1×3 384 | 3×1 384] "
                "| average pool 3×3, 1×1 192]"
            },
        ),
        # arXiv:1608.06993, table 1: every layer takes all maps before it, and stands behind them
        ("densenet121", {"block3": "1×1 256, average pool 2×2 /2, 24 × [1×1 128, 3×3 32]"}),
        # arXiv:1610.02357, figure 5
        ("xception", {"middle": "8 × [3 × [depthwise 3×3 728, 1×1 728]]"}),
        # arXiv:1409.1556, table 1; at its standard size the network pools nothing before its dense layers
        (
            "vgg16",
            {
                "conv3": "3 × [3×3 256], max pool 2×2 /2",
                "head": "linear 4096, dropout 0.5, linear 4096, dropout 0.5, linear 1000",
            },
        ),
        ("alexnet", {"conv2": "5×5 256 in 2 groups, LRN, max pool 3×3 /2"}),
        ("lenet5", {"c3": "Partial Convolution 16", "head": "linear 84, Euclidean RBF 10"}),
    ],
)
def test_stages_read_as_in_the_papers(name: str, stages: dict[str, str]):
    found = described(name)
    assert {stage: found[stage] for stage in stages} == stages


def network_of(block: nn.Module) -> ClassificationNetwork:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(x.mean((2, 3)))

    return ClassificationNetwork({"s": block}, Head(), in_channels=4, strides=(1,), out_channels=(8,))


class Residual(nn.Module):
    """A projection beside one or two convolutions."""

    def __init__(self, *, long: bool, join: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1) if long else nn.Identity()
        self.side = nn.Conv2d(4, 8, 1)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        way, side = self.second(torch.relu(self.first(x))), self.side(x)
        return way + side if self.join == "add" else torch.cat([way, side], 1)[:, :8]


@pytest.mark.parametrize(
    ("long", "join", "text"),
    [
        (True, "add", "3×3 8, 3×3 8"),  # the projection is the shortcut
        (False, "add", "[3×3 8 | 1×1 8]"),  # which of the two would be?
        (True, "concatenate", "[3×3 8, 3×3 8 | 1×1 8]"),
    ],
)
def test_only_the_lone_layer_that_is_added_to_a_longer_way_is_a_shortcut(long: bool, join: str, text: str):
    with torch.device("meta"):
        network = network_of(Residual(long=long, join=join)).eval()
    assert describe_stages(network, (4, 6, 6))["s"] == text


def test_layers_behind_a_concatenation_stand_behind_its_branches():
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 3, padding=1)
            self.up = nn.Conv2d(4, 8, 1, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(torch.cat([self.left(x), self.right(x)], 1))

    with torch.device("meta"):
        network = network_of(Module()).eval()
    assert describe_stages(network, (4, 6, 6))["s"] == "[1×1 2 | 3×3 2], 1×1 8 /2"
