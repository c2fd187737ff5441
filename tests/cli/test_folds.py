"""Cross-validation through the command line: `hubel train --folds`."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from tests.command_line import Outcome

import hubel as library
from hubel.data.division.splits import DataSplits
from hubel.errors import HubelError

Hubel = Callable[..., Outcome]
QUICK = ("--model", "lenet5_modern", "--device", "cpu", "--epochs", "2", "--set", "batch_size=8", "--set", "threads=1")


@pytest.fixture
def two_classes(coloured_squares: Path) -> Path:
    """20 green and 14 red pictures of 7 patients: blue ones go, and the files are named after patients."""
    for picture in (coloured_squares / "blue").iterdir():
        picture.unlink()
    (coloured_squares / "blue").rmdir()
    for name, count in {"green": 20, "red": 14}.items():
        for number in range(20):
            file = coloured_squares / name / f"{number:02}.png"
            if number < count:
                file.rename(file.with_name(f"patient{number % 7}_{number:02}.png"))
            else:
                file.unlink()
    return coloured_squares


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_picture_is_predicted_once_by_a_model_that_has_not_seen_it(hubel: Hubel, two_classes: Path) -> None:
    outcome = hubel("train", two_classes, *QUICK, "--folds", "3")
    assert outcome.status == 0, outcome.err
    run = Path("runs/squares")
    assert {path.name for path in run.iterdir()} == {
        *("config.yaml", "folds.json", "log.txt", "metrics.json", "out_of_fold.csv", "fold1", "fold2", "fold3"),
    }
    metrics, table = json.loads((run / "metrics.json").read_text()), rows(run / "out_of_fold.csv")
    assert sorted(row["path"] for row in table) == sorted(
        f"{file.parent.name}/{file.name}" for file in two_classes.rglob("*.png")
    )
    described = json.loads((run / "folds.json").read_text())
    assert {row["path"]: int(row["fold"]) for row in table} == described["fold_of"]
    assert [sum(counts.values()) for counts in described["pictures"].values()] == [12, 11, 11]
    for fold in (1, 2, 3):
        own = metrics["folds"][fold - 1]
        splits = DataSplits.from_csv((run / f"fold{fold}" / "splits.csv").read_text(), two_classes)
        held = [row for row in table if row["fold"] == str(fold)]
        assert sorted(s.name for s in splits.test) == sorted(row["path"] for row in held)
        assert len(splits.train) + len(splits.validation) + len(splits.test) == 34
        tested = json.loads((run / f"fold{fold}" / "metrics.json").read_text())["test"]
        assert own["accuracy"] == tested["accuracy"]  # the table is of the very models that were tested
        assert own["accuracy"] == np.mean([row["label"] == row["predicted"] for row in held])
        assert own["macro_f1"] == tested["macro_f1"]
    truth = np.array([row["label"] == "red" for row in table])
    score = np.array([float(row["probability red"]) for row in table])
    pooled = metrics["out_of_fold"]
    assert pooled["images"] == 34
    assert pooled["accuracy"] == np.mean([row["label"] == row["predicted"] for row in table])
    f1 = f1_score(truth, [row["predicted"] == "red" for row in table], average="macro")
    assert pooled["macro_f1"] == pytest.approx(f1)
    assert pooled["roc_auc"] == pytest.approx(roc_auc_score(truth, score), abs=1e-3)  # six digits in the table
    low, high = pooled["roc_auc_ci95"]
    assert low <= pooled["roc_auc"] <= high
    accuracies = [row["accuracy"] for row in metrics["folds"]]
    assert metrics["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert metrics["standard_deviation"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    for text in (
        r"fold +pictures +accuracy +macro F1 +ROC AUC",
        r"mean ± standard deviation",
        r"out of fold, 34 pictures",
    ):
        assert re.search(text, outcome.out), outcome.out

    config = run / "config.yaml"
    again = hubel("train", "--config", config, "--out", "again", "--json")
    assert again.status == 0, again.err
    assert (Path("again") / "out_of_fold.csv").read_text() == (run / "out_of_fold.csv").read_text()
    assert json.loads(again.out)["out_of_fold"] == pooled
    one = hubel("train", "--config", run / "fold2" / "config.yaml", "--out", "one")
    assert one.status == 0, one.err
    assert Path("one/best.safetensors").read_bytes() == (run / "fold2" / "best.safetensors").read_bytes()
    measured = hubel("evaluate", run / "fold2", two_classes, "--device", "cpu", "--json")
    own = json.loads(measured.out)
    assert (own["images"], own["split"]) == (11, "test")  # what it has not seen, and nothing else
    assert own["accuracy"] == metrics["folds"][1]["accuracy"]


@pytest.mark.parametrize("by", ["pattern", "table"])
def test_no_patient_is_on_both_sides(hubel: Hubel, two_classes: Path, tmp_path: Path, by: str) -> None:
    names = [f"{file.parent.name}/{file.name}" for file in sorted(two_classes.rglob("*.png"))]
    table = tmp_path / "groups.csv"
    table.write_text("path,group\n" + "".join(f"{name},{name.split('/')[1][:8]}\n" for name in names))
    rule = r"^(patient\d+)_" if by == "pattern" else table
    outcome = hubel("train", two_classes, *QUICK, "--folds", "3", "--group", rule)
    assert outcome.status == 0, outcome.err
    assert "dealt to 3 folds by the 7 groups' names" in outcome.err
    assert "intervals over 7 groups" in outcome.out
    run = Path("runs/squares")
    assert json.loads((run / "metrics.json").read_text())["out_of_fold"]["groups"] == 7
    for row in rows(run / "out_of_fold.csv"):
        assert row["group"] == row["path"].split("/")[1][:8]
    for fold in (1, 2, 3):
        splits = DataSplits.from_csv((run / f"fold{fold}" / "splits.csv").read_text(), two_classes)
        patients = [
            {s.name.split("/")[1][:8] for s in splits.split(split)} for split in ("train", "validation", "test")
        ]
        assert sum(map(len, patients)) == len(set().union(*patients)) == 7
    for option, count in (("test", len(splits.test)), ("validation", len(splits.validation))):
        measured = hubel("evaluate", run / "fold3", two_classes, "--device", "cpu", "--json", "--split", option)
        assert json.loads(measured.out)["images"] == count


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--folds", "15"), "class 'red' has 14 different pictures: 15 folds need at least 15 of each class"),
        (("--folds", "8", "--group", r"^(patient\d+)_"), "8 folds of 7 groups: a fold has at least one group"),
        (("--folds", "7", "--group", "^(patient[12])_"), "the pattern '^(patient[12])_' (data.group) does not match"),
        (("--folds", "3", "--group", "gone.csv"), "cannot read the table of groups"),
        (("--folds", "3", "--group", "("), "which is no regular expression"),
        (("--folds", "1"), "data.folds is 1: input should be greater than or equal to 2"),
        (("--folds", "3", "--set", "data.fold=4"), "data.fold is 4, data.folds 3: expected one of the folds"),
        (("--set", "data.fold=1"), "data.fold is 1, data.folds None: expected one of the folds"),
        (("--folds", "3", "--model", "lenet6"), "unknown model 'lenet6'"),
        (("--group", "^no"), "no group for 34 of 34 pictures"),
        (("--folds", "3", "--resume"), "--resume goes on with the run's own settings: leave out"),
    ],
)
def test_bad_input(hubel: Hubel, two_classes: Path, arguments: tuple[str, ...], text: str) -> None:
    options = () if "--resume" in arguments else QUICK
    outcome = hubel("train", two_classes, *options, *arguments)
    assert outcome.status == 2, outcome.err
    assert text in outcome.error
    assert "Traceback" not in outcome.err
    assert not Path("runs").exists()


def test_finished_folds_are_not_repeated(hubel: Hubel, two_classes: Path) -> None:
    assert hubel("train", two_classes, *QUICK, "--folds", "3", "--out", "whole").status == 0
    command = [sys.executable, "-m", "hubel", "train", str(two_classes), *QUICK, "--folds", "3", "--out", "run"]
    process = subprocess.Popen([*command, "--set", "checkpoint_seconds=0.001"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not Path("run/fold2/last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "go on with: hubel train --out run --resume" in said
    assert Path("run/fold1/metrics.json").exists()
    assert not Path("run/fold3").exists()
    before = Path("run/fold1/best.safetensors").stat().st_mtime_ns

    picture = next((two_classes / "red").iterdir())
    content = picture.read_bytes()
    picture.unlink()
    changed = hubel("train", "--out", "run", "--resume")
    assert changed.status == 2
    assert "have changed since the cross-validation began" in changed.error
    picture.write_bytes(content)
    with pytest.raises(HubelError, match=r"run holds a cross-validation: hubel.cross_validate goes on with it"):
        library.train(out="run", resume=True)

    resumed = hubel("train", "--out", "run", "--resume")
    assert resumed.status == 0, resumed.err
    assert Path("run/fold1/best.safetensors").stat().st_mtime_ns == before
    assert Path("run/out_of_fold.csv").read_text() == Path("whole/out_of_fold.csv").read_text()
    finished = hubel("train", "--out", "run", "--resume")
    assert finished.status == 0
    assert "finished already" in finished.err


def test_from_python(two_classes: Path, tmp_path: Path) -> None:
    done = library.cross_validate(
        two_classes, folds=2, model="lenet5_modern", epochs=1, out=tmp_path / "run", settings={"batch_size": 8}
    )
    assert done.dir == tmp_path / "run"
    assert done.metrics["out_of_fold"]["images"] == 34
    assert done.predictions.is_file()
    again = library.cross_validate(out=tmp_path / "run", resume=True)
    assert again.metrics == done.metrics
    with pytest.raises(HubelError, match="needs to know how many folds"):
        library.cross_validate(two_classes)
    with pytest.raises(HubelError, match=r"data.folds without data.fold asks for a cross-validation"):
        library.train(two_classes, settings={"data.folds": 3})
