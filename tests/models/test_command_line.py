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
    assert {line.split()[0] for line in lines if line.strip()} >= set(list_models())
    for name in list_models("classification"):
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert f" {FACTS[name].parameters:,} " in line
        if auxiliary := FACTS[name].aux_parameters:
            assert f"+ {auxiliary:,}" in line
    assert "pip install 'hubel[timm]'" in lines[-1]


def test_list_as_json():
    rows = json.loads(run("list", "--json", "--task", "classification"))
    assert {row["name"]: (row["parameters"], row["auxiliary_parameters"]) for row in rows} == {
        name: (facts.parameters, facts.aux_parameters) for name, facts in FACTS.items()
    }
    assert {row["name"]: row["input_size"] for row in rows}["lenet5"] == [1, 32, 32]


def test_show_is_a_line_per_stage():
    text = run("show", "resnet50")
    (conv4,) = [line.split() for line in text.splitlines() if line.startswith("  conv4")]
    assert " ".join(conv4) == (
        # 2,157,568 values of 4 bytes
        "conv4 6 × [1×1 256, 3×3 256, 1×1 1024] 1024×14×14 7,098,368 1,464,336,384 8.63 MB 267×267 16"
    )
    (total,) = [line.split() for line in text.splitlines() if line.startswith("  total")]
    assert total == ["total", "25,557,032", "4,089,184,256", "45.26", "MB"]
    assert "Weight layers on the longest way: 50" in text
    # four float32 values for each parameter, and the 53,120 running means and variances and 53 counters of steps
    assert f"AdamW keeps {(16 * 25_557_032 + 4 * 53_120 + 8 * 53) / 1e6:.2f} MB for parameters" in text
    assert "arXiv:1512.03385" in text


def test_show_on_a_narrow_terminal_has_the_layers_below_the_table(monkeypatch: pytest.MonkeyPatch):
    from rich.console import Console

    monkeypatch.setattr("hubel.cli.text.output", lambda: Console(width=100, markup=False, highlight=False))
    lines = run("show", "resnet18").splitlines()
    assert "  conv2: max pool 3×3 /2, 2 × [3×3 64, 3×3 64]" in lines
    assert max(map(len, lines)) <= 100


def test_show_tells_auxiliary_heads_apart():
    text = run("show", "googlenet")
    assert (
        "Auxiliary heads, for training alone: 6,379,728 parameters (behind inception4a and inception4d), 13,3" in text
    )
    (total,) = [line.split() for line in text.splitlines() if line.startswith("  total")]
    assert total[1] == "6,998,552"


def test_show_operations_is_a_line_per_layer():
    lines = [line.split() for line in run("show", "lenet5", "--ops").splitlines()]
    assert ["stages.c3.0", "PartialConvolution", "16×10×10", "1,516", "150,000", "45.7", "%", "1,600"] in lines


def test_show_as_json_has_stages_and_layers():
    shown = json.loads(run("show", "resnet18", "--size", "64", "--json"))
    assert shown["input_size"] == [3, 64, 64]
    assert [stage["stride"] for stage in shown["stages"]] == [2, 4, 8, 16, 32, None]
    assert sum(layer["macs"] for layer in shown["layers"]) == shown["macs"]
    assert shown["stages"][-2]["output_shape"] == [512, 2, 2]
    assert shown["stages"][-2]["layers"] == "2 × [3×3 512, 3×3 512]"
    assert shown["weight_layers"] == 18
    memory = shown["training_memory_bytes"]
    assert memory["total"] == memory["parameters"] + memory["gradients"] + memory["optimizer"] + memory["saved"]


def test_show_names_the_catalogues_weights():
    pytest.importorskip("timm")
    text = run("show", "timm/tf_efficientnet_lite0")
    assert "--weights efficientnet-lite0 (ImageNet-1k, at 224×224, Apache-2.0," in text


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


def test_show_operations_of_googlenet_has_the_inception_arithmetic():
    text = run("show", "googlenet", "--ops")
    together = [line.split()[-1] for line in text.splitlines() if line.startswith("  together")]
    # the naive module, behind reductions, (3b) as published; 120.4 M to 12.4 M
    assert together == ["854,196,224", "271,351,808", "304,267,264", "120,422,400", "12,443,648"]
    assert "together" not in run("show", "resnet18", "--ops")


def test_show_operations_as_json():
    shown = json.loads(run("show", "googlenet", "--ops", "--json"))
    assert shown["inception_arithmetic"][0]["macs"] == 25_690_112 + 346_816_512 + 481_689_600
    assert "inception_arithmetic" not in json.loads(run("show", "googlenet", "--json"))
