"""`hubel models list` and `hubel models show`."""

from __future__ import annotations

import json

import pytest
from tests.models.facts import FACTS
from typer.testing import CliRunner

from hubel.cli.models import app
from hubel.errors import ConfigError
from hubel.models import list_models


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_is_a_line_per_network():
    lines = run("list").splitlines()
    for name in list_models():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert f"{FACTS[name].parameters:,}" in line
    assert "pip install 'hubel[timm]'" in lines[-1]


def test_list_as_json():
    rows = json.loads(run("list", "--json", "--task", "classification"))
    assert {row["name"]: row["parameters"] for row in rows} == {name: facts.parameters for name, facts in FACTS.items()}
    assert rows[0]["input_size"] == [1, 32, 32]


def test_show_is_a_line_per_stage():
    text = run("show", "resnet50")
    (conv4,) = [line.split() for line in text.splitlines() if line.startswith("  conv4")]
    assert conv4 == ["conv4", "1024×14×14", "7,098,368", "1,464,336,384", "2,157,568", "267×267", "16"]
    assert "total" in text
    assert "25,557,032" in text
    assert "4,089,184,256" in text
    assert "arXiv:1512.03385" in text


def test_show_as_json_has_stages_and_layers():
    shown = json.loads(run("show", "resnet18", "--size", "64", "--json"))
    assert shown["input_size"] == [3, 64, 64]
    assert [stage["stride"] for stage in shown["stages"]] == [2, 4, 8, 16, 32, None]
    assert sum(layer["macs"] for layer in shown["layers"]) == shown["macs"]
    assert shown["stages"][-2]["output_shape"] == [512, 2, 2]


def test_show_names_the_catalogues_weights():
    pytest.importorskip("timm")
    assert "--weights efficientnet-lite0 (ImageNet-1k, Apache-2.0," in run("show", "timm/tf_efficientnet_lite0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "resnet51"], "unknown model 'resnet51': did you mean resnet50"),
        (["show", "lenet5", "--size", "28"], r"lenet5 does not take an input of 1×28×28: .*takes \(N, 1, 32, 32\)"),
        (["list", "--task", "clasification"], "unknown task 'clasification': did you mean classification"),
    ],
)
def test_mistakes_are_said(arguments: list[str], message: str):
    with pytest.raises(ConfigError, match=message):
        run(*arguments)
