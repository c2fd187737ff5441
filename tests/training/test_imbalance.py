"""Training classes of unequal size: the setting `imbalance`, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubel
from hubel.training.progress import Reporter

SETTINGS = {"data.size": 32, "batch_size": 16, "augment.preset": "none", "threads": 1, "label_smoothing": 0.0}


class Told(Reporter):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture(scope="module")
def dull_and_bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two kinds of grey noise whose brightness overlaps: 150 dull pictures to train on and 10 bright ones."""
    folder = tmp_path_factory.mktemp("data") / "spots"
    generator = np.random.default_rng(0)
    for split, counts in {"train": (150, 10), "validation": (60, 12), "test": (60, 60)}.items():
        for (name, mean), count in zip({"bright": 130, "dull": 105}.items(), reversed(counts), strict=True):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                brightness = generator.normal(mean, 12)
                pixels = np.clip(generator.normal(brightness, 10, (32, 32)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder


def train(data: Path, out: Path, imbalance: str) -> tuple[float, list[str]]:
    """The macro recall on the test split, and what the run said."""
    told = Told()
    settings = {**SETTINGS, "imbalance": imbalance, "model.in_channels": 1, "learning_rate": 0.003}
    run = hubel.train(data, model="lenet5_modern", epochs=6, out=out, settings=settings, device="cpu", reporter=told)
    scores = hubel.evaluate(run.bundle, data, device="cpu").metrics.per_class
    return float(np.mean([score.recall for score in scores])), told.messages


def test_macro_recall_rises_with_weights_and_with_sampling(dull_and_bright: Path, tmp_path: Path) -> None:
    plain, said = train(dull_and_bright, tmp_path / "none", "none")
    note = "the training classes are imbalanced (150 pictures of dull, 10 of bright)"
    assert any(line.startswith(note) and "--set imbalance=weights" in line for line in said)
    for imbalance in ("weights", "sampling"):
        recall, said = train(dull_and_bright, tmp_path / imbalance, imbalance)
        assert recall > plain + 0.05, (imbalance, recall, plain)
        assert not any("imbalanced" in line for line in said)


def test_the_focal_loss_trains(dull_and_bright: Path, tmp_path: Path) -> None:
    recall, _ = train(dull_and_bright, tmp_path / "focal", "focal")
    assert recall >= 0.5
    row = (tmp_path / "focal" / "metrics.csv").read_text().splitlines()
    first = dict(zip(row[0].split(","), row[1].split(","), strict=True))
    # with p[y] at 1/2, as at the beginning, each picture's loss is a quarter of the cross entropy's ln 2
    assert float(first["train_loss"]) < 0.5 * np.log(2)


def test_classes_within_one_to_three_are_not_worth_a_word(coloured_squares: Path, tmp_path: Path) -> None:
    told = Told()
    hubel.train(
        coloured_squares, model="resnet20_cifar", epochs=1, out=tmp_path / "run", settings=SETTINGS, reporter=told
    )
    assert not any("imbalanced" in line for line in told.messages)
    assert "imbalance: none" in (tmp_path / "run" / "config.yaml").read_text()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["macro_f1"] >= 0
