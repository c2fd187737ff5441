"""`hubel evaluate` and `hubel predict` beyond one model's accuracy: views, ensembles, comparisons, clinics."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax
from sklearn import metrics as oracle
from tests.command_line import Outcome

import hubel as library
from hubel.bundle import inspect_bundle, load_tensors
from hubel.data.division.splits import DataSplits
from hubel.errors import HubelError
from hubel.inference.predictor import Predictor

Hubel = Callable[..., Outcome]
CPU = ("--device", "cpu")


def write_pictures(folder: Path, brightness: dict[str, float], count: int, seed: int) -> None:
    """Grey noise whose brightness tells the class, but not always."""
    generator = np.random.default_rng(seed)
    for name, mean in brightness.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            level = mean + generator.normal(0, 22)
            pixels = np.clip(level + generator.normal(0, 25, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of three classes and of two, two runs on the first and one on the second."""
    root = tmp_path_factory.mktemp("evaluate")
    write_pictures(root / "three", {"bright": 175, "dark": 85, "medium": 130}, 60, seed=1)
    write_pictures(root / "two", {"healthy": 110, "ill": 145}, 60, seed=2)
    settings = {"batch_size": 16, "augment.preset": "light", "threads": 1}
    for name, data, model, epochs in (
        ("one", "three", "resnet20_cifar", 3),
        ("other", "three", "simple_cnn", 4),
        ("clinic", "two", "resnet20_cifar", 3),
    ):
        library.train(root / data, model=model, epochs=epochs, device="cpu", out=root / name, settings=settings)
    return root


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same runs, to be changed."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def check_refused(outcome: Outcome, *texts: str) -> None:
    assert outcome.status == 2, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.error.startswith("error: ")
    for text in texts:
        assert text in outcome.error


def probabilities(text: str) -> dict[str, dict[str, float]]:
    return {value["path"]: value["probabilities"] for value in json.loads(text)}


def test_every_headline_has_its_interval_and_a_baseline(hubel: Hubel, trained: Path) -> None:
    table = hubel("evaluate", trained / "one", trained / "three", *CPU).out
    for name in ("accuracy", "baseline", "macro F1", "loss"):
        assert re.search(rf"^{name} +[\d.]+ ?%? \(95 % interval [\d.]+ to [\d.]+\)", table, re.MULTILINE), name
    assert "the most frequent class of the training pictures" in table
    assert re.search(r"calibration error 0\.\d+ \(by chance", table)
    values = json.loads(hubel("evaluate", trained / "one", trained / "three", *CPU, "--json").out)
    splits = DataSplits.from_csv((trained / "one" / "splits.csv").read_text(), trained / "three")
    said = int(np.bincount([s.label for s in splits.train]).argmax())
    assert f"'{splits.classes[said]}'" in values["baselines"][0]["name"]
    assert values["baselines"][0]["accuracy"] == np.mean([s.label == said for s in splits.test])
    for scores in values["per_class"].values():
        low, high = scores["recall_ci95"]
        assert low <= scores["recall"] <= high
    low, high = values["loss_ci95"]
    assert low < values["loss"] < high


def test_a_baseline_of_unknown_training_pictures_says_so(hubel: Hubel, runs: Path) -> None:
    shutil.copy(runs / "one" / "best.safetensors", runs / "alone.safetensors")
    write_pictures(runs / "new", {"bright": 175, "dark": 85}, 3, seed=3)
    (runs / "new" / "dark" / "002.png").unlink()
    outcome = hubel("evaluate", runs / "alone.safetensors", runs / "new", *CPU)
    assert "60.00 %" in outcome.out
    assert "always 'bright', the most frequent class of these pictures" in outcome.out


@pytest.mark.parametrize(("tta", "count"), [("flip", 2), ("ten-crop", 10), ("multi-scale", 3), ("grid:2", 4)])
def test_views_are_averaged_and_their_gain_stated(hubel: Hubel, trained: Path, tta: str, count: int) -> None:
    plain = json.loads(hubel("evaluate", trained / "one", trained / "three", *CPU, "--json").out)
    values = json.loads(hubel("evaluate", trained / "one", trained / "three", *CPU, "--tta", tta, "--json").out)
    assert (values["tta"]["name"], values["tta"]["views"]) == (tta, count)
    assert values["tta"]["plain"] == {key: plain[key] for key in values["tta"]["plain"]}
    gain = values["tta"]["gain"]
    assert gain["difference"] == pytest.approx(values["accuracy"] - plain["accuracy"])
    assert gain["difference_ci95"][0] <= gain["difference"] <= gain["difference_ci95"][1]
    seconds = values["tta"]["seconds_per_picture"]
    assert seconds["views"] > 0
    assert seconds["plain"] > 0
    if tta == "flip":
        table = hubel("evaluate", trained / "one", trained / "three", *CPU, "--tta", tta).out
        assert "flip: the probabilities of 2 views of each picture, averaged" in table
        assert re.search(r"gain +[+-][\d.]+ points \(95 % interval", table)
        assert re.search(r"cost +[\d.]+ instead of [\d.]+ seconds a picture \([\d.]+ times\)", table)


def test_predict_and_evaluate_agree_on_views_and_ensembles(hubel: Hubel, trained: Path) -> None:
    one, other = trained / "one", trained / "other"
    options = (*CPU, "--tta", "five-crop+flip", "--average", "logits")
    assert hubel("evaluate", one, other, trained / "three", *options, "-o", "e.csv").status == 0
    rows = list(csv.DictReader(Path("e.csv").read_text().splitlines()))
    files = [row["path"] for row in rows]
    predicted = json.loads(hubel("predict", one, other / "best.safetensors", *files, *options, "--json").out)
    for row, value in zip(rows, predicted, strict=True):
        assert row["predicted"] == value["label"]
        assert float(row["probability"]) == pytest.approx(value["probability"], abs=2e-6)


def test_several_models_in_predict_are_averaged(hubel: Hubel, trained: Path) -> None:
    pictures = trained / "three" / "dark"
    each = [probabilities(hubel("predict", trained / name, pictures, *CPU, "--json").out) for name in ("one", "other")]
    both = probabilities(hubel("predict", trained / "one", trained / "other", pictures, *CPU, "--json").out)
    for path, values in both.items():
        for name, value in values.items():
            assert value == pytest.approx((each[0][path][name] + each[1][path][name]) / 2)


def test_an_ensemble_shows_each_model_and_what_averaging_gains(hubel: Hubel, trained: Path) -> None:
    outcome = hubel("evaluate", trained / "one", trained / "other", trained / "three", *CPU)
    assert "average of the probabilities of 2 models; each alone:" in outcome.out
    assert re.search(rf"[\d.]+ % \(95 % interval [\d.]+ to [\d.]+\)  {trained}/other", outcome.out)
    assert "all against the best of them" in outcome.out
    values = json.loads(hubel("evaluate", trained / "one", trained / "other", trained / "three", *CPU, "--json").out)
    for name, member in zip(("one", "other"), values["models"], strict=True):
        alone = json.loads(hubel("evaluate", trained / name, trained / "three", *CPU, "--json").out)
        assert member["accuracy"] == alone["accuracy"]
        assert member["against"]["difference"] == pytest.approx(values["accuracy"] - alone["accuracy"])


def test_two_models_are_compared_on_the_same_pictures(hubel: Hubel, trained: Path) -> None:
    one, other = trained / "one", trained / "other"
    outcome = hubel("evaluate", one, other, trained / "three", *CPU, "--compare")
    assert outcome.status == 0, outcome.err
    assert re.search(r"2 against 1: [+-][\d.]+ points \(95 % interval .* exact McNemar p", outcome.out)
    values = json.loads(hubel("evaluate", one, other, trained / "three", *CPU, "--compare", "--json").out)
    right = []
    for run in (one, other):
        hubel("evaluate", run, trained / "three", *CPU, "-o", "p.csv")
        rows = csv.DictReader(Path("p.csv").read_text().splitlines())
        right.append([row["label"] == row["predicted"] for row in rows])
    first, second = np.array(right)
    against = values["models"][1]["against"]
    assert values["accuracy"] == first.mean()
    assert values["models"][0]["against"] is None
    assert against["difference"] == pytest.approx(second.mean() - first.mean())
    assert against["only_first"] == (second & ~first).sum()
    same = hubel("evaluate", one, one, one, trained / "three", *CPU, "--compare").out
    assert "3 against 1: +0.00 points" in same
    assert "p = 1): not distinguishable" in same
    assert "some differences come by chance" in same


def test_a_temperature_is_fitted_on_validation_and_kept(hubel: Hubel, runs: Path) -> None:
    run, data = runs / "one", runs / "three"
    plain = json.loads(hubel("evaluate", run, data, *CPU, "--json").out)
    tensors = load_tensors(run)
    outcome = hubel("evaluate", run, data, *CPU, "--calibrate", "--json")
    assert outcome.status == 0, outcome.err
    values = json.loads(outcome.out)
    fitted = values["temperature"]
    assert "the validation split of" in fitted["chosen_on"]
    assert (values["split"], values["accuracy"], values["confusion"]) == ("test", plain["accuracy"], plain["confusion"])
    assert fitted["before"] == pytest.approx(plain["calibration_error"])
    assert fitted["after"] == pytest.approx(values["calibration_error"])
    bundle = inspect_bundle(run)
    assert bundle.temperature == fitted["temperature"] != 1
    assert all((tensors[name] == tensor).all() for name, tensor in load_tensors(run).items())
    # everything that comes after uses it
    again = json.loads(hubel("evaluate", run, data, *CPU, "--json").out)
    assert again["loss"] == pytest.approx(values["loss"])
    assert again["loss"] != pytest.approx(plain["loss"], abs=1e-6)
    assert inspect_bundle(run) == bundle
    # the least loss on validation: any other temperature is worse
    splits = DataSplits.from_csv((run / "splits.csv").read_text(), data)
    predictor = Predictor.load(run, device="cpu")
    from hubel.data.decoding import read_array

    arrays = np.stack([read_array(sample.path, predictor.preprocess) for sample in splits.validation])
    logits = predictor.logits(arrays).numpy() * bundle.temperature
    labels = [sample.label for sample in splits.validation]
    losses = [oracle.log_loss(labels, softmax(logits / (bundle.temperature * f), axis=1)) for f in (0.9, 1.0, 1.1)]
    assert losses[1] == min(losses)
    table = hubel("evaluate", run, data, *CPU, "--calibrate").out  # a second time changes nothing
    assert f"temperature {bundle.temperature:.4f}" in table
    honest = hubel("evaluate", run, data, *CPU, "--calibrate", "--split", "validation").out
    assert "measured on the pictures that it was fitted to" in honest


def test_the_classes_of_a_clinic(hubel: Hubel, trained: Path) -> None:
    outcome = hubel("evaluate", trained / "clinic", trained / "two", *CPU)
    assert "'ill' (" in outcome.out
    assert re.search(r"ROC AUC +[\d.]+ \(95 % interval [\d.]+ to [\d.]+\)", outcome.out)
    assert re.search(r"threshold +0\.5000 \(as given\)", outcome.out)
    assert re.search(r"sensitivity +[\d.]+ \(95 % interval [\d.]+ to [\d.]+\), \d+ of \d+", outcome.out)
    values = json.loads(hubel("evaluate", trained / "clinic", trained / "two", *CPU, "--json").out)
    matrix = np.array(values["confusion"])
    assert values["binary"]["sensitivity"] == matrix[1, 1] / matrix[1].sum()
    assert values["binary"]["specificity"] == matrix[0, 0] / matrix[0].sum()
    assert values["binary"]["positive_predictive_value"] == matrix[1, 1] / matrix[:, 1].sum()
    other = json.loads(
        hubel("evaluate", trained / "clinic", trained / "two", *CPU, "--positive", "healthy", "--json").out
    )
    assert other["binary"]["auc"] == pytest.approx(values["binary"]["auc"])


@pytest.mark.parametrize("rule", ["youden", "sensitivity=0.9", "specificity=0.9"])
def test_a_threshold_is_chosen_on_validation_pictures(hubel: Hubel, trained: Path, rule: str) -> None:
    run, data = trained / "clinic", trained / "two"
    values = json.loads(hubel("evaluate", run, data, *CPU, "--threshold", rule, "--json").out)["binary"]
    assert "the validation split of" in values["threshold_chosen_on"]
    assert hubel("evaluate", run, data, *CPU, "--split", "validation", "-o", "v.csv").status == 0
    rows = list(csv.DictReader(Path("v.csv").read_text().splitlines()))
    ill = np.array([row["label"] == "ill" for row in rows])
    sure = np.array([float(row["probability"]) for row in rows])
    scores = np.where([row["predicted"] == "ill" for row in rows], sure, 1 - sure)
    found, left = (scores >= values["threshold"])[ill].mean(), (scores < values["threshold"])[~ill].mean()
    if rule == "youden":
        fpr, tpr, _ = oracle.roc_curve(ill, scores)
        assert found + left - 1 == pytest.approx((tpr - fpr).max())
    elif rule == "sensitivity=0.9":
        assert found >= 0.9
        assert (scores[ill] > scores[scores >= values["threshold"]].min()).mean() < 0.9  # none higher would do
    else:
        assert left >= 0.9
        assert (scores[~ill] < scores[scores < values["threshold"]].max()).mean() < 0.9  # none lower would do


def test_another_data_set_is_measured_with_the_threshold_of_the_runs_own_validation(hubel: Hubel, runs: Path) -> None:
    write_pictures(runs / "elsewhere", {"ill": 150, "healthy": 105}, 12, seed=7)  # another order on disk
    outcome = hubel("evaluate", runs / "clinic", runs / "elsewhere", *CPU, "--threshold", "youden", "--json")
    assert outcome.status == 0, outcome.err
    values = json.loads(outcome.out)
    assert (values["images"], values["split"]) == (24, "all")
    assert f"the validation split of {runs}" not in values["binary"]["threshold_chosen_on"]  # config.yaml names the old
    assert "the validation split of" in values["binary"]["threshold_chosen_on"]
    shutil.rmtree(runs / "elsewhere" / "healthy")
    assert hubel("evaluate", runs / "clinic", runs / "elsewhere", *CPU).status == 0  # a class is missing
    check_refused(
        hubel("evaluate", runs / "clinic", runs / "elsewhere", *CPU, "--positive", "ill"),
        "12 of the measured pictures are of class 'ill' and 0 are not",
    )
    write_pictures(runs / "elsewhere" / "more", {"x": 100}, 1, seed=8)
    (runs / "elsewhere" / "more").rename(runs / "elsewhere" / "unclear")
    check_refused(hubel("evaluate", runs / "clinic", runs / "elsewhere", *CPU), "class 'unclear'", "does not know")


def test_a_threshold_from_a_named_folder(hubel: Hubel, runs: Path) -> None:
    write_pictures(runs / "chosen", {"healthy": 110, "ill": 145}, 15, seed=9)
    arguments = ("evaluate", runs / "clinic", runs / "two", *CPU, "--threshold", "youden", "--validation")
    values = json.loads(hubel(*arguments, runs / "chosen", "--json").out)["binary"]
    assert str(runs / "chosen") in values["threshold_chosen_on"]
    check_refused(hubel(*arguments, runs / "gone"), "gone does not exist")


def test_drawings_and_tables_are_written(hubel: Hubel, trained: Path) -> None:
    arguments = ("evaluate", trained / "one", trained / "three", *CPU, "--positive", "dark")
    outcome = hubel(*arguments, "--curves", "out.svg", "--calibration", "cal.png", "--json")
    assert outcome.status == 0, outcome.err
    ElementTree.parse("out.svg")
    with Image.open("cal.png") as image:
        assert min(image.size) > 300
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert (rows[0]["threshold"], rows[0]["sensitivity"], rows[0]["specificity"]) == ("inf", "0.000000", "1.000000")
    assert float(rows[-1]["sensitivity"]) == 1
    true, false = ([int(row[name]) for row in rows] for name in ("true_positives", "false_positives"))
    values = json.loads(outcome.out)["binary"]
    area = np.trapezoid(np.array(true) / values["positives"], np.array(false) / values["negatives"])
    assert area == pytest.approx(values["auc"])


def test_mistakes_are_told_in_one_line(hubel: Hubel, trained: Path) -> None:
    one, other, data = trained / "one", trained / "other", trained / "three"
    refused = {
        ("--tta", "ten-crops"): ("unknown test-time augmentation 'ten-crops'", "did you mean ten-crop"),
        ("--tta", "grid:99"): ("'grid:99': expected grid:N with N from 2 to 12",),
        ("--average", "logit"): ("unknown average 'logit'", "did you mean logits"),
        ("--compare",): ("--compare came with 1 model: expected at least two",),
        ("--positive", "drak"): ("unknown class 'drak'", "did you mean dark"),
        ("--threshold", "0.5"): ("a threshold is for one class: name it with --positive", "bright, dark, medium"),
        ("--positive", "dark", "--threshold", "yuden"): ("unknown threshold 'yuden'", "did you mean youden"),
        ("--positive", "dark", "--threshold", "1.5"): ("threshold is '1.5': expected a probability",),
        ("--positive", "dark", "--threshold", "sensitivity=2"): ("threshold is 'sensitivity=2'",),
        ("--curves", "out.svg"): ("--curves are of one class", "add --positive"),
        ("--calibration", "out.xyz"): ("'out.xyz' came for a picture", ".png, .svg or .pdf"),
        ("--calibrate", "--tta", "flip"): ("--calibrate came with --tta",),
        ("--positive", "dark", "--threshold", "youden", "--split", "validation"): (
            "of the measured pictures are among those that the threshold would be chosen on",
            "--validation FOLDER",
        ),
        ("--calibrate", "--split", "all"): ("that the temperature would be chosen on",),
    }
    for arguments, texts in refused.items():
        check_refused(hubel("evaluate", one, data, *CPU, *arguments), *texts)
    check_refused(hubel("evaluate", one, other, data, "--calibrate"), "a temperature belongs to one")
    clinic = trained / "clinic"
    for compare in ((), ("--compare",)):
        check_refused(hubel("evaluate", one, clinic, data, *compare), "the models' classes differ")
    check_refused(hubel("predict", one, clinic, data / "dark"), "the models' classes differ")
    check_refused(hubel("predict", one, other), "no images came")
    check_refused(hubel("predict", one, data, "--tta", "flop"), "did you mean flip")
    assert inspect_bundle(one).temperature == 1


def test_without_validation_pictures_nothing_is_chosen(hubel: Hubel, runs: Path) -> None:
    shutil.copy(runs / "clinic" / "best.safetensors", runs / "alone.safetensors")
    write_pictures(runs / "new", {"healthy": 110, "ill": 145}, 4, seed=11)
    for option in (("--threshold", "youden"), ("--calibrate",)):
        outcome = hubel("evaluate", runs / "alone.safetensors", runs / "new", *CPU, *option)
        check_refused(outcome, "there are no validation pictures to choose on", "--validation FOLDER")


def test_the_library_does_the_same(trained: Path) -> None:
    model = library.load(trained / "one", device="cpu")
    evaluation = library.evaluate(model, trained / "three", tta="flip", average="logits", positive="dark")
    assert evaluation.views is not None
    assert evaluation.binary is not None
    assert evaluation.binary.positive == "dark"
    result = model.predict(evaluation.samples[0].path, tta="flip", average="logits")
    assert result.probabilities == pytest.approx(evaluation.predictions[0], abs=1e-5)
    with pytest.raises(HubelError, match="did you mean ten-crop"):
        library.evaluate(model, trained / "three", tta="tencrop")


def test_the_copy_of_a_compressed_archive_is_told(hubel: Hubel, trained: Path, tmp_path: Path):
    shutil.make_archive(str(tmp_path / "three"), "gztar", trained / "three")
    said = hubel("evaluate", trained / "one", tmp_path / "three.tar.gz", "--split", "all", *CPU)
    assert said.status == 0, said.err
    assert "three.tar.gz is unpacked into the cache, once" in said.err
