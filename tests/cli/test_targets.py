"""Several labels and numbers through every verb, on tiny pictures that a small network learns in seconds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import Outcome

import hubel as library
from hubel.bundle import inspect_bundle
from hubel.results import MultiLabel, Number

Hubel = Callable[..., Outcome]

LABELS = ("red", "green", "blue")
QUICK = ("--model", "lenet5_modern", "--device", "cpu", "--lr", "0.003")
SETTINGS = ("--set", "data.size=32", "--set", "batch_size=16", "--set", "augment.preset=none", "--set", "threads=1")
COLOUR = ("--set", "model.in_channels=3")


def write_manifest(path: Path, *rows: tuple[str, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def ages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 160 grey pictures whose brightness is 2.5 times their value, in 40 groups."""
    folder = tmp_path_factory.mktemp("ages")
    generator = np.random.default_rng(0)
    rows = []
    for number, value in enumerate(generator.uniform(20, 80, 160)):
        pixels = np.clip(generator.normal(2.5 * value, 12, (24, 24)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
        rows.append((f"{number:03}.png", f"{value:.2f}", f"person {number // 4}"))
    write_manifest(folder / "grouped.csv", ("path", "value", "group"), *rows)
    return write_manifest(folder / "ages.csv", ("path", "value"), *(row[:2] for row in rows))


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 180 dark pictures with any of a red, a green and a blue bar, each label the rarer the later."""
    folder = tmp_path_factory.mktemp("tags")
    generator = np.random.default_rng(0)
    rows = []
    for number in range(180):
        pixels, has = generator.normal(60, 15, (24, 24, 3)), generator.random(3) < (0.5, 0.3, 0.2)
        for at in np.flatnonzero(has):
            pixels[8 * at : 8 * at + 8, :, at] += 90
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number:03}.png")
        rows.append((f"{number:03}.png", "|".join(np.array(LABELS)[has])))
    return write_manifest(folder / "tags.csv", ("path", "labels"), *rows)


@pytest.fixture
def of_ages(hubel: Hubel, ages: Path) -> Outcome:
    """A run in runs/ages."""
    outcome = hubel("train", ages, *QUICK, *SETTINGS, "--epochs", "12", "--out", "runs/ages")
    assert outcome.status == 0, outcome.err
    return outcome


@pytest.fixture
def of_tags(hubel: Hubel, tags: Path) -> Outcome:
    """A run in runs/tags."""
    outcome = hubel("train", tags, *QUICK, *SETTINGS, *COLOUR, "--epochs", "5", "--out", "runs/tags")
    assert outcome.status == 0, outcome.err
    return outcome


def test_a_number_is_learnt_and_told_in_its_units(of_ages: Outcome, hubel: Hubel, ages: Path) -> None:
    metrics = json.loads(Path("runs/ages/metrics.json").read_text())
    test = metrics["test"]
    assert test["mae"] < 3
    assert test["r2"] > 0.95
    assert test["mae_ci95"][0] <= test["mae"] <= test["mae_ci95"][1]
    mean, median = test["baselines"]
    assert mean["mae"] > 8 > 3 * test["mae"]
    assert median["name"].endswith("the median of the training pictures")
    assert "mean absolute error" in of_ages.out
    assert mean["name"] in of_ages.out
    rows = list(csv.DictReader(Path("runs/ages/metrics.csv").read_text().splitlines()))
    assert {"train_mae", "validation_mae", "validation_rmse", "validation_r2"} <= set(rows[0])
    assert min(float(row["validation_mae"]) for row in rows) == pytest.approx(metrics["validation"]["mae"], rel=1e-4)

    bundle = inspect_bundle(Path("runs/ages"))
    assert (bundle.task, bundle.classes, bundle.outputs) == ("regression", (), 1)
    assert bundle.scale is not None
    assert bundle.scale.mean == pytest.approx(50, abs=5)
    assert bundle.config["task"] == "regression"
    page = Path("runs/ages/report.html").read_text()
    for heading in ("Training", "Predicted and true numbers", "Largest errors", "Data", "Settings"):
        assert f"<h2>{heading}" in page, heading
    assert page.count("<svg") == 4

    measured = json.loads(hubel("evaluate", "runs/ages", ages, "--device", "cpu", "--json", "-o", "out.csv").out)
    assert {key: measured[key] for key in test} == test
    table = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert set(table[0]) == {"path", "value", "predicted"}
    assert np.mean([abs(float(row["value"]) - float(row["predicted"])) for row in table]) == pytest.approx(
        test["mae"], rel=1e-4
    )
    printed = hubel("evaluate", "runs/ages", ages, "--device", "cpu").out
    assert "always" in printed
    assert "R²" in printed


def test_predictions_of_numbers(of_ages: Outcome, hubel: Hubel, ages: Path) -> None:
    picture = ages.parent / "007.png"
    (told,) = json.loads(hubel("predict", "runs/ages", picture, "--json", "--device", "cpu").out)
    assert set(told) == {"path", "value"}
    result = library.load("runs/ages", device="cpu").predict(picture)
    assert isinstance(result, Number)
    assert result.value == pytest.approx(told["value"])
    truth = dict(csv.reader(ages.read_text().splitlines()[1:]))["007.png"]
    assert result.value == pytest.approx(float(truth), abs=8)
    assert hubel("predict", "runs/ages", picture, "--format", "csv").out.splitlines()[0] == "path,value"
    assert "value" in hubel("predict", "runs/ages", picture).out
    flipped = json.loads(hubel("predict", "runs/ages", "runs/ages", picture, "--json", "--tta", "flip").out)
    assert flipped[0]["value"] == pytest.approx(told["value"], abs=2)


def test_models_of_numbers_are_averaged_and_compared_each_by_its_own_scale(
    of_ages: Outcome, hubel: Hubel, ages: Path
) -> None:
    more = ("--set", "seed=1", "--set", "data.group=^(..)", "--epochs", "2", "--out", "runs/worse")
    assert hubel("train", ages, *QUICK, *SETTINGS, *more).status == 0
    models = ("runs/ages", "runs/worse")
    scales = [inspect_bundle(Path(model)).scale for model in models]
    assert scales[0] != scales[1]
    values = json.loads(hubel("evaluate", *models, ages, "--split", "all", "--json").out)
    picture = ages.parent / "003.png"
    alone = [library.load(model, device="cpu").predict(picture).value for model in models]
    together = json.loads(hubel("predict", *models, picture, "--json").out)[0]["value"]
    assert together == pytest.approx(np.mean(alone), rel=1e-4)
    assert [model["name"] for model in values["models"]] == list(models)
    compared = hubel("evaluate", *models, ages, "--split", "all", "--compare")
    assert "2 against 1: +" in compared.out
    assert "paired t-test p < 0.0001): distinguishable" in compared.out


def test_what_makes_no_sense_for_numbers_is_refused(of_ages: Outcome, hubel: Hubel, ages: Path, tags: Path) -> None:
    for options, why in {
        ("--calibrate",): "--calibrate came for a model of the task regression",
        ("--positive", "old"): "--positive came with 'old', but the model predicts a number",
        ("--threshold", "0.5"): "a threshold came, but the model predicts a number",
        ("--average", "logits"): "average is logits, but the model predicts a number",
        ("--curves", "out.png"): "--curves came, but the model predicts a number",
    }.items():
        outcome = hubel("evaluate", "runs/ages", ages, *options)
        assert outcome.status == 2
        assert why in outcome.error
    outcome = hubel("evaluate", "runs/ages", ages, "--calibration", "out.png")
    assert (outcome.status, "a reliability diagram is of one class of several" in outcome.error) == (2, True)
    for setting in ("imbalance=weights", "label_smoothing=0.1", "augment.mixup=0.2", "augment.cutmix=1"):
        outcome = hubel("train", ages, *QUICK, "--set", setting)
        assert (outcome.status, "but the pictures have a number each" in outcome.error) == (2, True), outcome.error
    assert not Path("runs/ages-2").exists()


def test_folds_of_numbers(hubel: Hubel, ages: Path) -> None:
    grouped = ages.parent / "grouped.csv"
    outcome = hubel("train", grouped, *QUICK, *SETTINGS, "--epochs", "4", "--folds", "2", "--out", "folds")
    assert outcome.status == 0, outcome.err
    metrics = json.loads(Path("folds/metrics.json").read_text())
    assert set(metrics["mean"]) == {"mae", "rmse", "r2"}
    assert metrics["out_of_fold"]["groups"] == 40
    assert metrics["out_of_fold"]["mae"] < metrics["baselines"][0]["mae"]
    rows = list(csv.DictReader(Path("folds/out_of_fold.csv").read_text().splitlines()))
    assert set(rows[0]) == {"path", "value", "group", "fold", "predicted"}
    assert len(rows) == 160
    assert "mean absolute error" in outcome.out
    assert "intervals over 40 groups" in outcome.out


def test_labels_are_learnt_and_told_each_for_itself(of_tags: Outcome, hubel: Hubel, tags: Path) -> None:
    metrics = json.loads(Path("runs/tags/metrics.json").read_text())
    test = metrics["test"]
    assert test["mean_average_precision"] > 0.95
    assert test["mean_average_precision"] > test["baselines"][0]["mean_average_precision"] + 0.3
    for name in ("mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy"):
        assert test[f"{name}_ci95"][0] - 1e-9 <= test[name] <= test[f"{name}_ci95"][1] + 1e-9
    bundle = inspect_bundle(Path("runs/tags"))
    assert (bundle.task, bundle.classes, bundle.thresholds) == ("multilabel", tuple(sorted(LABELS)), (0.5,) * 3)
    page = Path("runs/tags/report.html").read_text()
    for heading in ("Labels", "Precision and recall", "Least likely truths", "Data"):
        assert f"<h2>{heading}" in page, heading

    measured = json.loads(hubel("evaluate", "runs/tags", tags, "--device", "cpu", "--json", "-o", "out.csv").out)
    assert {key: measured[key] for key in test} == test
    assert set(measured["per_label"]) == set(LABELS)
    table = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert list(table[0]) == ["path", "labels", "predicted", *(f"probability {name}" for name in sorted(LABELS))]
    one = json.loads(hubel("evaluate", "runs/tags", tags, "--positive", "blue", "--json").out)["binary"]
    assert one["positive"] == "blue"
    assert one["auc"] > 0.9
    assert "average precision" in hubel("evaluate", "runs/tags", tags, "--tta", "multi-scale").out


def test_predictions_of_labels(of_tags: Outcome, hubel: Hubel, tags: Path) -> None:
    truth = dict(csv.reader(tags.read_text().splitlines()[1:]))
    pictures = [tags.parent / name for name in list(truth)[:40]]
    told = json.loads(hubel("predict", "runs/tags", *pictures, "--json").out)
    right = [set(result["labels"]) == set(filter(None, truth[Path(result["path"]).name].split("|"))) for result in told]
    assert np.mean(right) > 0.8
    result = library.load("runs/tags", device="cpu").predict(pictures[0])
    assert isinstance(result, MultiLabel)
    assert list(result.labels) == told[0]["labels"]
    rows = list(csv.DictReader(io.StringIO(hubel("predict", "runs/tags", *pictures, "--format", "csv").out)))
    assert rows[0]["labels"] == "|".join(result.labels)
    assert float(rows[0]["probability red"]) == pytest.approx(result.to_dict()["probabilities"]["red"], abs=1e-5)
    assert "labels" in hubel("predict", "runs/tags", *pictures[:3]).out


def test_thresholds_of_labels_are_chosen_on_validation_pictures(hubel: Hubel, tags: Path, of_tags: Outcome) -> None:
    given = json.loads(hubel("evaluate", "runs/tags", tags, "--threshold", "0.01", "--json").out)
    assert {scores["threshold"] for scores in given["per_label"].values()} == {0.01}
    chosen = json.loads(hubel("evaluate", "runs/tags", tags, "--threshold", "sensitivity=0.95", "--json").out)
    assert len({scores["threshold"] for scores in chosen["per_label"].values()}) == 3
    assert any(
        "each label's threshold is chosen by sensitivity=0.95 on the validation split" in n for n in chosen["notes"]
    )
    refused = hubel("evaluate", "runs/tags", tags, "--split", "validation", "--threshold", "f1")
    assert (refused.status, "are among those that the threshold would be chosen on" in refused.error) == (2, True)
    kept = ("--epochs", "2", "--set", "label_threshold=f1", "--out", "runs/tuned")
    assert hubel("train", tags, *QUICK, *SETTINGS, *COLOUR, *kept).status == 0
    assert inspect_bundle(Path("runs/tuned")).thresholds != (0.5,) * 3


@pytest.mark.parametrize(
    "settings",
    [
        ("imbalance=weights", "average_decay=0.9"),
        ("imbalance=sampling",),
        ("imbalance=focal", "label_smoothing=0.1"),
        ("augment.mixup=0.4", "augment.cutmix=1"),
    ],
)
def test_labels_train_with_every_setting(hubel: Hubel, tags: Path, settings: tuple[str, ...]) -> None:
    given = [part for setting in settings for part in ("--set", setting)]
    outcome = hubel("train", tags, *QUICK, *SETTINGS, *COLOUR, "--epochs", "4", *given, "--out", "run")
    assert outcome.status == 0, outcome.err
    metrics = json.loads(Path("run/metrics.json").read_text())["test"]
    assert metrics["mean_average_precision"] > metrics["baselines"][0]["mean_average_precision"] + 0.2


def test_folds_of_labels(hubel: Hubel, tags: Path) -> None:
    outcome = hubel("train", tags, *QUICK, *SETTINGS, *COLOUR, "--epochs", "3", "--folds", "2", "--out", "folds")
    assert outcome.status == 0, outcome.err
    metrics = json.loads(Path("folds/metrics.json").read_text())
    assert set(metrics["mean"]) == {"mean_average_precision", "macro_f1", "micro_f1", "subset_accuracy"}
    rows = list(csv.DictReader(Path("folds/out_of_fold.csv").read_text().splitlines()))
    assert list(rows[0])[:4] == ["path", "labels", "fold", "predicted"]
    assert "mean average precision" in outcome.out


def test_models_of_other_tasks_are_not_averaged(of_ages: Outcome, of_tags: Outcome, hubel: Hubel, tags: Path) -> None:
    outcome = hubel("predict", "runs/ages", "runs/tags", tags.parent / "001.png")
    assert (outcome.status, "the models' tasks differ (regression and multilabel)" in outcome.error) == (2, True)
    outcome = hubel("evaluate", "runs/tags", tags, "--calibrate")
    assert "--calibrate came for a model of the task multilabel" in outcome.error


@pytest.mark.parametrize(("data", "colour", "figure"), [("ages", (), "r2"), ("tags", COLOUR, "mean_average_precision")])
def test_a_probe_tells_what_the_stages_know(
    data: str, colour: tuple[str, ...], figure: str, hubel: Hubel, request: pytest.FixtureRequest
) -> None:
    manifest = request.getfixturevalue(data)
    options = ("--model", "lenet5_modern", "--device", "cpu", *colour, "--set", "threads=1")
    values = json.loads(hubel("probe", manifest, *options, "--json", "--plot", "probe.svg").out)
    assert values["figure"] == figure
    first = values["stages"][0]
    assert first[figure] > 0.7 > 0.4 > values["baseline"]
    assert first[f"{figure}_ci95"][0] <= first[figure] <= first[f"{figure}_ci95"][1]
    assert "best" in hubel("probe", manifest, *options).out
    assert Path("probe.svg").read_text().startswith("<?xml")
    auto = ("--recipe", "auto", "--epochs", "2", "--out", "auto")
    trained = hubel("train", manifest, *QUICK[:4], *SETTINGS, *colour, *auto)
    assert trained.status == 0, trained.err
    started = ("--weights", "auto/best.safetensors", "--recipe", "auto", "--epochs", "2", "--out", "again")
    trained = hubel("train", manifest, *QUICK[:4], *SETTINGS, *colour, *started)
    assert trained.status == 0, trained.err
    assert "recipe auto: " in trained.err
    assert "because" in trained.err


@pytest.mark.parametrize(("data", "colour"), [("ages", ()), ("tags", COLOUR)])
def test_frozen_layers_run_once_and_a_stopped_run_goes_on(
    data: str, colour: tuple[str, ...], hubel: Hubel, request: pytest.FixtureRequest
) -> None:
    manifest = request.getfixturevalue(data)
    first = hubel("train", manifest, *QUICK, *SETTINGS, *colour, "--epochs", "2", "--out", "first")
    assert first.status == 0, first.err
    tuned = ("--weights", "first/best.safetensors", "--recipe", "gradual", "--epochs", "10", "--out", "tuned")
    outcome = hubel("train", manifest, *QUICK, *SETTINGS, *colour, *tuned)
    assert outcome.status == 0, outcome.err
    assert "frozen layers run once" in outcome.err
    name = {"ages": "mae", "tags": "mean_average_precision"}[data]
    before, after = (json.loads(Path(f"{run}/metrics.json").read_text())["validation"] for run in ("first", "tuned"))
    better = after[name] <= before[name] if data == "ages" else after[name] >= before[name]
    assert better
    Path("tuned/metrics.json").unlink()
    again = hubel("train", manifest, "--resume", "--out", "tuned")
    assert again.status == 0, again.err
    assert json.loads(Path("tuned/metrics.json").read_text())["validation"] == after


def test_the_task_may_be_another_than_the_labels_say(hubel: Hubel, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for value in (10, 20, 40):
        (tmp_path / "folders" / str(value)).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(generator.normal(5 * value, 10, (24, 24)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "folders" / str(value) / f"{number}.png")
    outcome = hubel("train", "folders", *QUICK, *SETTINGS, "--task", "regression", "--epochs", "3", "--out", "numbers")
    assert outcome.status == 0, outcome.err
    assert inspect_bundle(Path("numbers")).task == "regression"
    assert json.loads(hubel("evaluate", "numbers", "folders", "--json").out)["split"] == "test"
    rows = (("folders/10/0.png", "old"), ("folders/10/1.png", "new"))
    words = write_manifest(tmp_path / "words.csv", ("path", "label"), *rows)
    outcome = hubel("train", words, *QUICK, "--task", "regression")
    assert outcome.status == 2
    assert "one class for each picture, and this task expects a number: 'old' is no number" in outcome.error
    outcome = hubel("evaluate", "numbers", words)
    assert (outcome.status, "is no number" in outcome.error) == (2, True)
