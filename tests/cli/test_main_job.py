"""The main job through the command line: train, then use what came out."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.command_line import Outcome

import hubel as library
from hubel.bundle import inspect_bundle
from hubel.data.division.splits import DataSplits

Hubel = Callable[..., Outcome]

QUICK = ("--model", "resnet20_cifar", "--device", "cpu", "--epochs", "3", "--set", "batch_size=8")


@pytest.fixture
def trained(hubel: Hubel, coloured_squares: Path) -> tuple[Path, Path, Outcome]:
    """Pictures, the folder of a run on them, and what the command printed."""
    outcome = hubel("train", coloured_squares, *QUICK)
    assert outcome.status == 0, outcome.err
    return coloured_squares, Path("runs/squares").resolve(), outcome


def test_a_folder_of_pictures_becomes_a_run(trained: tuple[Path, Path, Outcome]) -> None:
    pictures, run, outcome = trained
    assert {path.name for path in run.iterdir()} == {
        *("best.safetensors", "config.yaml", "last.ckpt", "log.txt"),
        *("metrics.csv", "metrics.json", "report.html", "splits.csv"),
    }
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) == {
        *("train", "validation", "test", "seconds", "wait_share"),
        *("epochs", "best_epoch", "parameters", "device"),
    }
    assert (metrics["epochs"], metrics["device"], metrics["parameters"]) == (3, "cpu", 269_267)
    low, high = metrics["test"]["accuracy_ci95"]
    assert 0 <= low <= metrics["test"]["accuracy"] <= high <= 1
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    splits = DataSplits.from_csv((run / "splits.csv").read_text(), pictures)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 60
    assert metrics["test"]["images"] == len(splits.test)
    assert "test accuracy" in outcome.out
    assert "hubel predict runs/squares/best.safetensors" in outcome.out
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["data"]["path"] == str(pictures)
    assert config["phases"][0]["epochs"] == 3


def test_the_report_stands_alone(trained: tuple[Path, Path, Outcome]) -> None:
    page = (trained[1] / "report.html").read_text()
    for heading in ("Training", "Classes", "Confusion matrix", "Most confident mistakes", "Data", "Settings"):
        assert re.search(rf"<h2>{heading}", page), heading
    assert page.count("<svg") == 4
    assert page.count('src="data:image/jpeg;base64,') >= 3 * 6
    addresses = re.findall(r'(?:src|href|url)\s*[=(]\s*"?([^")\s>]+)', page)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "<script" not in page


def test_evaluate_on_the_training_folder_measures_its_test_split_and_agrees_with_the_run(
    trained: tuple[Path, Path, Outcome], hubel: Hubel
) -> None:
    pictures, run, _ = trained
    measured = json.loads((run / "metrics.json").read_text())["test"]
    outcome = hubel("evaluate", run, pictures, "--device", "cpu", "--json")
    values = json.loads(outcome.out)
    assert values["split"] == "test"
    assert {key: values[key] for key in measured} == measured
    table = hubel("evaluate", run, pictures, "--device", "cpu").out
    assert "held-out test split is measured" in table
    assert re.search(r"class +pictures +precision +95 % +recall +95 % +F1", table)
    assert "confusion matrix: rows are true, columns predicted" in table
    assert "top-5" not in table


def test_evaluate_never_counts_what_was_trained_on_unasked(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    generator = np.random.default_rng(9)
    for number in range(4):  # the folder has grown
        pixels = np.clip(np.array((200, 50, 50)) + generator.normal(0, 30, (40, 48, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(pictures / "red" / f"new{number}.png")
    splits = DataSplits.from_csv((run / "splits.csv").read_text(), pictures)
    values = json.loads(hubel("evaluate", run, pictures, "--device", "cpu", "--json").out)
    assert values["images"] == len(splits.test) + 4
    assert "left out" in values["notes"][0]
    everything = json.loads(hubel("evaluate", run, pictures, "--device", "cpu", "--json", "--split", "all").out)
    assert everything["images"] == 64


def test_several_models_are_averaged(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    twice = json.loads(hubel("evaluate", run, run, pictures, "--device", "cpu", "--json").out)
    once = json.loads(hubel("evaluate", run, pictures, "--device", "cpu", "--json").out)
    assert twice["loss"] == pytest.approx(once["loss"])
    assert twice["confusion"] == once["confusion"]


def test_predict_takes_files_folders_and_globs_and_writes_tables_csv_and_json(
    trained: tuple[Path, Path, Outcome], hubel: Hubel
) -> None:
    pictures, run, _ = trained
    file = pictures / "red" / "03.png"
    table = hubel("predict", run, file)
    assert table.status == 0
    assert re.search(r"picture +class +probability", table.out)
    rows = list(csv.DictReader(io.StringIO(hubel("predict", run, pictures / "blue", "--format", "csv").out)))
    assert [Path(row["path"]).name for row in rows] == [f"{n:02}.png" for n in range(20)]
    assert all(0 <= float(row["probability"]) <= 1 and row["label"] in ("blue", "green", "red") for row in rows)
    values = json.loads(hubel("predict", run, str(pictures / "*" / "1?.png"), "--json", "--top", "2").out)
    assert len(values) == 30
    assert all(len(value["probabilities"]) == 2 for value in values)
    written = hubel("predict", run, pictures, "-o", "predictions.csv")
    assert written.status == 0
    assert len(Path("predictions.csv").read_text().splitlines()) - 1 == 60


def test_predict_agrees_with_the_library(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    file = pictures / "green" / "07.png"
    model = library.load(run, device="cpu")
    one = model.predict(file)
    value = json.loads(hubel("predict", run, file, "--json").out)[0]
    assert (value["label"], value["probability"]) == (one.label, one.probability)
    assert model.predict([file])[0].probabilities.tolist() == one.probabilities.tolist()
    with Image.open(file) as image:
        assert model.predict(image).probabilities.tolist() == one.probabilities.tolist()


def test_predict_leaves_unreadable_pictures_out_and_names_them(
    trained: tuple[Path, Path, Outcome], hubel: Hubel
) -> None:
    pictures, run, _ = trained
    (pictures / "red" / "zero.png").write_bytes(b"")
    outcome = hubel("predict", run, pictures / "red", "--format", "csv")
    assert outcome.status == 0
    assert len(outcome.out.splitlines()) == 21
    assert f"left out {pictures}/red/zero.png: it has zero bytes\n" in outcome.err
    assert "left out, as they cannot be read: 1 of 21 pictures" in outcome.err
    none = hubel("predict", run, pictures / "red" / "zero.png")
    assert none.status == 2
    assert none.error.startswith("error: none of 1 picture can be read")


def test_a_second_run_never_touches_the_first(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert hubel("train", pictures, *QUICK, "--json").status == 0
    assert Path("runs/squares-2/metrics.json").is_file()
    refused = hubel("train", pictures, *QUICK, "--out", run)
    assert refused.status == 2
    assert "holds a run already: add --resume" in refused.error
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    # the same settings and seed are the same model, to the byte
    assert Path("runs/squares-2/best.safetensors").read_bytes() == before["best.safetensors"]


def test_the_configuration_repeats_the_run(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    _, run, _ = trained
    assert hubel("train", "--config", run / "config.yaml", "--out", "again").status == 0
    assert Path("again/best.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()
    shorter = hubel("train", "--config", run / "config.yaml", "--out", "shorter", "--epochs", "1")
    assert shorter.status == 0
    assert json.loads(Path("shorter/metrics.json").read_text())["epochs"] == 1


def test_resuming_a_finished_run_changes_nothing(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    before = (run / "best.safetensors").read_bytes()
    outcome = hubel("train", pictures, "--resume")
    assert outcome.status == 0
    assert "finished already" in outcome.err
    assert (run / "best.safetensors").read_bytes() == before
    renamed = run.rename(run.with_name("my squares"))
    outcome = hubel("train", "--out", renamed, "--resume")
    assert f"hubel predict '{renamed}/best.safetensors' PICTURES..." in outcome.out


def test_a_run_starts_from_another_runs_weights(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    pictures, run, _ = trained
    shutil.rmtree(pictures / "blue")
    outcome = hubel("train", pictures, *QUICK, "--weights", run / "best.safetensors", "--recipe", "head")
    assert outcome.status == 0, outcome.err
    assert "head replaced: 3 classes in the file, 2 wanted" in outcome.err
    first, second = inspect_bundle(run), inspect_bundle(Path("runs/squares-2"))
    assert second.classes == ("green", "red")
    assert second.preprocess == first.preprocess


def test_an_interrupted_run_names_the_way_on(hubel: Hubel, coloured_squares: Path) -> None:
    outcome = hubel("train", coloured_squares, "--resume")
    assert outcome.status == 2
    assert f"nothing to resume: there is no run of {coloured_squares} under runs/" in outcome.error
    refused = hubel("train", coloured_squares, "--resume", "--epochs", "3")
    assert refused.status == 2
    assert "--resume goes on with the run's own settings: leave out --epochs" in refused.error


def test_evaluate_on_a_few_other_pictures(trained: tuple[Path, Path, Outcome], hubel: Hubel) -> None:
    _, run, _ = trained
    for name, colour in {"blue": (40, 60, 200), "green": (50, 190, 70), "red": (200, 50, 50)}.items():
        Path("other", name).mkdir(parents=True)
        Image.new("RGB", (50, 50), colour).save(Path("other", name, "1.png"))
    values = json.loads(hubel("evaluate", run, "other", "--device", "cpu", "--json").out)
    assert (values["images"], values["split"]) == (3, "all")


def test_a_folder_with_train_alone_is_divided_as_training_did(hubel: Hubel, coloured_squares: Path) -> None:
    root = coloured_squares.parent / "alone"
    root.mkdir()
    coloured_squares.rename(root / "train")
    assert hubel("train", root, *QUICK, "--out", "run").status == 0
    measured = json.loads(Path("run/metrics.json").read_text())["test"]
    values = json.loads(hubel("evaluate", "run", root, "--device", "cpu", "--json").out)
    assert {key: values[key] for key in measured} == measured


def test_resuming_goes_by_the_data_and_not_by_its_name(
    trained: tuple[Path, Path, Outcome], hubel: Hubel, tmp_path: Path
) -> None:
    pictures, run, _ = trained
    other = Path(shutil.copytree(pictures, tmp_path / "elsewhere" / "squares"))
    outcome = hubel("train", other, "--resume")
    assert outcome.status == 2
    assert f"there is no run of {other} under runs/" in outcome.error
    outcome = hubel("train", other, "--out", run, "--resume")
    assert outcome.status == 2
    assert f"is of {pictures}, not of {other}" in outcome.error


def test_phases_written_by_hand_are_not_silently_dropped(hubel: Hubel, coloured_squares: Path) -> None:
    Path("mine.yaml").write_text(
        "model: {name: resnet20_cifar}\nbatch_size: 8\nphases: [{name: mine, epochs: 1, learning_rate: 0.01}]\n"
    )
    outcome = hubel("train", coloured_squares, "--config", "mine.yaml", "--epochs", "3")
    assert outcome.status == 2
    assert "epochs has no effect beside phases that are spelled out" in outcome.error
    arguments = ("--config", "mine.yaml", "--set", "optimizer.clip_norm=1", "--device", "cpu", "--out", "run")
    assert hubel("train", coloured_squares, *arguments).status == 0
    assert "mine" in Path("run/metrics.csv").read_text()
