"""Faces of 48×48 grey pixels in seven classes, the layout of the FER-2013 emotions, work as they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.command_line import Outcome

import hubel as library
from hubel.bundle import inspect_bundle

Hubel = Callable[..., Outcome]

# How high the corners of the mouth lie, how far it is open, how much lower the inner ends of the brows lie: in pixels.
EMOTIONS = {
    "angry": (-2, 1, 4),
    "disgust": (-4, 3, 2),
    "fear": (0, 4, -4),
    "happy": (5, 2, 0),
    "neutral": (0, 0, 0),
    "sad": (-5, 0, -3),
    "surprise": (0, 8, 0),
}
SPLITS = {"train": 20, "test": 6}


def face(emotion: str, generator: np.random.Generator) -> Image.Image:
    """A drawn face, shifted and noisy."""
    corners, opened, brows = EMOTIONS[emotion]
    image = Image.new("L", (48, 48), 60)
    draw = ImageDraw.Draw(image)
    x, y = 24 + int(generator.integers(-2, 3)), 24 + int(generator.integers(-2, 3))
    draw.ellipse((x - 18, y - 21, x + 18, y + 21), fill=190)
    for side in (-1, 1):
        draw.ellipse((x + 8 * side - 3, y - 7, x + 8 * side + 3, y - 3), fill=30)
        draw.line((x + 3 * side, y - 11 + brows, x + 13 * side, y - 11), fill=20, width=2)
    for lower in (0, opened):
        draw.line((x - 8, y + 11 - corners, x, y + 11 + lower, x + 8, y + 11 - corners), fill=20, width=2)
    pixels = np.asarray(image) + generator.normal(0, 12, (48, 48))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture
def emotions(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for split, count in SPLITS.items():
        for emotion in EMOTIONS:
            folder = tmp_path / "fer" / split / emotion
            folder.mkdir(parents=True)
            for number in range(count):
                face(emotion, generator).save(folder / f"{number:02}.png")
    return tmp_path / "fer"


def test_emotions_from_grey_pictures_of_48_pixels(hubel: Hubel, emotions: Path) -> None:
    settings = ("model.in_channels=1", "data.size=48", "augment.mirror=0.5", "batch_size=16", "threads=1")
    arguments = [part for setting in settings for part in ("--set", setting)]
    outcome = hubel("train", emotions, "--model", "resnet20_cifar", "--device", "cpu", "--epochs", "10", *arguments)
    assert outcome.status == 0, outcome.err
    run = Path("runs/fer")
    bundle = inspect_bundle(run / "best.safetensors")
    assert bundle.classes == tuple(sorted(EMOTIONS))
    assert (bundle.preprocess.channels, bundle.preprocess.size, bundle.preprocess.resize_to) == (1, (48, 48), 48)
    assert len(bundle.preprocess.mean) == 1
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert test["images"] == 7 * SPLITS["test"]
    assert test["accuracy"] > 0.6  # chance is 1/7

    predicted = json.loads(hubel("predict", run, emotions / "test" / "happy", "--json", "--top", "7").out)
    assert len(predicted) == SPLITS["test"]
    assert all(set(value["probabilities"]) == set(EMOTIONS) for value in predicted)
    # a colour copy of a grey picture is the same input
    grey = emotions / "test" / "sad" / "00.png"
    with Image.open(grey) as image:
        image.convert("RGB").save("colour.png")
    model = library.load(run, device="cpu")
    assert model.predict("colour.png").probabilities.tolist() == model.predict(grey).probabilities.tolist()
