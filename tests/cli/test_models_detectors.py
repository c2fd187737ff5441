"""`hubel models list` and `hubel models show` for detectors."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hubel.cli.models import app
from hubel.errors import ConfigError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_has_the_detectors_and_what_can_have_any_backbone():
    lines = run("list", "--task", "detection").splitlines()
    (line,) = [line for line in lines if line.split()[:1] == ["yolo_n"]]
    assert line.split()[1:3] == ["3×640×640", "2,267,264"]
    for family in ("faster_rcnn", "yolo_n", "yolo_l"):
        assert any(line.startswith(f"{family}/NAME is") for line in lines)


def test_show_is_a_line_per_part():
    lines = run("show", "yolo_n/resnet18", "--size", "64").splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ") and line.strip()}
    assert list(rows) == [
        "part",
        *(f"backbone.conv{number}" for number in range(1, 6)),
        "neck",
        *(f"heads.stride{stride}" for stride in (8, 16, 32)),
        "total",
    ]
    assert rows["backbone.conv1"][0] == f"{64 * 3 * 49 + 128:,}"
    shown = json.loads(run("show", "yolo_n/resnet18", "--size", "64", "--json"))
    assert sum(part["parameters"] for part in shown["parts"]) == shown["parameters"]
    assert sum(part["macs"] for part in shown["parts"]) == shown["macs"] > 0


def test_yolov1_has_one_size():
    assert json.loads(run("show", "yolov1", "--json"))["parameters"] == 271_703_550
    with pytest.raises(ConfigError, match=r"yolov1 does not take an input of 3×224×224: .*this network takes"):
        CliRunner().invoke(app, ["show", "yolov1", "--size", "224"], catch_exceptions=False)


def test_there_is_no_figure():
    with pytest.raises(ConfigError, match="--figure draws stages and a head, and yolo_n is more than these"):
        CliRunner().invoke(app, ["show", "yolo_n", "--figure", "out.svg"], catch_exceptions=False)


def test_show_says_at_which_size_the_published_figure_was_measured():
    text = " ".join(run("show", "faster_rcnn", "--size", "64").split())
    assert (
        "0.95 37.000 %, measured at a shorter side of 800 and a longer one of 1333 at most, here at 1088×1088, " in text
    )
