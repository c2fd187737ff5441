"""A generator measured by a classifier's features: named, repeatable, zero against its own samples."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hubel import cli
from hubel.bundle import Bundle, save_bundle
from hubel.errors import ConfigError, DataError
from hubel.evaluation.generated import evaluate_generator
from hubel.models import build_model
from hubel.preprocessing import Preprocess
from hubel.tasks.generative.collapse import ClassCoverage


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    arguments = {"size": 32, "width": 4, "code_size": 5, "kernel": 4}
    path = tmp_path_factory.mktemp("generator") / "gan.safetensors"
    preprocess = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.5,), std=(0.5,))
    network = build_model("dcgan", in_channels=1, **arguments)
    bundle = Bundle(task="generation", network="dcgan", arguments=arguments, preprocess=preprocess, classes=())
    save_bundle(path, bundle, network.state_dict())
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("classifier") / "lenet.safetensors"
    preprocess = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.5,), std=(0.5,))
    network = build_model("lenet5", num_classes=3, in_channels=1)
    bundle = Bundle(task="classification", network="lenet5", preprocess=preprocess, classes=("a", "b", "c"))
    save_bundle(path, bundle, network.state_dict())
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    draw = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(draw.integers(0, 255, size=(32, 32)).astype(np.uint8)).save(folder / f"{number:02}.png")
    return folder


def test_what_measures_is_named_and_the_figures_repeat(generator: Path, classifier: Path, noise: Path) -> None:
    first = evaluate_generator(generator, noise, classifier, count=20, device="cpu")
    assert first.to_dict() == evaluate_generator(generator, noise, classifier, count=20, device="cpu").to_dict()
    assert (first.samples, first.pictures, first.subset_size) == (20, 12, 12)
    assert first.features == 84  # what lenet5's last layer takes
    assert first.digest == hashlib.sha256(classifier.read_bytes()).hexdigest()
    assert first.coverage.counts.sum() == 20
    assert first.coverage_of_pictures.counts.sum() == 12
    text = first.text()
    for part in (
        "20 samples against 12 pictures",
        "84 features of lenet5",
        first.digest[:12],
        "32×32",
        "subsets of 12",
    ):
        assert part in text


def test_samples_are_nearer_to_themselves_than_to_noise(
    generator: Path, classifier: Path, noise: Path, tmp_path: Path
) -> None:
    import hubel

    for number, picture in enumerate(hubel.load(generator, device="cpu").sample(30, seed=0)):
        Image.fromarray(picture[..., 0]).save(tmp_path / f"{number:02}.png")
    own = evaluate_generator(generator, tmp_path, classifier, device="cpu")
    other = evaluate_generator(generator, noise, classifier, count=30, device="cpu")
    assert own.samples == 30
    assert own.fid == pytest.approx(0, abs=1e-6)
    assert own.diversity == pytest.approx(1)
    assert other.fid > 1e6 * abs(own.fid)


def test_of_a_folder_with_splits_the_test_pictures_are_compared(
    generator: Path, classifier: Path, noise: Path, tmp_path: Path
) -> None:
    for number, picture in enumerate(sorted(noise.iterdir())):
        split = tmp_path / "data" / ("train" if number < 8 else "test")
        split.mkdir(parents=True, exist_ok=True)
        (split / picture.name).write_bytes(picture.read_bytes())
    (tmp_path / "data" / "test" / "broken.png").write_bytes(b"nothing")
    measured = evaluate_generator(generator, tmp_path / "data", classifier, device="cpu", max_unreadable=0.5)
    assert (measured.pictures, measured.split, len(measured.unreadable)) == (4, "test", 1)
    assert "4 samples against 4 pictures (test)" in measured.text()
    every = evaluate_generator(generator, tmp_path / "data", classifier, split="train", device="cpu")
    assert (every.pictures, every.split) == (8, "train")
    with pytest.raises(DataError, match="1 of 5 images cannot be read"):
        evaluate_generator(generator, tmp_path / "data", classifier, device="cpu")


def test_what_cannot_measure_is_refused(generator: Path, classifier: Path, noise: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a dcgan for generation: expected a classifier"):
        evaluate_generator(generator, noise, generator, device="cpu")
    with pytest.raises(ConfigError, match="is a lenet5 for classification, which makes no pictures"):
        evaluate_generator(classifier, noise, classifier, device="cpu")
    Image.new("L", (32, 32)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"1 readable picture .* expected at least 2"):
        evaluate_generator(generator, tmp_path, classifier, device="cpu")


def test_the_verb_prints_the_figures(
    generator: Path,
    classifier: Path,
    noise: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["hubel", "evaluate", str(generator), str(noise), "--extractor", str(classifier)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "FID" in printed
    assert "12 samples against 12 pictures (all)" in printed
    monkeypatch.setattr(sys, "argv", [*arguments, "--samples", "9", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = json.loads(capsys.readouterr().out)
    assert (told["samples"], told["pictures"], told["split"]) == (9, 12, "all")
    assert 0 <= told["confident"] <= 1
    monkeypatch.setattr(sys, "argv", [*arguments, "--tta", "flip"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "--tta came with --extractor" in capsys.readouterr().err


def test_a_collapse_is_told_by_classes_and_by_diversity(generator: Path, classifier: Path, noise: Path) -> None:
    found = evaluate_generator(generator, noise, classifier, count=20, device="cpu")
    even, one = (ClassCoverage(np.array(counts), 0.5) for counts in ([7, 7, 6], [20, 0, 0]))
    healthy = replace(found, diversity=0.9, coverage=even, coverage_of_pictures=even)
    assert healthy.collapse == ()
    assert "collapsed" not in healthy.text()
    narrow = replace(healthy, diversity=0.2)
    assert "the generator has collapsed: the samples differ 20% as much as real pictures" in narrow.text()
    few = replace(healthy, coverage=one)
    assert few.to_dict()["collapse"] == ["the classes of the samples are 33% of those of the data (below 50%)"]
    assert replace(few, coverage_of_pictures=one).collapse == ()  # the pictures are of one class, too


def test_pictures_that_are_all_the_same_are_refused(generator: Path, classifier: Path, tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (32, 32), 90).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=f"{tmp_path}: the real pictures are all the same: expected some that differ"):
        evaluate_generator(generator, tmp_path, classifier, device="cpu")
