"""The example scripts do what the docs say of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_patches_of_blood(shared: Path, tmp_path: Path):
    result = run("blood_patches.py", shared / "data" / "bccd", tmp_path / "blood")
    assert result.returncode == 0, result.stderr
    counts = {"/".join(p.parts[-2:]): len(list(p.iterdir())) for p in (tmp_path / "blood").glob("*/*")}
    assert counts == {"first/none": 199, "first/platelet": 160, "second/none": 325, "second/platelet": 201}
    assert Image.open(tmp_path / "blood" / "second" / "none" / "BloodImage_00150_0.png").size == (96, 96)


def test_patches_of_blood_for_few_labels(shared: Path, tmp_path: Path):
    result = run("blood_patches.py", shared / "data" / "bccd", tmp_path / "blood", "--unlabelled", "2")
    assert result.returncode == 0, result.stderr
    photographs = {
        folder.name: {file.name.rpartition("_")[0] for file in folder.rglob("*.png")}
        for folder in (*(tmp_path / "blood" / "labelled").iterdir(), tmp_path / "blood" / "unlabelled")
    }
    assert {name: len(of_one) for name, of_one in photographs.items()} == {
        "train": 205,
        "validation": 87,
        "test": 72,
        "unlabelled": 205,
    }
    assert photographs["unlabelled"] == photographs["train"]  # no patch is of a photograph that measures
    assert not photographs["train"] & (photographs["validation"] | photographs["test"])
    assert len(list((tmp_path / "blood" / "unlabelled").iterdir())) == 410
    assert sum(1 for _ in (tmp_path / "blood" / "labelled").rglob("*.png")) == 199 + 160 + 325 + 201


def test_curves_of_two_runs(tmp_path: Path):
    for name, accuracy in {"plain": 0.5, "residual": 0.75}.items():
        (tmp_path / name).mkdir()
        rows = f"epoch,train_accuracy,validation_accuracy\n1,0.3,0.2\n2,{accuracy},0.4\n"
        (tmp_path / name / "metrics.csv").write_text(rows)
    result = run("curves.py", tmp_path / "plain", tmp_path / "residual", "--out", tmp_path / "curves.svg")
    assert "residual             training error  25.0 %, validation error  60.0 %" in result.stdout
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()


def test_curves_of_what_is_no_run(tmp_path: Path):
    result = run("curves.py", tmp_path)
    assert result.returncode == 1
    assert result.stderr == f"error: {tmp_path} is no run's folder: there is no metrics.csv in it\n"


def test_slices_of_membranes(shared: Path, tmp_path: Path):
    result = run("membranes.py", shared / "data" / "membrane", tmp_path / "membranes")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"21 train, 3 validation, 6 test slices in {tmp_path / 'membranes'}\n"
    slices = {int(path.stem) for path in (tmp_path / "membranes").glob("*/masks/*.png")}
    assert slices == set(range(30))
    assert Image.open(tmp_path / "membranes" / "test" / "images" / "29.png").size == (512, 512)
