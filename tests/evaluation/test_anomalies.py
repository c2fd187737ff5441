"""A threshold of the error is never taken from the pictures that are measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubel
from hubel.bundle import Bundle
from hubel.errors import ConfigError, DataError
from hubel.evaluation.anomalies import evaluate_anomalies
from hubel.inference.anomalies import anomaly_threshold
from hubel.inference.predictor import Predictor
from hubel.models import build_model
from hubel.preprocessing import Preprocess


def write(folder: Path, count: int, brightness: int) -> Path:
    generator = np.random.default_rng(brightness)
    folder.mkdir()
    for number in range(count):
        pixels = np.clip(generator.normal(brightness, 10, size=(16, 16)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def test_the_pictures_that_the_threshold_is_from_are_not_measured_with_it(tmp_path: Path) -> None:
    normal, others = write(tmp_path / "normal", 30, 60), write(tmp_path / "others", 4, 200)
    run = hubel.train(
        normal,
        task="reconstruction",
        model="autoencoder",
        epochs=1,
        out=tmp_path / "run",
        settings={
            "data.size": 16,
            "data.near_duplicates": 0,
            "model.in_channels": 1,
            "model.arguments": {"widths": [8], "code_size": 2},
            "device": "cpu",
            "threads": 1,
        },
    )
    with pytest.raises(DataError, match=r"\d+ of the measured pictures are among those that the threshold would be"):
        evaluate_anomalies([run.dir], normal, others, split="validation", device="cpu")
    given = evaluate_anomalies([run.dir], normal, others, split="validation", threshold="0.01", device="cpu")
    assert given.split == "validation"
    assert evaluate_anomalies([run.dir], normal, others, device="cpu").split == "test"


def test_a_model_without_validation_pictures_has_no_threshold() -> None:
    preprocess = Preprocess(channels=1, size=(16, 16), resize_to=16, mean=(0.0,), std=(1.0,))
    bundle = Bundle("reconstruction", "autoencoder", preprocess, (), arguments={"size": 16})
    model = Predictor(bundle, build_model("autoencoder", in_channels=1, size=16), device="cpu")
    with pytest.raises(ConfigError, match=r"--threshold is 99%: .* trained without; give an error such as 0\.01, or"):
        anomaly_threshold([model])
