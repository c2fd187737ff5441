"""Detection and localisation through the verbs, on a few pictures with coloured rectangles."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from hubel.bundle import Bundle, save_bundle
from hubel.data.annotations import read_boxes_csv
from hubel.models import build_model
from hubel.preprocessing import Preprocess

Hubel = Callable[..., Any]
COLOURS = {"blue": (40, 60, 220), "red": (220, 50, 40)}


def write_pictures(folder: Path, count: int, *, most: int = 3) -> Path:
    """Pictures of several shapes with rectangles, and their boxes in a CSV file; some pictures show nothing."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for number in range(count):
        width, height = (int(side) for side in generator.integers(60, 130, 2))
        image = Image.fromarray(generator.integers(90, 140, (height, width, 3), dtype=np.uint8))
        draw = ImageDraw.Draw(image)
        objects = 1 if most == 1 else int(generator.integers(0, most + 1))
        for _ in range(objects):
            name = ("blue", "red")[generator.integers(2)]
            x, y = (int(value) for value in generator.integers(0, 30, 2))
            box = (x, y, x + int(generator.integers(15, 28)), y + int(generator.integers(15, 28)))
            draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=COLOURS[name])
            rows.append((f"{number:02}.png", width, height, name, *box))
        if not objects:
            rows.append((f"{number:02}.png", width, height, "", "", "", "", ""))
        image.save(folder / f"{number:02}.png")
    with (folder / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "width", "height", "label", "x1", "y1", "x2", "y2"))
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that knows nothing, and so reports something in every picture."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("detector") / "best.safetensors"
    config = {"detection": {"least_score": 0.0, "most": 4}}
    bundle = Bundle("detection", "yolo_n", Preprocess(size=(64, 64), resize="fit"), ("blue", "red"), config=config)
    save_bundle(path, bundle, build_model("yolo_n", num_classes=2).state_dict())
    return path


def in_csv(text: str) -> Sequence[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_from_boxes_to_boxes(hubel: Hubel, tmp_path: Path):
    data = write_pictures(tmp_path / "data", 16)
    run = tmp_path / "run"
    settings = ("--epochs", 1, "--set", "data.size=64", "--set", "batch_size=4", "--out", run)
    outcome = hubel("train", data, "--model", "yolo_n", *settings)
    assert outcome.status == 0, outcome.err
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"map50", "map50_ci95", "map", "map75", "recall100", "map_small"} <= metrics["test"].keys()
    page = (run / "report.html").read_text()
    assert "mAP at IoU 0.5" in page
    assert "truth: " in page
    outcome = hubel("evaluate", run, data, "--split", "all", "--json")
    assert outcome.status == 0, outcome.err
    figures = json.loads(outcome.out)
    assert figures["images"] == 16
    assert figures["per_class"].keys() == {"blue", "red"}
    assert figures["baselines"][0]["name"].startswith("each class's mean box")
    outcome = hubel("evaluate", run, data, "--split", "all", "--tta", "flip")
    assert outcome.status == 0, outcome.err
    assert "AP at IoU 0.5" in outcome.out


def test_one_object_a_picture(hubel: Hubel, tmp_path: Path):
    data = write_pictures(tmp_path / "data", 16, most=1)
    run = tmp_path / "run"
    settings = ("--epochs", 1, "--set", "data.size=64", "--set", "batch_size=4", "--out", run)
    outcome = hubel("train", data, "--model", "localizer/resnet18", *settings)
    assert outcome.status == 0, outcome.err
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"localization_accuracy", "accuracy", "mean_iou"} <= metrics["test"].keys()
    outcome = hubel("predict", run, data / "00.png", "--format", "csv")
    (row,) = in_csv(outcome.out)
    assert row["label"] in COLOURS
    assert float(row["x2"]) <= float(row["width"])


def test_results_in_every_form(hubel: Hubel, tmp_path: Path, detector: Path):
    data = write_pictures(tmp_path / "data", 3)
    outcome = hubel("predict", detector, data, "--format", "csv", "-o", tmp_path / "found.csv")
    assert outcome.status == 0, outcome.err
    read = read_boxes_csv(tmp_path / "found.csv")
    assert [Path(picture.name).name for picture in read.pictures] == ["00.png", "01.png", "02.png"]
    assert not read.problems
    document = json.loads(hubel("predict", detector, data, "--json").out)
    assert [Path(image["file_name"]).name for image in document["images"]] == ["00.png", "01.png", "02.png"]
    assert [category["name"] for category in document["categories"]] == ["blue", "red"]
    assert len(document["annotations"]) == sum(len(picture.boxes) for picture in read.pictures) > 0
    for annotation in document["annotations"]:
        image = document["images"][annotation["image_id"] - 1]
        x, y, width, height = annotation["bbox"]
        assert 0 <= x < x + width <= image["width"] + 0.01
        assert 0 <= y < y + height <= image["height"] + 0.01
    assert json.loads(hubel("predict", detector, data, "--json", "--least-score", 0.999).out)["annotations"] == []
    table = hubel("predict", detector, data, "--draw", tmp_path / "drawn")
    assert "surest" in table.out
    assert "3 drawn pictures in" in table.err
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["00.png", "01.png", "02.png"]


def write_film(path: Path) -> Path:
    """A film of four frames."""
    av = pytest.importorskip("av", reason="films need PyAV")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(4):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (320, 240), (60 * number, 99, 40)))))
        container.mux(stream.encode(None))
    return path


def test_a_film(hubel: Hubel, tmp_path: Path, detector: Path):
    write_film(tmp_path / "film.mp4")
    outcome = hubel("predict", detector, tmp_path / "film.mp4")
    assert outcome.status == 0, outcome.err
    assert "4 frames in" in outcome.out
    assert "a second (decoding alone" in outcome.out
    assert len((tmp_path / "film.predicted.jsonl").read_text().splitlines()) == 4
    assert (tmp_path / "film.predicted.mp4").stat().st_size > 1000
    outcome = hubel("predict", detector, tmp_path / "film.mp4", "-o", tmp_path / "out.json")
    assert outcome.status == 2
    assert "--output is for pictures" in outcome.error
    outcome = hubel("predict", detector, tmp_path / "film.mp4", "--json")
    assert outcome.status == 2
    assert "--format json is for pictures: what is predicted of a film goes beside it" in outcome.error
    outcome = hubel("predict", detector, tmp_path / "film.mp4", "--anomaly")
    assert outcome.status == 2
    assert "--anomaly is for pictures: a film keeps its order" in outcome.error


def test_films_in_a_folder_are_told_of_and_predicted_by_a_pattern(hubel: Hubel, tmp_path: Path, detector: Path):
    for name in ("a.mp4", "more/b.MP4"):
        write_film(tmp_path / "seen" / name)
    alone = hubel("predict", detector, "seen")
    assert alone.status == 2
    assert "films passed over: 2 (2 .mp4); to predict them, name them, as 'seen/**/*.mp4' does" in alone.err
    assert "folder seen has no images" in alone.error
    for _ in range(2):  # what was drawn is no film to predict
        outcome = hubel("predict", detector, "seen/**/*.mp4")
        assert outcome.status == 0, outcome.err
        assert [line.partition(":")[0] for line in outcome.out.splitlines()] == ["seen/a.mp4", "seen/more/b.MP4"]
    for missing, message in {"gone.mp4": "no film at gone.mp4", "gone/*.mp4": "no film matches gone/*.mp4"}.items():
        refused = hubel("predict", detector, "seen/a.mp4", missing)
        assert (refused.status, refused.out) == (2, "")
        assert message in refused.error


def test_a_broken_film_is_left_out_as_an_unreadable_picture_is(hubel: Hubel, tmp_path: Path, detector: Path):
    broken, whole = tmp_path / "broken.mp4", write_film(tmp_path / "whole.mp4")
    broken.write_text("this is no film")
    picture = tmp_path / "picture.png"
    picture.write_text("this is no picture")
    outcome = hubel("predict", detector, broken, whole)
    assert outcome.status == 0, outcome.err
    assert f"left out: cannot read the film {broken}: " in outcome.err
    assert "left out, as they cannot be read: 1 of 2 films" in outcome.err
    assert outcome.out.startswith(f"{whole}: 4 frames in")
    mixed = hubel("predict", detector, whole, picture)
    assert mixed.status == 0, mixed.err
    assert "none of 1 picture can be read: expected JPEG" in mixed.err
    nothing = hubel("predict", detector, broken)
    assert nothing.status == 2
    assert "none of 1 film can be read: expected films such as MP4, MOV or MKV" in nothing.error
    neither = hubel("predict", detector, broken, picture)
    assert neither.status == 2
    assert "none of 1 picture can be read" in neither.error
    good = tmp_path / "good.png"
    Image.new("RGB", (80, 60)).save(good)
    rest = hubel("predict", detector, broken, good)
    assert rest.status == 0, rest.err
    assert "good.png" in rest.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tta", "ten-crop"], "'ten-crop' shows parts of a picture, but boxes are looked for in all of it: expected"),
        (["--draw", "DATA"], "itself: give another folder"),
        (["--output", "DATA"], "expected a file, such as"),
        (["--least-score", "2"], "Invalid value for '--least-score'"),
    ],
)
def test_what_makes_no_sense(hubel: Hubel, tmp_path: Path, detector: Path, options: list[str], message: str):
    data = write_pictures(tmp_path / "data", 1)
    outcome = hubel("predict", detector, data, *[str(data) if option == "DATA" else option for option in options])
    assert outcome.status == 2
    assert message in outcome.err


def test_a_least_score_is_for_detection(hubel: Hubel, tmp_path: Path):
    path = tmp_path / "best.safetensors"
    bundle = Bundle("classification", "simple_cnn", Preprocess(size=(28, 28), resize_to=32), ("blue", "red"))
    save_bundle(path, bundle, build_model("simple_cnn", num_classes=2, in_channels=3).state_dict())
    data = write_pictures(tmp_path / "data", 2)
    outcome = hubel("predict", path, data, "--least-score", 0.5)
    assert outcome.status == 2
    assert outcome.error == "error: --least-score came, but the model is for classification: it is for detection"
    outcome = hubel("predict", path, data, "--draw", tmp_path / "drawn")
    assert outcome.status == 0, outcome.err
    assert len(list((tmp_path / "drawn").iterdir())) == 2


def test_a_classifier_slides_over_pictures(hubel: Hubel, tmp_path: Path):
    path = tmp_path / "best.safetensors"
    bundle = Bundle("classification", "simple_cnn", Preprocess(size=(28, 28), resize_to=28), ("blue", "red"))
    save_bundle(path, bundle, build_model("simple_cnn", num_classes=2, in_channels=3).state_dict())
    data = write_pictures(tmp_path / "data", 2)
    outcome = hubel("predict", path, data, "--sliding-windows", "28,40", "--step", 1, "--least-score", 0, "--json")
    assert outcome.status == 0, outcome.err
    assert "no class for windows without an object" in outcome.err
    assert len(json.loads(outcome.out)["annotations"]) > 2
    outcome = hubel("predict", path, data, "--sliding-windows", "28,wide")
    assert outcome.status == 2
    assert outcome.error == "error: --sliding-windows is '28,wide': expected sides in pixels, such as 96,128"
