"""The published weights of the CIFAR-10 ResNets give the errors that their own code gives on the same images."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.bundle import published_bundle
from hubel.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from hubel.weights import build_with_weights


@pytest.fixture(scope="module")
def test_images(shared: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The 10,000 test images, normalised, (N, 3, 32, 32), and their classes."""
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("test/") and name.endswith(".jpg"))
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names])
    folders = [Path(name).parent.name for name in names]
    classes = sorted(set(folders))
    assert (len(names), len(classes)) == (10_000, 10)
    images = (torch.from_numpy(pixels).float() / 255 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
    return images.permute(0, 3, 1, 2), torch.tensor([classes.index(folder) for folder in folders])


@pytest.mark.parametrize(
    ("name", "file", "error"),
    [
        ("resnet20_cifar", "resnet20-12fca82f.th", 18.97),
        pytest.param("resnet32_cifar", "resnet32-d509ac18.th", 17.44, marks=pytest.mark.slow),
        pytest.param("resnet44_cifar", "resnet44-014dd654.th", 17.33, marks=pytest.mark.slow),
        pytest.param("resnet56_cifar", "resnet56-4bfd9763.th", 16.80, marks=pytest.mark.slow),
    ],
)
def test_error_is_that_of_the_published_code(
    name: str, file: str, error: float, shared: Path, test_images: tuple[torch.Tensor, torch.Tensor]
):
    built = build_with_weights(name, weights=shared / "weights" / file)
    assert built.notes == ()
    images, labels = test_images
    with torch.inference_mode():
        predicted = torch.cat([built.model.eval()(batch).argmax(1) for batch in images.split(500)])
    assert abs(100 * (predicted != labels).float().mean().item() - error) < 0.1


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet32_cifar", "resnet32-d509ac18.th"),
        ("resnet44_cifar", "resnet44-014dd654.th"),
        ("resnet56_cifar", "resnet56-4bfd9763.th"),
    ],
)
def test_published_weights_load(name: str, file: str, shared: Path):
    assert build_with_weights(name, weights=shared / "weights" / file).notes == ()


def test_their_file_becomes_a_bundle(shared: Path):
    """It is recognised, so that its classes and the preparation of pictures are known."""
    bundle, _ = published_bundle("resnet20_cifar", weights=shared / "weights" / "resnet20-12fca82f.th")
    assert bundle.classes[:2] == ("airplane", "automobile")
    assert (bundle.preprocess.size, bundle.preprocess.mean) == ((32, 32), IMAGENET_MEAN)
    assert bundle.config["model"]["weights"] == "resnet20_cifar.cifar10"
