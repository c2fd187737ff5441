"""From pictures without labels to a classifier of few labels, on the command line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

SMALL = ("--device", "cpu", "--set", "threads=1", "--set", "batch_size=8", "--set", "data.near_duplicates=0")
NETWORK = ("--set", "data.size=16", "--set", "model.in_channels=1", "--set", "model.arguments.widths=[4, 8]")


@pytest.fixture
def strokes(tmp_path: Path) -> Path:
    """60 grey pictures of 16×16: a bright stroke at some place, flat or upright."""
    folder = tmp_path / "strokes"
    generator = np.random.default_rng(0)
    for name in ("flat", "upright"):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = generator.integers(0, 30, size=(16, 16)).astype(np.uint8)
            at = int(generator.integers(2, 12))
            pixels[at : at + 3] = 220
            Image.fromarray(pixels if name == "flat" else pixels.T.copy()).save(folder / name / f"{number:02}.png")
    return folder


def stages(file: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in load_file(file).items() if name.startswith("stages.down")}


def test_an_encoder_starts_a_classifier(hubel: Callable, strokes: Path, tmp_path: Path) -> None:
    learnt = hubel("train", strokes, "--task", "reconstruction", "--epochs", 2, *SMALL, *NETWORK, "--out", "learnt")
    assert learnt.status == 0, learnt.err
    trained = ("train", strokes, "--model", "encoder/conv_autoencoder", "--weights", "learnt", *SMALL)
    head = hubel(*trained, "--recipe", "head", "--epochs", 2, "--set", "data.fraction=0.2", "--out", "head")
    assert head.status == 0, head.err
    said = (tmp_path / "head" / "log.txt").read_text()
    assert "down1 to down2 have the weights of" in said
    assert "learnt/best.safetensors (conv_autoencoder), the head starts fresh" in said
    assert "training pictures are used (data.fraction=0.2, seed 0)" in said
    with (tmp_path / "head" / "splits.csv").open(newline="") as file:
        rows = Counter((row["split"], row["label"]) for row in csv.DictReader(file))
    assert all(3 <= rows["train", name] <= 6 for name in ("flat", "upright"))
    before, after = stages(tmp_path / "learnt" / "best.safetensors"), stages(tmp_path / "head" / "best.safetensors")
    assert len(before) > 3
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    model = yaml.safe_load((tmp_path / "head" / "config.yaml").read_text())["model"]
    assert model["arguments"] == {"size": 16, "widths": [4, 8]}
    assert Path(model["weights"]) == tmp_path / "learnt" / "best.safetensors"

    gradual = hubel(*trained, "--epochs", 5, "--set", "seed=1", "--out", "gradual")  # the usual recipe with weights
    assert gradual.status == 0, gradual.err
    assert "phase later" in (tmp_path / "gradual" / "log.txt").read_text()
    changed = stages(tmp_path / "gradual" / "best.safetensors")
    assert not all(torch.equal(tensor, changed[name]) for name, tensor in before.items())
    measured = hubel("evaluate", "gradual", strokes, "--device", "cpu")
    assert measured.status == 0, measured.err
    assert "its held-out test split is measured" in measured.out + measured.err


def test_a_discriminator_starts_a_classifier(hubel: Callable, tmp_path: Path, coloured_squares: Path) -> None:
    gan = ("--set", "data.size=32", "--set", "model.arguments.width=4", "--set", "model.arguments.code_size=8")
    learnt = hubel("train", coloured_squares, "--task", "generation", "--epochs", 1, *SMALL, *gan, "--out", "gan")
    assert learnt.status == 0, learnt.err
    trained = ("train", coloured_squares, "--model", "encoder/dcgan", "--weights", "gan/best.safetensors", *SMALL)
    outcome = hubel(*trained, "--epochs", 3, "--set", "data.per_class=4", "--out", "few")
    assert outcome.status == 0, outcome.err
    assert "12 of " in (tmp_path / "few" / "log.txt").read_text()
    fresh = hubel("train", coloured_squares, "--model", "encoder/dcgan", "--epochs", 1, *SMALL, *gan[:4])
    assert fresh.status == 0, fresh.err


def test_bad_input(hubel: Callable, strokes: Path) -> None:
    encoder = ("train", strokes, "--model", "encoder/conv_vae", *SMALL)
    outcome = hubel(*encoder, "--weights", "nowhere/best.safetensors")
    assert outcome.status == 2
    assert "cannot read weights from nowhere/best.safetensors: No such file or directory" in outcome.error
    outcome = hubel(*encoder, "--set", "data.fraction=0.5", "--set", "data.per_class=2")
    assert outcome.status == 2
    assert "data.fraction and data.per_class came: expected one of them" in outcome.error
    outcome = hubel(*encoder, "--set", "data.size=16", "--set", "model.arguments.size=32")
    assert outcome.status == 2
    assert "data.size is 16, model.arguments.size is 32: leave one of them out" in outcome.error
    outcome = hubel(*encoder, "--set", "data.fraction=2")
    assert outcome.status == 2
    assert "data.fraction is 2: " in outcome.error
