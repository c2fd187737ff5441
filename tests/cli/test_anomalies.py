"""Anomalies: `hubel predict` puts what is unlike the training pictures first, `hubel evaluate` tells how well."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubel
from hubel import cli
from hubel.bundle import Bundle, save_bundle
from hubel.models import build_model
from hubel.preprocessing import Preprocess


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of grey pictures of 16×16 that are bright above and dark below."""
    folder = tmp_path_factory.mktemp("normal")
    draw = np.random.default_rng(0)
    for number in range(60):
        write(folder / f"{number:02}.png", draw, upside_down=False)
    return Path(
        hubel.train(
            folder,
            task="reconstruction",
            epochs=20,
            learning_rate=0.01,
            out=tmp_path_factory.mktemp("run") / "run",
            settings={
                "data.size": 16,
                "model.in_channels": 1,
                "model.arguments": {"widths": [4, 8], "code_size": 2},
                "batch_size": 8,
                "data.near_duplicates": 0,
                "augment.mirror": 0.0,
                "augment.preset": "none",
                "device": "cpu",
                "threads": 1,
            },
        ).bundle
    )


def write(path: Path, draw: np.random.Generator, *, upside_down: bool) -> None:
    pixels = draw.normal(40, 10, size=(16, 16))
    pixels[:8] += 160
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    Image.fromarray(pixels[::-1].copy() if upside_down else pixels).save(path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object, verb: str = "predict") -> int:
    monkeypatch.setattr(sys, "argv", ["hubel", verb, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_what_is_unlike_the_training_pictures_comes_first(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(1)
    for number in range(6):
        write(tmp_path / f"{'odd' if number < 2 else 'normal'}{number}.png", draw, upside_down=number < 2)
    drawn = tmp_path / "drawn"
    assert run(monkeypatch, model, tmp_path, "--anomaly", "--threshold", "0.05", "--draw", drawn, "--json") == 0
    printed = capsys.readouterr()
    results = json.loads(printed.out)
    assert [Path(result["path"]).name[:3] for result in results[:2]] == ["odd", "odd"]
    errors = [result["mean_squared_error"] for result in results]
    assert errors == sorted(errors, reverse=True)
    assert [result["anomalous"] for result in results] == [True, True, False, False, False, False]
    assert "anomalies: a squared error above 0.05" in printed.err
    with Image.open(drawn / "odd0.png") as image:
        assert image.size == (3 * 96 + 4, 96)  # as it is, as it comes back, where it errs
        heat = np.asarray(image)[:, -96:].mean()
    with Image.open(drawn / "normal2.png") as image:
        assert np.asarray(image)[:, -96:].mean() < heat


def test_the_threshold_is_that_of_the_validation_pictures(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "one.png", np.random.default_rng(1), upside_down=True)
    expected = hubel.load(model).bundle.metrics["validation"]["error_quantiles"]
    for arguments, share in (([], "0.99"), (["--threshold", "90%"], "0.9")):
        assert run(monkeypatch, model, tmp_path / "one.png", "--anomaly", *arguments) == 0
        printed = capsys.readouterr()
        assert f"a squared error above {expected[share]:.4g}" in printed.err
        assert "yes" in printed.out


def test_the_threshold_may_be_taken_from_other_pictures(
    model: Path, two_kinds: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    normal, _ = two_kinds
    errors = [result.error for result in hubel.load(model).predict(sorted(normal.iterdir()))]
    shared = (normal, "--anomaly", "--validation", normal, "--threshold", "80%")
    assert run(monkeypatch, model, *shared) == 0
    assert f"a squared error above {np.quantile(errors, 0.8):.4g}" in capsys.readouterr().err
    assert run(monkeypatch, model, model, *shared) == 0  # two give the mean of two pictures back, rounded
    told = float(capsys.readouterr().err.partition("a squared error above ")[2].split()[0])
    assert told == pytest.approx(np.quantile(errors, 0.8), rel=0.01)


@pytest.fixture(scope="module")
def two_kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of 12 normal pictures that the model has not seen, and one of 5 upside down."""
    draw = np.random.default_rng(2)
    folders = tmp_path_factory.mktemp("right"), tmp_path_factory.mktemp("wrong")
    for folder, count, upside_down in zip(folders, (12, 5), (False, True), strict=True):
        for number in range(count):
            write(folder / f"{number:02}.png", draw, upside_down=upside_down)
    return folders


def test_how_well_anomalies_are_told_is_measured(
    model: Path,
    two_kinds: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    normal, wrong = two_kinds
    curves = tmp_path / "curves.svg"
    shared = (model, normal, "--anomalies", wrong)
    assert run(monkeypatch, *shared, "--json", "--curves", curves, verb="evaluate") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["positive"], told["positives"], told["negatives"], told["auc"]) == ("anomaly", 5, 12, 1.0)
    assert told["threshold"] == hubel.load(model).bundle.metrics["validation"]["error_quantiles"]["0.99"]
    assert told["threshold_rule"] == "99%"
    assert told["sensitivity"] == 1.0
    assert curves.is_file()
    assert run(monkeypatch, *shared, "--threshold", "0.9", verb="evaluate") == 0
    printed = capsys.readouterr().out
    assert "'anomaly' (5 pictures) against the rest (12)" in printed
    assert "threshold          0.9000 (as given)" in printed
    assert "0 of 5" in printed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--anomalies", "wrong", "--tta", "flip"], "--tta came with --anomalies, which tells pictures by what"),
        (["--anomalies", "wrong", "--average", "logits"], "--average came with --anomalies"),
        (["--anomalies", "wrong", "--threshold", "70%"], "the model knows the errors of its validation pictures at 90"),
        (["--anomalies", "wrong", "--threshold", "70%", "--validation", "right"], "12 of the measured pictures are"),
        (["--anomalies", "right"], "have 12 pictures in common"),
        (["--anomalies", "wrong", "--extractor", "wrong"], "--extractor came with --anomalies"),
        (["--samples", "10"], "--samples came without --extractor"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(
    model: Path,
    two_kinds: tuple[Path, Path],
    arguments: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    right, wrong = two_kinds
    named = [{"right": str(right), "wrong": str(wrong)}.get(argument, argument) for argument in arguments]
    assert run(monkeypatch, model, right, *named, verb="evaluate") == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--threshold", "0.1"], "--threshold 0.1 came without --anomaly"),
        (["--validation", "somewhere"], "--validation somewhere came without --anomaly"),
        (["--anomaly", "--threshold", "80%"], "the model knows the errors of its validation pictures at 90%, 95%, 99%"),
        (["--anomaly", "--threshold", "110%"], "expected a squared error above 0 and at most 1, or a share"),
        (["--anomaly", "--threshold", "much"], "expected a squared error above 0 and at most 1"),
        (["--anomaly", "--threshold", "0.1", "--validation", "x"], "is an error and needs no pictures"),
    ],
)
def test_mistakes_are_told_in_a_line(
    model: Path,
    tmp_path: Path,
    arguments: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "one.png", np.random.default_rng(1), upside_down=False)
    assert run(monkeypatch, model, tmp_path / "one.png", *arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_a_model_of_another_task_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "classifier.safetensors"
    preprocess = Preprocess(channels=1, size=(32, 32), resize_to=32, mean=(0.5,), std=(0.5,))
    bundle = Bundle(task="classification", network="lenet5", preprocess=preprocess, classes=("a", "b"))
    save_bundle(path, bundle, build_model("lenet5", num_classes=2).state_dict())
    write(tmp_path / "one.png", np.random.default_rng(1), upside_down=False)
    assert run(monkeypatch, path, tmp_path / "one.png", "--anomaly") == 2
    assert "--anomaly came, but the model is for classification" in capsys.readouterr().err
    assert run(monkeypatch, path, tmp_path, "--anomalies", tmp_path, verb="evaluate") == 2
    assert "--anomalies came, but the model is for classification" in capsys.readouterr().err


def test_several_models_have_no_threshold_of_their_own(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "one.png", np.random.default_rng(1), upside_down=True)
    assert run(monkeypatch, model, model, tmp_path / "one.png", "--anomaly") == 2
    assert "2 models came, whose mean has other errors" in capsys.readouterr().err
    assert run(monkeypatch, model, model, tmp_path / "one.png", "--anomaly", "--threshold", "0.01") == 0
