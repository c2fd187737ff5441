"""Weights into networks: recognised by their names, fitted, loaded strictly, and errors that show both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from hubel.errors import ConfigError, WeightsError
from hubel.models import build_model
from hubel.weights import build_with_weights, create_model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file per naming, all with five classes."""
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=5).state_dict(), folder / "torchvision.pth")
    save_file(build_model("resnet18", num_classes=5).state_dict(), folder / "hubel.safetensors")
    save_file(build_model("lenet5", num_classes=5).state_dict(), folder / "lenet5.safetensors")
    return folder


def equal(ours: nn.Module, theirs: nn.Module, x: torch.Tensor) -> bool:
    with torch.no_grad():
        return torch.equal(ours.eval()(x), theirs.eval()(x))


def test_fresh_weights_need_no_file():
    built = build_with_weights("resnet20_cifar", num_classes=3, in_channels=1)
    assert (built.model.num_classes, built.model.in_channels) == (3, 1)
    assert (built.preprocess, built.notes) == (None, ())


def test_torchvisions_names_are_recognised_and_its_classes_followed(files: Path):
    built = build_with_weights("resnet18", weights=files / "torchvision.pth")
    theirs = torchvision.models.resnet18(num_classes=5)
    theirs.load_state_dict(torch.load(files / "torchvision.pth", weights_only=True))
    assert built.notes == ()
    x = torch.ones(1, 3, 64, 64)
    torch.testing.assert_close(built.model.eval()(x), theirs.eval()(x), rtol=0, atol=1e-5)


def test_our_own_names_are_recognised(files: Path):
    built = build_with_weights("resnet18", weights=str(files / "hubel.safetensors"), num_classes=5)
    assert built.notes == ()
    torch.manual_seed(0)
    torchvision.models.resnet18(num_classes=5)
    assert equal(built.model, build_model("resnet18", num_classes=5), torch.ones(1, 3, 64, 64))


def test_another_number_of_classes_gets_a_new_head_and_says_so(files: Path):
    built = build_with_weights("resnet18", weights=files / "torchvision.pth", num_classes=7)
    assert built.notes == ("head replaced: 5 classes in the file, 7 wanted",)
    kept = create_model("resnet18", weights=files / "torchvision.pth")
    x = torch.ones(1, 3, 64, 64)
    assert torch.equal(built.model.eval().features(x), kept.eval().features(x))
    assert built.model(x).shape == (1, 7)


def test_lenet5_follows_the_files_codes(files: Path):
    built = build_with_weights("lenet5", weights=files / "lenet5.safetensors")
    assert built.model.num_classes == 5
    assert build_with_weights("lenet5", weights=files / "lenet5.safetensors", num_classes=10).notes == (
        "head replaced: 5 classes in the file, 10 wanted",
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_another_number_of_channels_adapts_the_first_convolution(files: Path, channels: int):
    built = build_with_weights("resnet18", weights=files / "torchvision.pth", in_channels=channels)
    assert built.notes == (f"first convolution adapted: 3 input channels in the file, {channels} wanted",)
    original = create_model("resnet18", weights=files / "torchvision.pth").eval()
    grey = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = original(grey.expand(1, 3, 64, 64))
        torch.testing.assert_close(built.model.eval()(grey.expand(1, channels, 64, 64)), expected, rtol=0, atol=1e-4)


def test_the_files_channels_are_followed(tmp_path: Path):
    save_file(build_model("resnet20_cifar", in_channels=2).state_dict(), tmp_path / "two.safetensors")
    built = build_with_weights("resnet20_cifar", weights=tmp_path / "two.safetensors")
    assert built.model.in_channels == 2
    assert built.notes == ()


def test_arguments_reach_the_network(tmp_path: Path):
    save_file(build_model("resnet20_cifar", shortcut="B").state_dict(), tmp_path / "b.safetensors")
    assert build_with_weights("resnet20_cifar", weights=tmp_path / "b.safetensors", shortcut="B").notes == ()
    with pytest.raises(WeightsError, match=r"12 not in the network: stages.conv3.block1.shortcut."):
        create_model("resnet20_cifar", weights=tmp_path / "b.safetensors")


def test_half_precision_is_converted_and_said(tmp_path: Path):
    network = build_model("lenet5_modern")
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, tmp_path / "half.safetensors")
    built = build_with_weights("lenet5_modern", weights=tmp_path / "half.safetensors")
    assert built.notes == ("converted to the network's number type from torch.float16",)
    assert built.model.head.out.weight.dtype == torch.float32
    torch.testing.assert_close(built.model.head.out.weight, network.head.out.weight, rtol=1e-3, atol=1e-4)


def test_weights_of_another_network_show_both_sides(files: Path):
    with pytest.raises(WeightsError) as caught:
        create_model("resnet34", weights=files / "torchvision.pth")
    text = str(caught.value)
    assert text.startswith(f"weights {files / 'torchvision.pth'} do not fit resnet34: ")
    assert "not in the file: stages.conv2.block3.conv1.weight, stages.conv2.block3.norm1.weight" in text
    assert text.endswith("; they fit resnet18")
    assert "\n" not in text


def test_shapes_show_both_sides(files: Path):
    message = (
        r"of another shape: stages.conv2.block1.conv1.weight \(64, 64, 3, 3\) in the file, "
        r"\(64, 64, 1, 1\) in the network"
    )
    with pytest.raises(WeightsError, match=message):
        create_model("resnet50", weights=files / "hubel.safetensors")


def test_of_several_networks_that_a_file_has_all_tensors_of_the_largest_is_named(tmp_path: Path):
    save_file(create_model("resnet34").state_dict(), tmp_path / "deeper.safetensors")  # it has all of resnet18's
    with pytest.raises(WeightsError, match=r"; they fit resnet34$"):
        create_model("resnet50", weights=tmp_path / "deeper.safetensors")


def test_weights_of_nothing_we_know_show_both_sides(tmp_path: Path):
    save_file({"encoder.0.weight": torch.zeros(3), "encoder.0.bias": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(
        WeightsError, match=r"not in the file: stages.c1.0.weight.*2 not in the network: encoder.0.(weight|bias)"
    ) as caught:
        create_model("lenet5", weights=tmp_path / "other.safetensors")
    assert "they fit" not in str(caught.value)


def test_one_missing_tensor_is_an_error(tmp_path: Path):
    tensors = build_model("resnet20_cifar").state_dict()
    del tensors["stages.conv3.block2.norm1.running_mean"]
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(
        WeightsError, match=r"do not fit resnet20_cifar: 1 not in the file: stages.conv3.block2.norm1.running_mean"
    ):
        create_model("resnet20_cifar", weights=tmp_path / "w.safetensors")


def test_old_files_lack_only_the_batch_counters(tmp_path: Path):
    tensors = {k: v for k, v in build_model("resnet20_cifar").state_dict().items() if "num_batches" not in k}
    save_file(tensors, tmp_path / "old.safetensors")
    assert build_with_weights("resnet20_cifar", weights=tmp_path / "old.safetensors").notes == ()


def test_a_missing_file_is_told_as_one():
    with pytest.raises(WeightsError, match=r"cannot read weights from runs/x/best.safetensors: No such file"):
        create_model("resnet18", weights="runs/x/best.safetensors")
    with pytest.raises(WeightsError, match=r"cannot read weights from best.pth: No such file"):
        create_model("resnet18", weights="best.pth")


def test_a_file_may_be_called_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_file(build_model("lenet5").state_dict(), tmp_path / "weights v1")
    monkeypatch.chdir(tmp_path)
    assert create_model("lenet5", weights="weights v1").num_classes == 10


def test_unknown_model_comes_before_the_weights_fit(files: Path):
    with pytest.raises(ConfigError, match="unknown model 'resnet19'"):
        create_model("resnet19", weights=files / "torchvision.pth")
    with pytest.raises(ConfigError, match="unknown model 'resnet19'"):
        create_model("resnet19", weights="imagenet")


def test_the_public_name_is_this_function():
    import hubel

    assert hubel.create_model is hubel.weights.loading.create_model
