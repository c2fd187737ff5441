"""Drawn pictures: where they are written to, and captions for what is said of a whole picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubel.errors import ConfigError
from hubel.inference.drawn import draw_each, draw_result
from hubel.results import Classification, DetectedObject, DetectedObjects
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.detection import DetectionTask

TASK = DetectionTask(("cat", "dog"))


def found(path: Path) -> DetectedObjects:
    return DetectedObjects(TASK.classes, (DetectedObject("dog", (20, 20, 200, 200), 0.9),), (300, 400), str(path))


def write(folder: Path, *names: str) -> list[Path]:
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (400, 300), (200, 210, 220)).save(path)
        paths.append(path)
    return paths


def test_pictures_keep_their_names_and_folders_below_what_they_share(tmp_path: Path):
    paths = write(tmp_path / "in", "a/1.jpg", "b/1.jpg", "b/2.bmp", "b/2.png", "3.png")
    predicted = [(path, found(path)) for path in paths]
    assert list(draw_each(predicted, TASK, tmp_path / "out", paths)) == predicted
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"a/1.jpg", "b/1.jpg", "b/2.png", "b/2.png.png", "3.png"}
    with Image.open(tmp_path / "out" / "3.png") as drawn:
        assert (np.asarray(drawn)[100, 20] == (86, 180, 233)).all()
    with Image.open(tmp_path / "out" / "a" / "1.jpg") as drawn:
        assert drawn.format == "JPEG"


def test_pictures_are_never_drawn_over(tmp_path: Path):
    paths = write(tmp_path, "1.png", "2.png")
    with pytest.raises(ConfigError, match=r"--draw .* would replace .*1\.png itself: give another folder"):
        list(draw_each([(paths[0], found(paths[0]))], TASK, tmp_path, paths))
    with Image.open(paths[0]) as image:
        assert np.asarray(image).min() == 200


def test_what_is_said_of_a_whole_picture_is_a_caption():
    result = Classification(("cat", "dog"), np.array([0.1, 0.9]), "x.png")
    image = Image.new("RGB", (300, 300), (255, 255, 255))
    drawn = np.asarray(draw_result(ClassificationTask(("cat", "dog")), image, result))
    assert (drawn[1, 1] == (20, 20, 20)).all()
    assert (drawn[150:] == 255).all()
