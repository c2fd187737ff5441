from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.data.places import write_voc

Hubel = Callable[..., Any]


@pytest.fixture
def defective(coloured_squares: Path) -> Path:
    """Class folders of noisy squares in which a file is cut off, one is there twice, and one has the wrong label."""
    content = (coloured_squares / "red" / "00.png").read_bytes()
    (coloured_squares / "red" / "cut.png").write_bytes(content[:500])
    shutil.copy(coloured_squares / "red" / "01.png", coloured_squares / "red" / "twice.png")
    shutil.copy(coloured_squares / "red" / "02.png", coloured_squares / "blue" / "wrong.png")
    return coloured_squares


def test_the_findings_are_printed_the_worst_first(hubel: Hubel, defective: Path) -> None:
    outcome = hubel("data", defective)
    assert outcome.status == 0
    assert "63 pictures, 1 cannot be read" in outcome.out
    titles = [line for line in outcome.out.splitlines() if line.startswith(("problem", "warning", "note"))]
    assert titles == [
        "problem  1 picture with copies under another label",
        "problem  1 picture cannot be read",
        "warning  1 picture with identical copies in the data set",
    ]
    assert "- red/cut.png (red): it is truncated" in outcome.out
    assert outcome.out.splitlines()[-1] == "page     data.html"


def test_json_has_all_of_it(hubel: Hubel, defective: Path, tmp_path: Path) -> None:
    outcome = hubel("data", defective, "--json", "--out", tmp_path / "out")
    values = json.loads(outcome.out)
    assert values["counts"] == {"all": {"blue": 21, "green": 20, "red": 21}}
    assert (values["pictures"], values["readable"]) == (63, 62)
    assert values["sizes"]["width"] == {"least": 48, "median": 48, "greatest": 48}
    assert values["page"] == str(tmp_path / "out" / "data.html")
    unreadable = next(finding for finding in values["findings"] if finding["kind"] == "unreadable")
    assert unreadable["cases"] == [{"pictures": ["red/cut.png"], "remark": "it is truncated"}]


def test_the_page_opens_without_a_network_and_shows_the_pairs(hubel: Hubel, defective: Path, tmp_path: Path) -> None:
    hubel("data", defective)
    page = (tmp_path / "data.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count('src="data:image/jpeg;base64,') > 4
    for name in ("blue/wrong.png", "red/02.png", "red/twice.png", "red/cut.png"):
        assert name in page
    assert "48 to 48, median 48 pixels" in page


def test_pages_without_classes_show_pictures(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    rows = "".join(f"squares/red/{number:02}.png,{20 - number}\n" for number in range(20))
    (tmp_path / "ages.csv").write_text(f"path,value\n{rows}")
    assert hubel("data", "ages.csv").status == 0
    page = (tmp_path / "data.html").read_text()
    assert "Some pictures, from the least number to the greatest" in page
    assert "1.0 to 8.0</span>" in page
    assert page.count('<img src="data:image/jpeg;base64,') == 20
    assert hubel("data", coloured_squares / "red", "--task", "generation", "--out", "plain").status == 0
    page = (tmp_path / "plain" / "data.html").read_text()
    assert "<span>labels</span><b>none</b>" in page
    assert page.count('<img src="data:image/jpeg;base64,') == 20


def test_a_clean_set(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    outcome = hubel("data", coloured_squares)
    assert "nothing is wrong with this data set" in outcome.out
    assert "Nothing is wrong with this data set" in (tmp_path / "data.html").read_text()


def test_a_cleaned_manifest_can_be_examined_and_trained_on(hubel: Hubel, defective: Path, tmp_path: Path) -> None:
    outcome = hubel("data", defective, "--fix")
    assert "cleaned.csv: left in: 59 pictures; left out: 4 (" in outcome.out
    with (tmp_path / "cleaned.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"path": "squares/blue/00.png", "label": "blue"}
    again = hubel("data", "cleaned.csv", "--json", "--out", "again")
    assert json.loads(again.out)["findings"] == []


def test_an_archive_is_examined_and_cleaned_as_a_folder_is(hubel: Hubel, defective: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "squares.zip", "w") as archive:
        for path in defective.rglob("*.png"):
            archive.write(path, path.relative_to(defective))
    kinds = {f["kind"] for f in json.loads(hubel("data", "squares.zip", "--json").out)["findings"]}
    assert kinds == {"contradicting_labels", "unreadable", "duplicates"}
    outcome = hubel("data", "squares.zip", "--fix")
    assert "cleaned.csv: left in: 59 pictures; left out: 4 (" in outcome.out
    with (tmp_path / "cleaned.csv").open(newline="") as file:
        assert next(csv.DictReader(file)) == {"path": "squares.zip/blue/00.png", "label": "blue"}
    assert json.loads(hubel("data", "cleaned.csv", "--json", "--out", "again").out)["findings"] == []


def test_odd_files_on_the_page(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    Image.new("RGB", (60, 60), "white").save(coloured_squares / "red" / "[bold]<b>&.png")
    outcome = hubel("data", coloured_squares)
    assert "[bold]<b>&.png" in outcome.out
    assert "[bold]&lt;b&gt;&amp;.png" in (tmp_path / "data.html").read_text()


def test_all_pictures_unreadable(hubel: Hubel, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.jpg").write_text(name)
    outcome = hubel("data", "set")
    assert outcome.status == 0
    assert "2 pictures, 2 cannot be read" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere does not exist: expected a folder"),
        (("squares", "--group", "("), "data.group is '(', which is no regular expression"),
        (("squares", "--group", "missing.csv"), "cannot read the table of groups missing.csv"),
        (("squares", "--weights", "imagenet"), "--weights imagenet are of a network: say of which with --model"),
        (("squares", "--model", "nothing.safetensors"), "nothing.safetensors"),
        (("squares", "--out", "squares/red/00.png"), "cannot write squares/red/00.png/data.html"),
    ],
)
def test_mistakes_are_told_in_a_line(
    hubel: Hubel, coloured_squares: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = hubel("data", *arguments)
    assert outcome.status == 2
    assert message in outcome.error
    assert "Traceback" not in outcome.err


def test_boxes_are_counted_and_what_is_wrong_with_them_is_told(hubel: Hubel, tmp_path: Path) -> None:
    root = write_voc(tmp_path / "set", {"train": 8, "val": 4}, masks=True)
    (root / "Annotations" / "p000.xml").write_text("<annotation>")
    outcome = hubel("data", root, "--json")
    found = json.loads(outcome.out)
    assert (outcome.status, found["labelling"], found["readable"]) == (0, "boxes", 11)
    assert found["objects"]["train"]["disc"]["objects"] + found["objects"]["train"]["square"]["objects"] > 7
    assert {"unreadable", "annotations_malformed"} <= {finding["kind"] for finding in found["findings"]}
    printed = hubel("data", root).out
    assert "- " + str(root / "Annotations" / "p000.xml") + ": no XML" in printed
    assert "median side" in printed
    masks = hubel("data", root, "--task", "segmentation").out
    assert "12 pictures\n" in masks
    assert "pixels" in masks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "segmentatoin"), "unknown task 'segmentatoin': did you mean segmentation?"),
        (("--task", "segmentation"), "has boxes for each picture, and this task expects a mask"),
        ((), "can be used (such as JPEGImages/p000.png: its annotations Annotations/p000.xml: no XML"),
    ],
)
def test_boxes_that_cannot_be_used_end_in_one_line(
    hubel: Hubel, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    root = write_voc(tmp_path / "set", {"train": 2, "val": 1})
    for file in (root / "Annotations").iterdir():
        file.write_text("<annotation>" if not arguments else file.read_text())
    outcome = hubel("data", root, *arguments)
    if arguments:
        assert outcome.status == 2
        assert message in outcome.err
        assert len(outcome.err.strip().splitlines()) == 1
    else:
        outcome = hubel("train", root, "--out", tmp_path / "run")
        assert outcome.status == 2
        assert message in outcome.err
        assert "Traceback" not in outcome.err
