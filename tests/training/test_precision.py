"""Which numbers a run computes in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

import hubel
from hubel.models import build_model
from hubel.training import precision
from hubel.training.precision import choose_precision

CPU = torch.device("cpu")


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda: True)


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("resnet18", 224, "bfloat16"),
        ("resnet18", 32, "float32"),  # too little to multiply
        ("lenet5", 32, "float32"),
        ("alexnet", 227, "float32"),  # groups
        ("timm/tf_efficientnet_lite0", 224, "float32"),  # depthwise convolutions
    ],
)
def test_auto_is_bfloat16_for_dense_networks_on_a_processor_that_has_it(name: str, side: int, expected: str) -> None:
    if name.startswith("timm/"):
        pytest.importorskip("timm")
    network = build_model(name)
    assert choose_precision("auto", CPU, network, (network.in_channels, side, side)) == expected


def test_auto_is_float32_on_a_processor_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "architecture": "x86_64"})
    assert choose_precision("auto", CPU, build_model("resnet18"), (3, 224, 224)) == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert choose_precision("auto", CPU, build_model("resnet18"), (3, 224, 224)) == "bfloat16"


def test_what_is_set_holds() -> None:
    network = build_model("resnet18")
    for setting in ("float32", "bfloat16"):
        assert choose_precision(setting, CPU, network, (3, 224, 224)) == setting


def test_a_run_writes_what_it_chose(coloured_squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "_LEAST_MACS", 1)
    settings = {"data.size": 16, "batch_size": 8, "threads": 1}
    run = hubel.train(coloured_squares, model="resnet20_cifar", epochs=2, out=tmp_path / "run", settings=settings)
    assert yaml.safe_load((run.dir / "config.yaml").read_text())["precision"] == "bfloat16"
    assert run.metrics["validation"]["accuracy"] > 0.5
    monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda: False)
    again = hubel.train(config=run.dir / "config.yaml", out=tmp_path / "again")
    assert again.bundle.read_bytes() == run.bundle.read_bytes()
