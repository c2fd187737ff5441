"""`hubel probe` from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import Outcome

Hubel = Callable[..., Outcome]
QUICK = ("--model", "resnet20_cifar", "--device", "cpu", "--set", "data.size=32", "--set", "threads=1")


def test_accuracy_by_depth_with_a_recommendation(hubel: Hubel, coloured_squares: Path) -> None:
    outcome = hubel("probe", coloured_squares, *QUICK, "--plot", "depth.svg")
    assert outcome.status == 0, outcome.err
    assert "training pictures of 3 classes" in outcome.out
    for stage in ("conv1", "conv2", "conv3", "conv4"):
        assert f"\n{stage} " in outcome.out
    assert "full: train every stage (recipe scratch)\n  because the weights are random" in outcome.out
    assert "picture  depth.svg" in outcome.out
    assert "</svg>" in Path("depth.svg").read_text()
    assert not Path("runs").exists()


def test_json_has_all_of_it(hubel: Hubel, coloured_squares: Path) -> None:
    values = json.loads(hubel("probe", coloured_squares, *QUICK, "--json").out)
    assert [row["stage"] for row in values["stages"]] == ["conv1", "conv2", "conv3", "conv4"]
    for row in values["stages"]:
        low, high = row["accuracy_ci95"]
        assert 0 <= low <= row["accuracy"] <= high <= 1
    # The colours are plain to see; a probe on random features sees them, too.
    assert max(row["accuracy"] for row in values["stages"]) > 0.9
    assert sum(values["pictures_per_class"].values()) == values["pictures"] < 60  # validation and test are not in it
    assert values["recommendation"]["recipe"] == "scratch"


def test_the_test_split_is_never_touched(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    for split, numbers in {"train": range(12), "validation": range(12, 16), "test": range(16, 20)}.items():
        for name in ("blue", "green", "red"):
            (given / split / name).mkdir(parents=True)
            for number in numbers:
                shutil.copy(coloured_squares / name / f"{number:02}.png", given / split / name)
    before = json.loads(hubel("probe", given, *QUICK, "--json").out)
    assert before["pictures"] == 36
    for name, other in {"blue": "green", "green": "red", "red": "blue"}.items():  # labels turn round
        (given / "test" / name).rename(given / "test" / f"_{other}")
    for name in ("blue", "green", "red"):
        (given / "test" / f"_{name}").rename(given / "test" / name)
    after = json.loads(hubel("probe", given, *QUICK, "--json").out)
    assert {**after, "seconds": None} == {**before, "seconds": None}


def test_a_probe_of_two_pictures(hubel: Hubel, coloured_squares: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    for split, number in {"train": 0, "validation": 1}.items():
        for name in ("blue", "red"):
            (given / split / name).mkdir(parents=True)
            shutil.copy(coloured_squares / name / f"{number:02}.png", given / split / name)
    outcome = hubel("probe", given, *QUICK)
    assert outcome.status == 2
    assert outcome.error.startswith("error: a probe needs two different training pictures of every class")
    assert "class 'blue' has 1; add some" in outcome.error
    assert "Traceback" not in outcome.err


def test_one_class(hubel: Hubel, coloured_squares: Path) -> None:
    shutil.rmtree(coloured_squares / "blue")
    shutil.rmtree(coloured_squares / "green")
    outcome = hubel("probe", coloured_squares, *QUICK)
    assert outcome.status == 2
    assert "has one class only, 'red': expected at least two" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--plot", "depth.gif"), "'depth.gif' came for a picture: expected a name that ends in .png, .svg or .pdf"),
        (("--set", "data.sise=32"), "unknown setting 'data.sise': did you mean data.size"),
        (("--weights", "nowhere.pth"), "nowhere.pth"),
    ],
)
def test_other_mistakes(hubel: Hubel, coloured_squares: Path, arguments: tuple[str, ...], text: str) -> None:
    outcome = hubel("probe", coloured_squares, *QUICK, *arguments)
    assert outcome.status == 2
    assert text in outcome.error
    assert "Traceback" not in outcome.err
