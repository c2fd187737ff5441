"""Runs whose answer lies in the picture: boxes and masks through the same loop, folder, bundle and report."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hubel
from hubel.bundle import load_tensors
from hubel.errors import ConfigError, HubelError, TrainingError
from hubel.results import DetectedObjects, Segmentation
from hubel.training.checkpoint import load_checkpoint
from hubel.training.interruption import Interrupted
from hubel.training.progress import Reporter, StepReport
from hubel.training.run import Run

DETECTION: dict[str, Any] = {"data.size": 64, "batch_size": 4, "data.workers": 0, "threads": 1}
SEGMENTATION: dict[str, Any] = {**DETECTION, "data.size": 32, "model.in_channels": 1}


@pytest.fixture(scope="module")
def detector(rectangles: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("detector") / "run"
    return hubel.train(rectangles, epochs=2, out=out, device="cpu", settings=DETECTION)


@pytest.fixture(scope="module")
def segmenter(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("segmenter") / "run"
    settings = {**SEGMENTATION, "learning_rate": 0.003}
    return hubel.train(discs, model="unet/resnet20_cifar", epochs=4, out=out, device="cpu", settings=settings)


def test_a_detector_is_trained_measured_and_reported(detector: Run, rectangles: Path) -> None:
    config = hubel.load(detector.bundle).bundle.config
    assert config["task"] == "detection"
    assert config["model"]["name"] == "yolo_n"
    test = detector.metrics["test"]
    assert test["images"] == 5
    assert 0 <= test["map50"] <= 1
    assert test["baselines"][0]["map50"] >= 0
    assert set(detector.metrics["train"]) == {"loss", "box_loss"}
    rows = list(csv.DictReader((detector.dir / "metrics.csv").open()))
    assert {"train_loss", "train_box_loss", "validation_map50"} <= rows[0].keys()
    page = detector.report.read_text(encoding="utf-8")
    assert page.count('class="pair"') == 5
    assert "scaled to fit, in a grey frame" in page


def test_a_detector_predicts_in_pixels_of_the_original(detector: Run, rectangles: Path) -> None:
    model = hubel.load(detector.dir, device="cpu")
    file = rectangles / "JPEGImages" / "20.jpg"
    large = Image.open(file).resize((800, 640))
    small, enlarged = model.predict([file, large])
    assert isinstance(small, DetectedObjects)
    assert isinstance(enlarged, DetectedObjects)
    assert small.size == (64, 80)
    assert enlarged.size == (640, 800)
    assert small.path == str(file)


def test_a_segmenter_learns_and_its_bundle_says_the_same(segmenter: Run, discs: Path) -> None:
    test = segmenter.metrics["test"]
    assert test["mean_iou"] > test["baselines"][0]["mean_iou"] + 0.1
    assert test["mean_iou_ci95"][0] < test["mean_iou"] < test["mean_iou_ci95"][1]
    evaluation = hubel.evaluate(segmenter.dir, discs, device="cpu")
    assert evaluation.metrics.to_dict()["mean_iou"] == pytest.approx(test["mean_iou"], abs=1e-6)
    result = hubel.load(segmenter.dir, device="cpu").predict(discs / "images" / "3.png")
    assert isinstance(result, Segmentation)
    assert result.mask.shape == (48, 56)


def test_statistics_are_those_of_the_training_pictures(segmenter: Run) -> None:
    preprocess = hubel.load(segmenter.dir).preprocess
    assert preprocess.resize == "native"
    assert preprocess.mean[0] == pytest.approx(90 / 255, abs=0.05)


class StopAt(Reporter):
    """Asks the loop to stop once so many pictures have been trained on."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, report: StepReport) -> None:
        """Count."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("what", ["detection", "segmentation"])
def test_stopped_and_resumed_equals_unbroken(
    rectangles: Path, discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("hubel.training.fit._SECONDS_PER_REPORT", 0.0)
    data, model, settings = {
        "detection": (rectangles, "yolo_n", DETECTION),
        "segmentation": (discs, "unet/resnet20_cifar", SEGMENTATION),
    }[what]
    arguments: dict[str, Any] = {"model": model, "epochs": 2, "device": "cpu", "settings": settings}
    whole = hubel.train(data, out=tmp_path / "whole", **arguments)
    with pytest.raises(Interrupted, match="stopped at epoch 2"):
        hubel.train(data, out=tmp_path / "broken", reporter=StopAt(5), **arguments)
    resumed = hubel.train(out=tmp_path / "broken", resume=True)
    ours, theirs = load_tensors(whole.bundle), load_tensors(resumed.bundle)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    states = [load_checkpoint(tmp_path / run / "last.ckpt").states["network"] for run in ("whole", "broken")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert whole.metrics["test"] == resumed.metrics["test"]


def test_a_frozen_encoder_stays_and_the_decoder_trains(discs: Path, tmp_path: Path) -> None:
    first = hubel.train(
        discs, model="unet/resnet20_cifar", epochs=1, out=tmp_path / "first", device="cpu", settings=SEGMENTATION
    )
    again = hubel.train(
        discs,
        model="unet/resnet20_cifar",
        weights=first.bundle,
        recipe="head",
        epochs=1,
        out=tmp_path / "again",
        device="cpu",
        settings=SEGMENTATION,
    )
    before, after = load_tensors(first.bundle), load_tensors(again.bundle)
    changed = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("up") for name in changed)
    assert not {"conv1", "conv2", "conv3", "conv4"} & changed


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet18", "resnet18 is a network for classification, the task is detection .*yolo_n, .*yolo_n/BACKBONE"),
        ("unet", "unet is a network for segmentation, the task is detection .*such as yolo_n"),
    ],
)
def test_a_network_of_another_kind_is_told_with_those_that_suit(
    rectangles: Path, tmp_path: Path, model: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        hubel.train(rectangles, model=model, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_detector_for_classes_is_told(coloured_squares: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"yolo_n is a network for detection, the task is classification .*resnet18"):
        hubel.train(coloured_squares, model="yolo_n", out=tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    "setting", ["augment.mixup=0.2", "augment.cutmix=1.0", "imbalance=focal", "label_smoothing=0.1"]
)
def test_settings_of_classes_are_refused(rectangles: Path, discs: Path, tmp_path: Path, setting: str) -> None:
    name, _, value = setting.partition("=")
    for data in (rectangles, discs):
        number: Any = value if value == "focal" else float(value)
        with pytest.raises(ConfigError, match=setting):
            hubel.train(data, out=tmp_path / "run", device="cpu", settings={name: number})


def test_a_probe_is_of_labels(rectangles: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="recipe=auto came, but the task is detection"):
        hubel.train(rectangles, recipe="auto", out=tmp_path / "run", device="cpu", settings=DETECTION)


def test_a_loss_that_is_no_number_names_the_pictures(rectangles: Path, tmp_path: Path) -> None:
    settings = {**DETECTION, "learning_rate": 1e30, "optimizer.clip_norm": 0.0}
    with pytest.raises((TrainingError, HubelError), match=r"the loss is (nan|inf).* pictures: .*\.jpg"):
        hubel.train(rectangles, epochs=2, out=tmp_path / "run", device="cpu", settings=settings)


def test_metrics_are_json(detector: Run) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads((detector.dir / "metrics.json").read_text(), parse_constant=refuse)


def test_grey_and_colour_pictures_of_many_sizes(discs: Path, segmenter: Run) -> None:
    model = hubel.load(segmenter.dir, device="cpu")
    for shape in ((48, 56), (31, 77), (100, 20)):
        result = model.predict(np.full(shape, 128, dtype=np.uint8))
        assert isinstance(result, Segmentation)
        assert result.mask.shape == shape
