"""BatchNorm folded into convolutions: the same outputs, fewer layers, and nothing folded that may not be."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tests.apple_gpu import apple_gpu, move
from tests.models.parity import disturb
from torch import Tensor, nn

from hubel.models import build_model
from hubel.models.folding import fold_batch_norm, foldable_pairs


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("name", "size", "left"),
    [
        ("resnet18", 64, 0),
        ("resnet50", 64, 0),
        ("resnet20_cifar", 32, 0),
        ("lenet5", 32, 0),
        ("timm/tf_efficientnet_lite0", 64, 0),  # BatchNorm and activation in one layer
        ("timm/resnetv2_50", 64, 17),  # before the first convolution of each of 16 blocks, and behind the last addition
        ("densenet121", 64, 1),  # behind the last block; the others, before 1×1 convolutions, become clamps
        ("densenet100_cifar", 32, 1),
        ("densenet40_cifar", 32, 37),  # no bottlenecks: before 3×3 convolutions, whose padding a clamp cannot follow
        ("timm/densenet121", 64, 62),  # before the first convolution of each of 58 layers, 3 transitions, the last
    ],
)
def test_outputs_stay(name: str, size: int, left: int):
    if name.startswith("timm/"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    network = build_model(name, num_classes=5).double()
    disturb(network)
    network.eval()
    channels = 1 if name == "lenet5" else 3
    folded = fold_batch_norm(network, (channels, size, size))
    assert norms(folded) == left
    image = torch.randn(2, channels, size, size, dtype=torch.float64)
    with torch.no_grad():
        before, after = network(image), folded(image)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-9 * before.abs().max().item())


@pytest.mark.parametrize("name", ["resnet20_cifar", "densenet100_cifar"])
def test_on_an_apple_gpu_the_same_layers_come_out(name: str):
    network = build_model(name, num_classes=5).eval()
    disturb(network)
    expected = fold_batch_norm(network, (3, 32, 32)).state_dict()
    move(network)
    with apple_gpu():
        there = fold_batch_norm(network, (3, 32, 32)).state_dict()
    assert all(tensor.device.type == "mps" for tensor in there.values() if tensor.is_floating_point())
    assert all(torch.equal(there[key].cpu(), tensor) for key, tensor in expected.items())


def test_the_network_itself_stays():
    network = build_model("resnet20_cifar").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold_batch_norm(network, (3, 32, 32))
    assert network.training
    assert norms(network) == 19
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Pair(nn.Module):
    """A convolution with a bias, and BatchNorm."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = norm or nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x))


class OutputTakenTwice(Pair):
    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        return self.norm(y) + y


class ConvolutionRunsTwice(Pair):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x)) + self.convolution(x)


class NormRunsTwice(Pair):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x)) + self.norm(x[:, :1, 1:-1, 1:-1].expand(-1, 4, -1, -1))


class ActivationBetween(Pair):
    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x).relu_())


class OwnNorm(nn.BatchNorm2d):
    """Does more than normalise, and hubel does not know what."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).exp()


@pytest.mark.parametrize(
    ("network", "pairs"),
    [
        (Pair(), 1),
        (Pair(nn.BatchNorm2d(4, affine=False)), 1),
        (Pair(nn.BatchNorm2d(4, track_running_stats=False)), 0),
        (Pair(OwnNorm(4)), 0),
        (OutputTakenTwice(), 0),
        (ConvolutionRunsTwice(), 0),
        (NormRunsTwice(), 0),
        (ActivationBetween(), 0),
    ],
)
def test_only_what_may_be_folded_is(network: nn.Module, pairs: int):
    network.double().eval()
    disturb_statistics(network)
    assert len(foldable_pairs(network, (3, 8, 8))) == pairs
    folded = fold_batch_norm(network, (3, 8, 8))
    image = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(folded(image), network(image), rtol=0, atol=1e-9)


def disturb_statistics(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def test_a_network_that_needs_an_image_is_folded_all_the_same():
    class NeedsOne(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([super(NeedsOne, self).forward(image[None])[0] for image in images])

    network = NeedsOne(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    with pytest.raises(RuntimeError, match="non-empty"):
        network(torch.empty(0, 3, 8, 8))
    assert foldable_pairs(network, (3, 8, 8)) == [(network[0], network[1])]


def test_torchs_compiler_is_not_imported():
    """It takes seconds, two fifths of a call that predicts one picture."""
    program = (
        "import sys; from hubel.models import build_model; from hubel.models.folding import fold_batch_norm; "
        "fold_batch_norm(build_model('resnet18', num_classes=2).eval(), (3, 64, 64)); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
