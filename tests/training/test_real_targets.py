"""Several labels and a number on real pictures: which blood cells a patch shows, how much of a patch is membrane."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubel

SIDE = 64
CELLS = ("Platelets", "RBC", "WBC")


@pytest.fixture
def membranes(shared: Path, tmp_path: Path) -> Path:
    """A manifest of patches of electron-microscopy slices with the share of membrane in per cent; a group a slice."""
    root, rows = shared / "data" / "membrane", [("path", "value", "group")]
    for file in sorted((root / "images").iterdir()):
        image, mask = (np.asarray(Image.open(path).convert("L")) for path in (file, root / "masks" / file.name))
        for top in range(0, 512, SIDE):
            for left in range(0, 512, SIDE):
                place = (slice(top, top + SIDE), slice(left, left + SIDE))
                name = f"{file.stem}-{top}-{left}.png"
                Image.fromarray(image[place]).save(tmp_path / name)
                rows.append((name, f"{100 * (mask[place] < 128).mean():.2f}", file.stem))
    return write(tmp_path / "membranes.csv", rows)


@pytest.fixture
def cells(shared: Path, tmp_path: Path) -> Path:
    """A manifest of patches of blood smears with the kinds of cells whose boxes' middles they show; a group a smear."""
    root, rows = shared / "data" / "bccd", [("path", "labels", "group")]
    for file in sorted((root / "JPEGImages").iterdir())[:120]:
        found = ElementTree.parse(root / "Annotations" / f"{file.stem}.xml").getroot().iter("object")
        middles = [(item.findtext("name"), *middle(item.find("bndbox"))) for item in found]
        image = Image.open(file).convert("RGB")
        for top in range(0, 480, 160):
            for left in range(0, 640, 160):
                name = f"{file.stem}-{top}-{left}.png"
                image.resize((48, 48), box=(left, top, left + 160, top + 160)).save(tmp_path / name)
                shown = {kind for kind, x, y in middles if left <= x < left + 160 and top <= y < top + 160}
                rows.append((name, "|".join(sorted(shown)), file.stem))
    return write(tmp_path / "cells.csv", rows)


def middle(box: ElementTree.Element | None) -> tuple[float, float]:
    assert box is not None
    left, top, right, bottom = (float(box.findtext(end) or 0) for end in ("xmin", "ymin", "xmax", "ymax"))
    return (left + right) / 2, (top + bottom) / 2


def write(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_how_much_of_a_patch_is_membrane(membranes: Path, tmp_path: Path) -> None:
    settings = {"data.size": 32, "augment.preset": "light", "learning_rate": 0.003, "threads": 1}
    run = hubel.train(
        membranes, model="lenet5_modern", epochs=12, out=tmp_path / "run", settings=settings, device="cpu"
    )
    test = run.metrics["test"]
    mean, median = test["baselines"]
    assert test["images"] >= 64
    assert test["mae"] < 0.75 * min(mean["mae"], median["mae"])
    assert test["r2_ci95"][0] > 0.1
    slices = [{name.partition("-")[0] for name in names_of(run.dir, split)} for split in ("train", "test")]
    assert not slices[0] & slices[1]


def test_which_cells_a_patch_shows(cells: Path, tmp_path: Path) -> None:
    settings = {"data.size": 32, "augment.preset": "light", "learning_rate": 0.003, "threads": 1}
    settings |= {"model.in_channels": 3, "label_threshold": "f1"}
    run = hubel.train(cells, model="lenet5_modern", epochs=8, out=tmp_path / "run", settings=settings, device="cpu")
    test, guess = run.metrics["test"], run.metrics["test"]["baselines"][0]
    assert test["mean_average_precision_ci95"][0] > guess["mean_average_precision"] + 0.15
    measured = hubel.evaluate(run.bundle, cells, device="cpu")
    assert [scores.name for scores in measured.metrics.per_label] == list(CELLS)
    white = measured.metrics.per_label[2]
    assert white.average_precision > 0.6
    assert white.at_threshold.f1 > 0.5


def names_of(folder: Path, split: str) -> list[str]:
    rows = csv.DictReader((folder / "splits.csv").read_text().splitlines())
    return [row["name"] for row in rows if row["split"] == split]
