"""Network in Network against its authors' settings, and its last layer against the network contract."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from hubel.models import build_model
from hubel.models.classification.nin import ClassMaps
from hubel.models.complexity import complexity
from hubel.weights.loading import build_with_weights

# As in the authors' files: name, output channels, kernel, stride, padding, deviation of the weights.
AUTHORS = {
    "nin": [
        *[("conv1", 96, 11, 4, 0, 0.01), ("cccp1", 96, 1, 1, 0, 0.05), ("cccp2", 96, 1, 1, 0, 0.05)],
        *[("conv2", 256, 5, 1, 2, 0.05), ("cccp3", 256, 1, 1, 0, 0.05), ("cccp4", 256, 1, 1, 0, 0.05)],
        *[("conv3", 384, 3, 1, 1, 0.01), ("cccp5", 384, 1, 1, 0, 0.05), ("cccp6", 384, 1, 1, 0, 0.05)],
        *[("conv4", 1024, 3, 1, 1, 0.05), ("cccp7", 1024, 1, 1, 0, 0.05), ("cccp8", 1000, 1, 1, 0, 0.01)],
    ],
    "nin_cifar": [
        *[("conv1", 192, 5, 1, 2, 0.05), ("cccp1", 160, 1, 1, 0, 0.05), ("cccp2", 96, 1, 1, 0, 0.05)],
        *[("conv2", 192, 5, 1, 2, 0.05), ("cccp3", 192, 1, 1, 0, 0.05), ("cccp4", 192, 1, 1, 0, 0.05)],
        *[("conv3", 192, 3, 1, 1, 0.05), ("cccp5", 192, 1, 1, 0, 0.05), ("cccp6", 10, 1, 1, 0, 0.05)],
    ],
}


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize("name", AUTHORS)
def test_convolutions_are_the_authors(name: str):
    torch.manual_seed(0)
    for layer, (their_name, channels, kernel, stride, padding, deviation) in zip(
        convolutions(build_model(name)), AUTHORS[name], strict=True
    ):
        assert layer.out_channels == channels, their_name
        assert layer.kernel_size == (kernel, kernel), their_name
        assert (layer.stride[0], layer.padding[0]) == (stride, padding), their_name
        assert abs(layer.weight.std().item() / deviation - 1) < 0.05, their_name
        assert not layer.bias.any(), their_name


@pytest.mark.parametrize(("name", "after"), [("nin", "3"), ("nin_cifar", "12")])
def test_dropout_follows_the_pools_that_have_it(name: str, after: str):
    stages = build_model(name).stages
    dropped = [f"mlpconv{number}" for number in after]
    assert [stage for stage, module in stages.named_children() if hasattr(module, "dropout")] == dropped
    for stage in dropped:
        layers = [type(layer) for layer in stages.get_submodule(stage)]
        assert layers == [nn.Sequential, nn.MaxPool2d, nn.Dropout]
    assert not [module for module in build_model(name, dropout=0).modules() if isinstance(module, nn.Dropout)]


def written_out(network: nn.Module, x: Tensor) -> Tensor:
    """All convolutions with ReLU, a pool behind every third but the last, then the mean of each class's map."""
    layers = convolutions(network)
    for number, layer in enumerate(layers, start=1):
        x = F.relu(F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding))
        if number % 3 == 0 and number < len(layers):
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    return x.mean((2, 3))


@pytest.mark.parametrize(("name", "size"), [("nin", 96), ("nin_cifar", 32)])
def test_logits_are_means_of_rectified_maps(name: str, size: int):
    torch.manual_seed(0)
    network, x = build_model(name).double().eval(), torch.randn(2, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        nn.init.normal_(network.out.bias)  # so that some maps are below 0 everywhere
        logits = network(x)
        torch.testing.assert_close(logits, written_out(network, x))
    assert (logits >= 0).all()
    assert (logits == 0).any()
    assert (logits > 0).any()


def test_maps_have_the_authors_sizes():
    """Poolings round up: 54 to 27, 27 to 13, 13 to 6; 32 to 16, 16 to 8 (their last pools are 6×6 and 8×8)."""
    for name, size, sides in [("nin", 224, [27, 13, 6, 6]), ("nin_cifar", 32, [16, 8, 8])]:
        stages = complexity(build_model(name), (3, size, size)).stages[:-1]
        assert [stage.output_shape[1] for stage in stages] == sides


def test_no_dense_layer():
    assert not [module for module in build_model("nin").modules() if isinstance(module, nn.Linear)]


def test_another_last_layer_starts_as_the_first_one_did():
    network = build_model("nin_cifar").half()
    network.replace_out(500)
    assert isinstance(network.out, ClassMaps)
    assert (network.out.in_features, network.num_classes) == (192, 500)
    assert network.out.weight.dtype == torch.float16
    assert abs(network.out.weight.float().std().item() / 0.05 - 1) < 0.05
    assert not network.out.bias.any()
    assert network.head[0] is network.out


def test_weights_for_other_classes_and_channels_are_fitted(tmp_path: Path):
    path = tmp_path / "nin.safetensors"
    stored = build_model("nin_cifar", num_classes=7, in_channels=1)
    save_file(stored.state_dict(), path)
    same = build_with_weights("nin_cifar", weights=path)
    assert (same.model.num_classes, same.model.in_channels, same.notes) == (7, 1, ())
    assert all(torch.equal(value, stored.state_dict()[name]) for name, value in same.model.state_dict().items())
    other = build_with_weights("nin_cifar", num_classes=3, in_channels=3, weights=path)
    assert (other.model.num_classes, other.model.in_channels) == (3, 3)
    assert other.notes == (
        "first convolution adapted: 1 input channel in the file, 3 wanted",
        "head replaced: 7 classes in the file, 3 wanted",
    )
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        grey, colour = stored.eval().features(x), other.model.eval().features(x.expand(-1, 3, -1, -1))
    torch.testing.assert_close(colour, grey)
