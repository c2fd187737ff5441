"""Results of detection and localisation: as values, tables and COCO's JSON."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hubel.data.annotations import read_boxes_csv, read_coco
from hubel.files import write_json
from hubel.results import DetectedObject, DetectedObjects, Localization, coco_document

CLASSES = ("cat", "dog")
TWO = DetectedObjects(
    CLASSES,
    (DetectedObject("dog", (10.0, 20.5, 110.0, 90.123), 0.91), DetectedObject("cat", (0.0, 0.0, 30.0, 40.0), 0.5)),
    (100, 200),
    "pets/a.jpg",
)
NONE = DetectedObjects(CLASSES, (), (50, 60), "pets/b.jpg")
ONE = Localization(CLASSES, np.array([0.2, 0.8]), (1.0, 2.0, 30.0, 40.0), (100, 200), "pets/c.jpg")


def test_a_picture_tells_its_objects():
    assert TWO.counts() == {"dog": 1, "cat": 1}
    assert TWO.to_dict() == {
        "path": "pets/a.jpg",
        "width": 200,
        "height": 100,
        "objects": [
            {"label": "dog", "score": 0.91, "box": [10.0, 20.5, 110.0, 90.12]},
            {"label": "cat", "score": 0.5, "box": [0.0, 0.0, 30.0, 40.0]},
        ],
    }
    assert TWO.table_row(1) == {"picture": "pets/a.jpg", "objects": "1 dog, 1 cat", "surest": "dog 0.91, cat 0.50"}
    many = replace(TWO, objects=TWO.objects * 2)
    assert many.table_row(1)["surest"] == "dog 0.91, cat 0.50, dog 0.91, ... (1 more)"
    assert NONE.table_row(3) == {"picture": "pets/b.jpg", "objects": "–", "surest": ""}
    assert repr(TWO) == "DetectedObjects(1 dog, 1 cat, path='pets/a.jpg')"
    assert repr(NONE) == "DetectedObjects(nothing, path='pets/b.jpg')"


def test_the_one_object_of_a_picture():
    assert (ONE.label, ONE.probability) == ("dog", 0.8)
    assert ONE.objects == (DetectedObject("dog", (1.0, 2.0, 30.0, 40.0), 0.8),)
    assert ONE.table_row(1) == {"picture": "pets/c.jpg", "class": "dog", "probability": "0.8000", "box": "1, 2, 30, 40"}
    assert ONE.table_row(2)["then"] == "cat 0.200"
    assert ONE.to_dict(1)["probabilities"] == {"dog": 0.8}
    assert ONE.to_dict()["box"] == [1.0, 2.0, 30.0, 40.0]


def test_hubel_reads_the_rows_as_annotations(tmp_path: Path):
    rows = [row for result in (TWO, NONE, ONE) for row in result.csv_rows(1)]
    with (tmp_path / "found.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    read = read_boxes_csv(tmp_path / "found.csv")
    assert read.problems == ()
    assert [(picture.name, picture.size, len(picture.boxes)) for picture in read.pictures] == [
        ("pets/a.jpg", (200, 100), 2),
        ("pets/b.jpg", (60, 50), 0),
        ("pets/c.jpg", (200, 100), 1),
    ]
    assert read.pictures[0].boxes[0].box == pytest.approx((10, 20.5, 110, 90.12))


def test_cocos_document_is_read_by_its_own_tools_and_by_hubel(tmp_path: Path):
    from faster_coco_eval import COCO

    document = coco_document([TWO, NONE, ONE])
    assert document["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert document["images"][1] == {"id": 2, "file_name": "pets/b.jpg", "width": 60, "height": 50}
    assert document["annotations"][0] == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "bbox": [10.0, 20.5, 100.0, 69.62],
        "area": 6962.3,
        "iscrowd": 0,
        "score": 0.91,
    }
    write_json(tmp_path / "found.json", document)
    loaded = COCO(document)
    assert len(loaded.loadRes(document["annotations"]).getAnnIds()) == 3
    read = read_coco(tmp_path / "found.json")
    assert [len(picture.boxes) for picture in read.pictures] == [2, 0, 1]
    assert read.classes == CLASSES
    assert coco_document([]) == {"images": [], "categories": [], "annotations": []}
