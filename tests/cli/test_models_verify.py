"""`hubel models verify`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from hubel.cli.models import app
from hubel.models.published import PublishedFigure


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments], catch_exceptions=False)


def test_published_ours_difference_and_source_are_a_line():
    result = run("resnet18", "lenet5")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if "torchvision" in line and "11,689,512" in line]
    assert line.split()[:5] == ["parameters", "11,689,512", "11,689,512", "0", "holds"]
    assert "0 do not hold" in result.stdout


def test_what_differs_stays_in_sight_with_its_reason():
    result = run("resnet50")
    (line,) = [line for line in result.stdout.splitlines() if " 3.8 G " in line]
    assert "3,857,973,248" in line
    assert "+57,973,248" in line
    assert "differs" in line
    assert "no choice of stride and shortcut" in result.stdout
    assert result.exit_code == 0


def test_what_does_not_hold_is_exit_status_1(monkeypatch: pytest.MonkeyPatch):
    wrong = PublishedFigure(network="resnet18", quantity="parameters", printed="11,689,511", source="a test")
    monkeypatch.setattr("hubel.evaluation.verification.FIGURES", (wrong,))
    result = run("resnet18")
    assert result.exit_code == 1
    assert "does not hold" in result.stdout
    assert "1 do not hold" in result.stdout


def test_exit_status_reaches_the_shell():
    code = "import sys; sys.argv = ['hubel', 'models', 'verify', 'lenet5']\n"
    code += "import hubel.evaluation.verification as v; from dataclasses import replace\n"
    code += "v.FIGURES = tuple(replace(f, printed='1', reason='') for f in v.FIGURES if f.network == 'lenet5')\n"
    code += "from hubel.cli import main; main()"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 1


def test_json_has_every_figure_and_the_parity():
    pytest.importorskip("torchvision")
    shown = json.loads(run("resnet18", "--parity", "--json").stdout)
    assert sum(shown["counts"].values()) == len(shown["figures"])
    assert {row["network"] for row in shown["figures"]} == {"resnet18"}
    (twin,) = shown["parity"]
    assert (twin["library"], twin["twin"], twin["holds"]) == ("torchvision", "resnet18", True)
