"""Planted defects in boxes and masks: each is found and named, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.places import SIZE, draw_places, write_coco, write_masks, write_voc

from hubel.data.division.splits import open_splits
from hubel.data.doctor.cleaning import clean, write_manifest
from hubel.data.doctor.diagnosis import Diagnosis, diagnose
from hubel.data.doctor.examination import examine
from hubel.data.doctor.findings import Finding
from hubel.data.doctor.page import write_page
from hubel.errors import DataError

COUNTS = {"train": 14, "val": 6}
# Small drawn pictures look alike, and every class is rare in so few of them: findings that these tests are not about.
PASSED_OVER = {"near_duplicates", "near_duplicates_across_splits", "rare_classes", "missing_classes"}
OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def examined(root: Path) -> tuple[Diagnosis, dict[str, Finding]]:
    diagnosis = diagnose(examine(root))
    return diagnosis, {each.kind: each for each in diagnosis.findings if each.kind not in PASSED_OVER}


def add(root: Path, number: int, *objects: tuple[object, ...]) -> None:
    file = root / "Annotations" / f"p{number:03}.xml"
    text = "".join(OBJECT.format(*each) for each in objects)
    file.write_text(file.read_text().replace("</annotation>", f"{text}</annotation>"))


def test_clean_boxes_and_masks_give_no_alarm(tmp_path: Path) -> None:
    for root in (write_voc(tmp_path / "boxes", COUNTS), write_coco(tmp_path / "coco", COUNTS)):
        assert examined(root)[1] == {}
    assert examined(write_masks(tmp_path / "masks", COUNTS))[1] == {}


def test_every_defect_of_boxes_is_named(tmp_path: Path) -> None:
    root = write_voc(tmp_path, COUNTS)
    add(root, 0, ("disc", 9, 9, 9, 9))
    add(root, 1, ("disc", 90, 9, 99, 19))
    add(root, 2, ("disc", 60, 9, 70, 19))
    add(root, 3, ("disc", 11, 11, 30, 30), ("disc", 11, 11, 30, 31))
    (root / "Annotations" / "p005.xml").write_text("<annotation>")
    empty = root / "Annotations" / "p006.xml"
    empty.write_text(empty.read_text().partition("<object>")[0] + "</annotation>")
    diagnosis, found = examined(root)
    assert {kind: len(finding.cases) for kind, finding in found.items()} == {
        "unreadable": 1,
        "annotations_malformed": 1,
        "annotations_no_area": 1,
        "annotations_outside": 1,
        "annotations_clipped": 1,
        "no_objects": 1,
        "marked_twice": 1,
    }
    assert found["unreadable"].cases[0].pictures[0].name == "JPEGImages/p005.png"
    assert "p000.xml, object" in found["annotations_no_area"].cases[0].remark
    assert found["no_objects"].cases[0].pictures[0].name == "JPEGImages/p006.png"
    assert (found["marked_twice"].cases[0].pictures[0].name, found["marked_twice"].cases[0].remark) == (
        "JPEGImages/p003.png",
        "disc 1",
    )
    write_page(tmp_path / "data.html", diagnosis)
    text = (tmp_path / "data.html").read_text()
    assert "<h2>Objects</h2>" in text
    assert "has no width or no height" in text


def test_objects_that_nothing_is_left_of(tmp_path: Path) -> None:
    file = write_coco(tmp_path, COUNTS) / "annotations" / "instances_train.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"][2] = 0.5
    file.write_text(json.dumps(content))
    finding = examined(tmp_path)[1]["tiny_objects"]
    assert [(case.pictures[0].name, case.remark) for case in finding.cases] == [
        ("images/train/0000.png", f"{draw_places(0)[1][0][0]} 1")
    ]


def test_figures_of_objects_are_those_of_the_drawn_ones(tmp_path: Path) -> None:
    diagnosis, _ = examined(write_voc(tmp_path, COUNTS))
    drawn = [(name, box) for number in range(14) for name, box in draw_places(number)[1]]
    for name in ("disc", "square"):
        sides = sorted(float(box[2] - box[0]) for other, box in drawn if other == name)
        figures = diagnosis.objects["train"][name]
        assert (figures["objects"], figures["small"], figures["large"]) == (len(sides), len(sides), 0)
        assert figures["side"] == {"least": sides[0], "median": np.median(sides), "greatest": sides[-1]}
        assert figures["pictures"] == sum(any(other == name for other, _ in draw_places(n)[1]) for n in range(14))
    assert diagnosis.to_dict()["objects"] == diagnosis.objects


def test_defects_of_masks_and_their_pixels(tmp_path: Path) -> None:
    root = write_masks(tmp_path, COUNTS)
    folder = root / "train" / "masks"
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(folder / "0000.png")
    Image.new("L", (3, 3)).save(folder / "0001.png")
    (folder / "0002.png").write_bytes(b"no picture")
    diagnosis, found = examined(root)
    assert {kind: [case.pictures[0].name for case in finding.cases] for kind, finding in found.items()} == {
        "empty_masks": ["train/images/0000.png", "train/images/0001.png"],
        "mask_sizes": ["train/images/0001.png"],
        "unreadable": ["train/images/0002.png"],
    }
    assert found["mask_sizes"].cases[0].remark == "64×48 pixels, its mask 3×3"
    masks = [draw_places(number)[2] for number in range(14, 20)]
    counts = np.bincount(np.stack(masks).reshape(-1), minlength=3)
    assert np.allclose(list(diagnosis.pixels["validation"].values()), counts / counts.sum())
    assert diagnosis.to_dict()["pixel_shares"] == diagnosis.pixels
    write_page(tmp_path / "data.html", diagnosis)
    assert "<h2>Pixels</h2>" in (tmp_path / "data.html").read_text()


def test_a_small_class_is_told_by_its_pixels(tmp_path: Path) -> None:
    root = write_masks(tmp_path, 6)
    for path in (root / "masks").iterdir():
        mask = np.zeros(SIZE, np.uint8)
        mask[0, :5] = 1
        Image.fromarray(mask).save(path)
    finding = examined(root)[1]["pixel_imbalance"]
    assert finding.title == "0 has 613 times as many pixels as 1 (99.8% and 0.16%)"


def test_a_cleaned_table_of_boxes_can_be_trained_on(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "set", COUNTS)
    add(root, 0, ("disc", 9, 9, 9, 9))
    empty = root / "Annotations" / "p006.xml"
    empty.write_text(empty.read_text().partition("<object>")[0] + "</annotation>")
    (root / "JPEGImages" / "p001.png").write_bytes(b"no picture")
    examination = examine(root)
    write_manifest(tmp_path / "cleaned.csv", examination, clean(examination))
    rows = list(csv.DictReader((tmp_path / "cleaned.csv").open(newline="")))
    assert {row["path"] for row in rows if not row["label"]} == {"set/JPEGImages/p006.png"}
    whole, cleaned = open_splits(root), open_splits(tmp_path / "cleaned.csv")
    before = {sample.digest: sample.label for sample in (*whole.train, *whole.validation)}
    after = {sample.digest: sample.label for sample in (*cleaned.train, *cleaned.validation)}
    assert after == before
    assert len(after) == 19
    assert not any("width or height" in note for note in cleaned.notes)


def test_masks_are_not_cleaned(tmp_path: Path) -> None:
    examination = examine(write_masks(tmp_path / "set", 6))
    with pytest.raises(DataError, match="--fix writes a table of labels, and masks are none"):
        write_manifest(tmp_path / "cleaned.csv", examination, clean(examination))


def test_bccd(shared: Path) -> None:
    _, found = examined(shared / "data" / "bccd")
    assert len(found["annotations_no_area"].cases) == 2
    assert len(found["marked_twice"].cases) == 7
