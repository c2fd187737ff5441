"""Masks through every verb: bright discs on dark ground, which a tiny network learns in seconds."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import Outcome

import hubel as library
from hubel.bundle import inspect_bundle
from hubel.results import Segmentation

Hubel = Callable[..., Outcome]

LEGEND = "background,0\ndisc,255\nignore,128\n"
ARGUMENTS = "model.arguments={width: 4, padded: true, batch_norm: true, dropout: 0.0}"
SETTINGS = ("--set", "data.size=48", "--set", "batch_size=4", "--set", "threads=1", "--set", "precision=float32")
QUICK = ("--model", "unet", "--set", ARGUMENTS, "--device", "cpu", "--epochs", 6, "--lr", "0.02", *SETTINGS)


def draw_discs(folder: Path, count: int, seed: int, size: tuple[int, int] = (60, 84)) -> None:
    """Grey pictures with a few discs, and masks with 255 within them and 128, which does not count, around them."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        distance = np.full(size, np.inf)
        for _ in range(3):
            y, x, radius = generator.uniform(0, size[0]), generator.uniform(0, size[1]), generator.uniform(6, 14)
            distance = np.minimum(distance, np.hypot(rows - y, columns - x) - radius)
        pixels = np.where(distance <= 0, 170, 70) + generator.normal(0, 20, size)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{number}.png")
        mask = np.select([distance <= 0, distance <= 1], [255, 128], 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    for seed, (split, count) in enumerate({"train": 16, "validation": 4, "test": 5}.items()):
        draw_discs(folder / split, count, seed)
    (folder / "legend.csv").write_text(LEGEND)
    return folder


@pytest.fixture(scope="module")
def run(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run; `hubel train` itself is tested below, on its folder."""
    out = tmp_path_factory.mktemp("run") / "run"
    settings = {
        **{"data.size": 48, "batch_size": 4, "threads": 1, "precision": "float32"},
        "model.arguments": {"width": 4, "padded": True, "batch_norm": True, "dropout": 0.0},
    }
    library.train(discs, model="unet", epochs=6, learning_rate=0.02, device="cpu", out=out, settings=settings)
    return out


def test_training_tells_measures_and_writes_all(run: Path):
    metrics = json.loads((run / "metrics.json").read_text())
    test = metrics["test"]
    assert test["images"] == 5
    assert test["mean_iou"] > 0.75
    assert test["mean_iou_ci95"][0] <= test["mean_iou"] <= test["mean_iou_ci95"][1]
    assert test["mean_iou"] > test["baselines"][0]["mean_iou"] + 0.2
    bundle = inspect_bundle(run)
    assert (bundle.task, bundle.classes) == ("segmentation", ("background", "disc"))
    assert bundle.preprocess.resize == "native"
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert {"train_loss", "train_pixel_accuracy", "validation_loss", "validation_mean_iou"} <= rows[0].keys()
    page = (run / "report.html").read_text()
    assert "Confusion of pixels (test)" in page
    assert '<span class="label"></span>' not in page  # pictures of no class of their own
    assert "errors" in page


def test_the_verb_trains_and_a_run_repeats(hubel: Hubel, discs: Path):
    first = hubel("train", discs, "--out", "a", *QUICK)
    assert first.status == 0, first.err
    assert "16 train, 4 validation, 5 test pictures with masks of 2 classes" in first.err
    assert "test mean IoU" in first.out
    assert "'background' everywhere, the most frequent class of the training pictures" in first.out
    again = hubel("train", "--config", "a/config.yaml", "--out", "b")
    assert again.status == 0, again.err
    assert (
        Path("a/metrics.json").read_text().partition('"seconds"')[0]
        == (Path("b/metrics.json").read_text().partition('"seconds"')[0])
    )


def test_evaluation_of_one_model_of_views_and_of_several(hubel: Hubel, discs: Path, run: Path):
    plain = hubel("evaluate", run, discs, "--json")
    assert plain.status == 0, plain.err
    measured = json.loads(plain.out)
    assert measured["mean_iou"] == pytest.approx(json.loads((run / "metrics.json").read_text())["test"]["mean_iou"])
    assert set(measured["per_class"]) == {"background", "disc"}
    assert measured["per_class"]["disc"]["dice"] > 0.7
    text = hubel("evaluate", run, discs, "--tta", "flip")
    assert "as background  as disc" in text.out
    assert "flip: the predictions of 2 views of each picture, averaged" in text.out
    assert "mean IoU (95 % interval" in text.out
    several = hubel("evaluate", run, run, discs, "--compare")
    assert several.status == 0, several.err
    assert "+0.0000 mean IoU" in several.out
    averaged = json.loads(hubel("evaluate", run, run, discs, "--json").out)
    assert averaged["mean_iou"] == pytest.approx(measured["mean_iou"], abs=1e-3)
    wrong = hubel("evaluate", run, discs, "--tta", "five-crop")
    assert wrong.status == 2
    assert "'five-crop' shows parts of a picture" in wrong.error


def test_prediction_writes_masks_drawings_and_areas(hubel: Hubel, discs: Path, run: Path):
    pictures = discs / "test" / "images"
    done = hubel("predict", run, pictures, "--output", "masks", "--draw", "drawn")
    assert done.status == 0, done.err
    assert sorted(path.name for path in Path("masks").iterdir()) == [f"{number}.png" for number in range(5)]
    mask = Image.open("masks/0.png")
    assert (mask.mode, mask.size) == ("P", (84, 60))
    truth = np.asarray(Image.open(discs / "test" / "masks" / "0.png"))
    right = (np.asarray(mask) == (truth == 255))[truth != 128]
    assert right.mean() > 0.85
    assert sorted(path.name for path in Path("drawn").iterdir()) == [f"{number}.png" for number in range(5)]
    same = hubel("predict", run, pictures, "--output", pictures)
    assert same.status == 2
    assert "would replace" in same.error
    named = hubel("predict", run, pictures / "0.png", "--output", "mask.png")
    assert named.status == 2
    assert "--output is mask.png: masks go into a folder, each called as its picture" in named.error
    told = json.loads(hubel("predict", run, pictures, "--json").out)
    assert len(told) == 5
    assert sum(area["share"] for area in told[0]["areas"].values()) == pytest.approx(1)
    rows = list(csv.DictReader(io.StringIO(hubel("predict", run, pictures, "--format", "csv").out)))
    assert float(rows[0]["share disc"]) == pytest.approx(told[0]["areas"]["disc"]["share"], abs=1e-6)
    assert "background" in hubel("predict", run, pictures).out


def test_a_set_with_masks_is_predicted_by_its_pictures(hubel: Hubel, discs: Path, run: Path):
    shutil.make_archive("test", "zip", discs / "test")
    for data in (discs / "test", "test.zip"):
        done = hubel("predict", run, data, "--json")
        assert done.status == 0, done.err
        assert [Path(each["path"]).parent.name for each in json.loads(done.out)] == ["images"] * 5
        assert "masks of pictures passed over: 5 (such as masks/0.png)" in done.err


def test_any_size_from_python(run: Path):
    model = library.load(run)
    result = model.predict(np.full((131, 50), 70, np.uint8))
    assert isinstance(result, Segmentation)
    assert result.mask.shape == (131, 50)
    assert result.shares["background"] > 0.9


def test_the_published_network_trains_and_predicts(hubel: Hubel, tmp_path: Path):
    """Valid convolutions: 188 pixels give 4, and whole pictures come back whole."""
    for seed, (split, count) in enumerate({"train": 2, "validation": 1, "test": 1}.items()):
        draw_discs(tmp_path / "data" / split, count, seed, size=(190, 200))
    (tmp_path / "data" / "legend.csv").write_text(LEGEND)
    valid = ("--model", "unet", "--set", "model.arguments={width: 1}", "--set", "data.size=204", "--epochs", 1)
    trained = hubel("train", tmp_path / "data", "--out", "run", *valid, "--set", "batch_size=2", "--set", "threads=1")
    assert trained.status == 0, trained.err
    assert "masks of 2 classes" in trained.err
    predicted = hubel("predict", "run", tmp_path / "data" / "test" / "images", "--output", "masks")
    assert predicted.status == 0, predicted.err
    assert Image.open("masks/0.png").size == (200, 190)


def test_settings_that_do_not_fit_are_told_before_the_run(hubel: Hubel, discs: Path):
    for setting, told in (
        ("segmentation.loss=dise", "there is no part 'dise'"),
        ("segmentation.los=dice", "unknown setting 'segmentation.los': did you mean segmentation.loss"),
        ("imbalance=weights", "imbalance=weights came, but the pictures have masks"),
        ("augment.mixup=0.2", "augment.mixup=0.2 came"),
    ):
        outcome = hubel("train", discs, "--out", "none", *QUICK, "--set", setting)
        assert outcome.status == 2
        assert told in outcome.error
    assert not Path("none").exists()


def test_masks_are_not_fixed_but_the_page_says_what_is_wrong(hubel: Hubel, tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", 6, 0)
    outcome = hubel("data", tmp_path / "data", "--fix")
    assert outcome.status == 2
    assert "masks are none: remove what is wrong yourself (the page names it)" in outcome.error
    assert (tmp_path / "data.html").is_file()
    assert not (tmp_path / "cleaned.csv").exists()
