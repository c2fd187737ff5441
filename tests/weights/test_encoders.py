"""Classifiers on encoders from the models that have learnt without labels: whose arguments, whose weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hubel.bundle import Bundle, save_bundle
from hubel.errors import WeightsError
from hubel.models import build_model
from hubel.preprocessing import Preprocess
from hubel.weights import build_with_weights, create_model

ARGUMENTS: dict[str, dict[str, Any]] = {
    "conv_autoencoder": {"size": 16, "widths": [4, 6], "code_size": 3, "noise": 0.5},
    "conv_vae": {"size": [16, 24], "widths": [4, 6], "code_size": 3},
    "dcgan": {"size": 32, "width": 4, "discriminator_norm": "spectral"},
}


def written(name: str, folder: Path, task: str = "reconstruction", **more: Any) -> nn.Module:
    """A run's folder with a model of grey pictures in it, and that model."""
    torch.manual_seed(0)
    network = build_model(name, in_channels=1, **ARGUMENTS[name.rpartition("/")[2]], **more)
    size = network.size
    assert isinstance(size, tuple)
    preprocess = Preprocess(channels=1, size=size, resize_to=max(size), mean=(0.0,), std=(1.0,))
    classes = tuple(f"class{number}" for number in range(more.get("num_classes", 0)))
    arguments = ARGUMENTS[name.rpartition("/")[2]]
    folder.mkdir()
    save_bundle(folder / "best.safetensors", Bundle(task, name, preprocess, classes, arguments), network.state_dict())
    return network


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_run_without_labels_says_how_the_classifier_is_built_and_starts_it(name: str, tmp_path: Path):
    learnt = written(name, tmp_path / "run").state_dict()
    for weights in (tmp_path / "run", str(tmp_path / "run"), tmp_path / "run" / "best.safetensors"):
        built = build_with_weights(f"encoder/{name}", weights=weights, num_classes=7)
        assert built.model.in_channels == 1
        assert dict(built.arguments) == ARGUMENTS[name]
        prefix = "discriminator." if name == "dcgan" else ""
        stages = {key: tensor for key, tensor in built.model.state_dict().items() if key.startswith("stages.")}
        assert len(stages) > 3
        assert all(torch.equal(tensor, learnt[prefix + key]) for key, tensor in stages.items())
        assert built.model(torch.rand(2, 1, *built.model.size)).shape == (2, 7)
    last = "down3" if name == "dcgan" else "down2"
    assert built.notes == (
        f"down1 to {last} have the weights of {tmp_path / 'run' / 'best.safetensors'} ({name}), the head starts fresh",
    )
    assert built.whole


def test_what_is_given_goes_before_what_the_run_says(tmp_path: Path):
    written("conv_vae", tmp_path / "run")
    network = create_model("encoder/conv_vae", weights=tmp_path / "run", size=32)  # its convolutions have no size
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 10)
    with pytest.raises(WeightsError, match=r"'stages.down1.conv.weight' has shape \(4, 1, 4, 4\) in the weights and"):
        create_model("encoder/conv_vae", weights=tmp_path / "run", widths=[5, 6])


@pytest.mark.parametrize("name", ["conv_vae", "dcgan"])
def test_pictures_with_other_channels_get_adapted_kernels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As a grey picture gave what it gives, a coloured one of three equal channels does."""
    monkeypatch.delitem(ARGUMENTS["dcgan"], "discriminator_norm")
    written(name, tmp_path / "run")
    grey = create_model(f"encoder/{name}", weights=tmp_path / "run").eval()
    built = build_with_weights(f"encoder/{name}", weights=tmp_path / "run", in_channels=3)
    assert built.model.in_channels == 3
    assert built.notes[0] == "first convolution adapted: 1 input channel in the file, 3 wanted"
    assert built.notes[1].endswith("the head starts fresh")
    image = torch.rand(2, 1, *grey.size)
    with torch.no_grad():
        torch.testing.assert_close(
            built.model.eval().features(image.expand(-1, 3, -1, -1)), grey.features(image), rtol=1e-4, atol=1e-5
        )


def test_a_spectral_norm_is_of_the_channels_that_it_was_learnt_with(tmp_path: Path):
    written("dcgan", tmp_path / "run")
    with pytest.raises(WeightsError, match="give the classifier the arguments that the weights' network had"):
        create_model("encoder/dcgan", weights=tmp_path / "run", in_channels=3)


def test_weights_of_the_classifier_itself_are_all_taken(tmp_path: Path):
    trained = written("encoder/conv_vae", tmp_path / "run", "classification", num_classes=4)
    for weights in (tmp_path / "run", tmp_path / "bare.safetensors"):
        save_file(trained.state_dict(), tmp_path / "bare.safetensors")
        arguments = {} if weights.is_dir() else ARGUMENTS["conv_vae"]
        again = create_model("encoder/conv_vae", weights=weights, **arguments)
        assert all(torch.equal(tensor, again.state_dict()[key]) for key, tensor in trained.state_dict().items())


def test_bare_tensors_need_the_arguments_that_they_were_built_with(tmp_path: Path):
    written("conv_autoencoder", tmp_path / "run")
    bare = tmp_path / "bare.safetensors"
    save_file(build_model("conv_autoencoder", in_channels=1, **ARGUMENTS["conv_autoencoder"]).state_dict(), bare)
    built = build_with_weights("encoder/conv_autoencoder", weights=bare, in_channels=1, **ARGUMENTS["conv_autoencoder"])
    assert built.notes[0].endswith("bare.safetensors (conv_autoencoder), the head starts fresh")
    with pytest.raises(WeightsError, match="give the classifier the arguments that the weights' network had"):
        create_model("encoder/conv_autoencoder", weights=bare)


def test_a_bundle_of_the_same_network_says_its_arguments(tmp_path: Path):
    learnt = written("conv_vae", tmp_path / "run")
    again = create_model("conv_vae", weights=tmp_path / "run", in_channels=1)
    assert all(torch.equal(tensor, again.state_dict()[key]) for key, tensor in learnt.state_dict().items())


def test_weights_of_something_else_are_told(tmp_path: Path):
    written("conv_autoencoder", tmp_path / "run")
    message = (
        "is a model of conv_autoencoder: encoder/conv_vae begins with the weights of a conv_vae that has learnt "
        "without labels, or of a trained encoder/conv_vae"
    )
    with pytest.raises(WeightsError, match=message):
        create_model("encoder/conv_vae", weights=tmp_path / "run")
    with pytest.raises(WeightsError, match="knows no published ImageNet weights for conv_vae: give a file"):
        create_model("encoder/conv_vae", weights="imagenet")
    (tmp_path / "empty").mkdir()
    message = r"empty is a folder, expected a file of weights, or a run's folder with a best.safetensors"
    with pytest.raises(WeightsError, match=message):
        create_model("encoder/conv_vae", weights=tmp_path / "empty")
