"""`hubel generate`: the same seed, the same pictures; sheets, files, strips, the quiz; what it refuses."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hubel
from hubel import cli
from hubel.bundle import Bundle, save_bundle
from hubel.errors import ConfigError
from hubel.inference.generator import Generator
from hubel.models import build_model
from hubel.preprocessing import Preprocess

NETWORKS: dict[str, dict[str, Any]] = {
    "dcgan": {"size": 32, "width": 4, "code_size": 5, "kernel": 4},
    "conv_vae": {"size": 16, "widths": [4, 8], "code_size": 3},
    "conv_autoencoder": {"size": 16, "widths": [4, 8], "code_size": 3},
}


def bundle_of(path: Path, network: str, task: str = "generation", **changes: Any) -> Path:
    """A bundle of a small grey network with fresh weights."""
    torch.manual_seed(0)
    arguments = NETWORKS[network] | changes
    side, centre = arguments["size"], (0.5,) if network == "dcgan" else (0.0,)
    preprocess = Preprocess(channels=1, size=(side, side), resize_to=side, mean=centre, std=(1 - centre[0],))
    built = build_model(network, in_channels=1, **arguments)
    bundle = Bundle(task=task, network=network, arguments=arguments, preprocess=preprocess, classes=())
    save_bundle(path, bundle, built.state_dict())
    return path


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    return bundle_of(tmp_path / "gan.safetensors", "dcgan")


@pytest.fixture
def vae(tmp_path: Path) -> Path:
    return bundle_of(tmp_path / "vae.safetensors", "conv_vae")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["hubel", "generate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("network", ["dcgan", "conv_vae"])
def test_the_same_seed_gives_the_same_pictures(network: str, tmp_path: Path) -> None:
    model = hubel.load(bundle_of(tmp_path / "model.safetensors", network), device="cpu")
    side = NETWORKS[network]["size"]
    first = model.sample(5, seed=1)
    assert first.shape == (5, side, side, 1)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, model.sample(5, seed=1))
    assert (first != model.sample(5, seed=2)).any()
    few = model.sample(2, seed=1)  # of a smaller number, the first ones; but for the rounding of other batches
    assert np.abs(few.astype(int) - first[:2]).max() <= 1


def test_strips_lead_from_one_sample_to_another_and_turn_one_value(gan: Path, vae: Path) -> None:
    for path in (gan, vae):
        generator = Generator.load(path, device="cpu")
        codes = generator.codes(4, seed=3)
        strip = generator.interpolate(2, 5, seed=3)
        assert len(strip) == 10
        ends = generator.decode(codes)
        for row in range(2):
            assert np.abs(strip[5 * row].astype(int) - ends[row]).max() <= 1
            assert np.abs(strip[5 * row + 4].astype(int) - ends[row + 2]).max() <= 1
        turned = generator.traverse(2, 3, seed=3)
        assert len(turned) == 6
        middle = generator.codes(1, seed=3)
        middle[0, 1] = 0
        assert np.abs(turned[4].astype(int) - generator.decode(middle)[0]).max() <= 1


def test_normal_codes_keep_their_length_on_the_way(vae: Path) -> None:
    from hubel.inference.generator import _along_circle

    first, last = Generator.load(vae, device="cpu").codes(2, seed=0).double()
    first, last = first / first.norm(), last / last.norm()
    way = _along_circle(first, last, torch.linspace(0, 1, 5, dtype=torch.float64)[:, None])
    torch.testing.assert_close(way.norm(dim=1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(way[0], first)
    torch.testing.assert_close(way[-1], last)


def test_files_and_sheets(gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, gan, "--count", 3, "--out", tmp_path / "files", "--device", "cpu") == 0
    files = sorted((tmp_path / "files").iterdir())
    assert [file.name for file in files] == ["0.png", "1.png", "2.png"]
    expected = hubel.load(gan, device="cpu").sample(3)
    for file, picture in zip(files, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), picture[..., 0])
    assert run(monkeypatch, gan, "--count", 4, "--out", tmp_path / "sheet.png") == 0
    assert Image.open(tmp_path / "sheet.png").size == (2 * 32 + 2, 2 * 32 + 2)
    assert run(monkeypatch, gan, "--traverse", "--count", 2, "--out", tmp_path / "strip.png") == 0
    assert Image.open(tmp_path / "strip.png").size == (9 * 34 - 2, 2 * 34 - 2)


def test_the_quiz_has_as_many_real_pictures_and_keeps_them_as_they_are(
    gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    for number in range(6):
        Image.fromarray(np.full((32, 32), 40 * number, np.uint8)).save(tmp_path / "real" / f"{number}.png")
    assert run(monkeypatch, gan, "--quiz", tmp_path / "real", "--count", 4, "--out", tmp_path / "quiz.html") == 0
    page = (tmp_path / "quiz.html").read_text()
    found = re.search(r"const questions = (\[.*?\]);", page)
    assert found is not None
    questions = json.loads(found[1])
    assert sum(question["real"] for question in questions) == 4
    assert len(questions) == 8
    for question in questions:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(question["picture"].partition(",")[2]))))
        assert pixels.shape == (32, 32)
        assert (len(np.unique(pixels)) == 1) == question["real"]
    assert "http" not in page  # nothing is fetched


def test_a_quiz_passes_over_what_cannot_be_read(
    gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real").mkdir()
    for number in range(4):
        Image.fromarray(np.full((32, 32), 40 * number, np.uint8)).save(tmp_path / "real" / f"{number}.png")
    (tmp_path / "real" / "broken.png").write_bytes((tmp_path / "real" / "0.png").read_bytes()[:50])
    for seed in range(4):
        options = ("--count", 4, "--seed", seed, "--out", tmp_path / "quiz.html")
        assert run(monkeypatch, gan, "--quiz", tmp_path / "real", *options) == 0
    assert "left out" in capsys.readouterr().err
    assert run(monkeypatch, gan, "--quiz", tmp_path / "real", "--count", 5, "--out", tmp_path / "quiz.html") == 2
    assert "has 4 readable pictures, the quiz shows 5 real ones" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--interpolate", "--traverse"], "--interpolate and --traverse came: expected one of them"),
        (["--out", "samples.gif"], "expected a folder, or a sheet such as samples.png"),
        (["--quiz", "DATA"], "a quiz is a page, expected a name such as quiz.html"),
        (["--traverse", "--count", "9"], "9 values of the code asked for, it has 5"),
    ],
)
def test_mistakes_are_told_in_a_line(
    gan: Path, arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, gan, *arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_a_quiz_asks_for_enough_pictures(
    gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real").mkdir()
    Image.new("L", (32, 32)).save(tmp_path / "real" / "one.png")
    assert run(monkeypatch, gan, "--quiz", tmp_path / "real", "--out", tmp_path / "quiz.html") == 2
    assert "has 1 readable picture, the quiz shows 20 real ones" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_gan_gives_no_picture_back(
    gan: Path, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for level in (0, 100):
        Image.new("L", (32, 32), level).save(tmp_path / f"{level}.png")
    monkeypatch.setattr(sys, "argv", ["hubel", verb, str(gan), str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "DCGAN gives no picture back" in capsys.readouterr().err


def test_models_of_other_tasks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = bundle_of(tmp_path / "plain.safetensors", "conv_autoencoder", "reconstruction", code_components=0)
    assert run(monkeypatch, plain) == 2
    assert "a conv_autoencoder, have no distribution to sample from" in capsys.readouterr().err
    built = build_model("lenet5", num_classes=2)
    preprocess = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.5,), std=(0.5,))
    classifier = tmp_path / "classifier.safetensors"
    save_bundle(
        classifier,
        Bundle(task="classification", network="lenet5", preprocess=preprocess, classes=("a", "b")),
        built.state_dict(),
    )
    with pytest.raises(ConfigError, match="is a lenet5 for classification, which makes no pictures"):
        hubel.load(classifier, device="cpu").sample(2)
