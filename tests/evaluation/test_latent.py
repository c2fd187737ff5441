"""The codes of pictures in a plane: the right plane, the classes' colours, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from hubel import cli
from hubel.bundle import Bundle, save_bundle
from hubel.errors import ConfigError, DataError
from hubel.evaluation.latent import latent_map
from hubel.models import build_model
from hubel.preprocessing import Preprocess


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    arguments = {"size": 16, "widths": [4, 8], "code_size": 6}
    path = tmp_path_factory.mktemp("model") / "vae.safetensors"
    preprocess = Preprocess(channels=1, size=(16, 16), resize_to=16, mean=(0.0,), std=(1.0,))
    network = build_model("conv_vae", in_channels=1, **arguments)
    bundle = Bundle(task="generation", network="conv_vae", arguments=arguments, preprocess=preprocess, classes=())
    save_bundle(path, bundle, network.state_dict())
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders: dark and light noise, eight of each."""
    folder = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    for name, level in {"dark": 30, "light": 180}.items():
        (folder / name).mkdir()
        for number in range(8):
            pixels = draw.integers(level, level + 60, size=(16, 16)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_the_plane_is_that_of_the_principal_components(model: Path, pictures: Path) -> None:
    found = latent_map(model, pictures, device="cpu")
    assert found.codes.shape == (16, 6)
    reference = PCA(2).fit(found.codes)
    expected = reference.transform(found.codes)
    for axis in range(2):
        sign = np.sign(expected[:, axis] @ found.places[:, axis])
        np.testing.assert_allclose(found.places[:, axis], sign * expected[:, axis], atol=1e-9)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_, rtol=1e-9)
    assert found.classes == ("dark", "light")
    assert np.bincount(found.labels).tolist() == [8, 8]
    means = [found.pictures[found.labels == number].mean() for number in range(2)]
    assert means[0] < 100 < means[1]  # each picture has its own class


def test_maps_are_drawn_with_classes_and_without(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["hubel", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    drawn = tmp_path / "map.svg"
    assert run(model, pictures, "--latent", "--out", drawn) == 0
    assert "<svg" in drawn.read_text()
    assert run(model, pictures / "dark", "--latent", "--method", "t-sne", "--out", tmp_path / "map.png") == 0
    with Image.open(tmp_path / "map.png") as image:
        assert image.size == (1350, 1125)
    assert run(model, pictures, "--out", drawn) == 2  # nothing to explain
    assert run(model, pictures, "--latent", "--out", tmp_path / "map.bmp") == 2
    assert run(model, pictures, "--latent", "--method", "umap", "--out", drawn) == 2


def test_what_has_no_codes_is_refused(pictures: Path, model: Path, tmp_path: Path) -> None:
    preprocess = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.5,), std=(0.5,))
    classifier = tmp_path / "classifier.safetensors"
    bundle = Bundle(task="classification", network="lenet5", preprocess=preprocess, classes=("a", "b"))
    save_bundle(classifier, bundle, build_model("lenet5", num_classes=2).state_dict())
    with pytest.raises(ConfigError, match="gives no picture back: expected an autoencoder"):
        latent_map(classifier, pictures, device="cpu")
    (tmp_path / "few").mkdir()
    Image.new("L", (16, 16)).save(tmp_path / "few" / "one.png")
    with pytest.raises(DataError, match="1 readable picture: expected at least 4"):
        latent_map(model, tmp_path / "few", device="cpu")


@pytest.mark.parametrize("method", ["pca", "t-sne"])
def test_a_code_of_one_value_has_a_map(pictures: Path, tmp_path: Path, method: str) -> None:
    arguments = {"size": 16, "widths": [4], "code_size": 1}
    preprocess = Preprocess(channels=1, size=(16, 16), resize_to=16, mean=(0.0,), std=(1.0,))
    network = build_model("conv_autoencoder", in_channels=1, **arguments)
    bundle = Bundle("reconstruction", "conv_autoencoder", arguments=arguments, preprocess=preprocess, classes=())
    save_bundle(tmp_path / "one.safetensors", bundle, network.state_dict())
    found = latent_map(tmp_path / "one.safetensors", pictures, method=method, device="cpu")
    assert found.codes.shape == (16, 1)
    assert found.places.shape == (16, 2)
    assert np.isfinite(found.places).all()
