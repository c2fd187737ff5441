"""`hubel models list` and `show` of segmentation networks."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from hubel.cli.models import app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_has_networks_and_families():
    lines = run("list", "--task", "segmentation").splitlines()
    for name, parameters in {"unet": "31,030,658", "fcn8s": "134,382,239", "fcn_resnet50": "32,957,013"}.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert f" {parameters} " in line
    assert "unet/NAME is unet on a classification network: unet/resnet18, unet/timm/NAME" in lines


def test_show_is_the_papers_figure():
    text = run("show", "unet")
    (row,) = [line.split() for line in text.splitlines() if line.startswith("  up4")]
    assert " ".join(row).startswith("up4 transposed 2×2 512 /2, 3×3 512, 3×3 512 512×52×52 9,176,576 ")
    assert "Weight layers on the longest way: 23" in text
    (total,) = [line.split() for line in text.splitlines() if line.startswith("  total")]
    assert total[1] == "31,030,658"


def test_show_as_json():
    shown = json.loads(run("show", "unet/resnet20_cifar", "--json", "--size", "64"))
    assert [stage["name"] for stage in shown["stages"]] == ["conv1", "conv2", "conv3", "conv4", "up2", "up1", "head"]
    assert [stage["stride"] for stage in shown["stages"]] == [1, 1, 2, 4, 2, 1, None]
    assert shown["stages"][-1]["output_shape"] == [2, 64, 64]
    shown = json.loads(run("show", "fcn_resnet50", "--json", "--size", "65"))
    assert shown["auxiliary_parameters"] == 2_365_205
