"""`hubel models compare`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.models.facts import FACTS
from typer.testing import CliRunner

from hubel.cli.models import app


def run(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["compare", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def rows_of(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in text.splitlines() if line.startswith("  ") and line.strip()}


def test_a_line_per_network_in_the_order_asked_for():
    text, _ = run("vgg16", "alexnet_owt", "googlenet", "--no-latency")
    rows = rows_of(text)
    assert list(rows) == ["name", "vgg16", "alexnet_owt", "googlenet"]
    # 15,087,080 values of 4 bytes; without the input, which makes them 15,237,608
    assert rows["vgg16"][1:9] == ["3×224×224", "16", "138.4", "M", "15.47", "G", "60.35", "MB"]
    assert rows["vgg16"][-3:] == ["71.6", "90.4", "vgg16.imagenet1k_v1"]
    assert rows["googlenet"][3:7] == ["7.00", "M", "1.58", "G"]
    place = rows["googlenet"].index("89.9")
    assert rows["googlenet"][place - 1 : place + 3] == ["–", "89.9", "paper:", "Szegedy"]
    assert "Training step: computed, not measured" in text
    assert "Latency" not in text


def test_latency_says_device_threads_and_repeats():
    text, _ = run("lenet5", "simple_cnn", "--device", "cpu", "--threads", "1", "--repeats", "3", "--batch", "4")
    assert "cpu, 1 image " in text
    assert "cpu, 4 images" in text
    assert "median of 3 forward passes" in text
    assert "1 thread on the CPU" in text
    assert rows_of(text)["lenet5"].count("ms") == 2


def test_a_column_per_device(monkeypatch: pytest.MonkeyPatch):
    from hubel.inference.latency import Latency

    def measure(network: object, input_size: object, *, device: str, batches: list[int], repeats: int) -> list[Latency]:
        seconds = {"cpu": 0.03, "cuda:0": 0.002}[device]
        return [Latency(device, batch, 2 if device == "cpu" else None, (seconds,) * repeats) for batch in batches]

    monkeypatch.setattr("hubel.evaluation.comparison.measure_latency", measure)
    monkeypatch.setattr(
        "hubel.evaluation.comparison.choose_device", lambda name: f"{name}:0" if name == "cuda" else name
    )
    text, _ = run("lenet5", "--device", "cpu", "--device", "cuda", "--device", "cpu")
    (header,) = [line for line in text.splitlines() if line.startswith("  name")]
    assert re.search(r"cpu, 1 image +cuda:0, 1 image +top-1", header)
    assert "30.0 ms (30.0–30.0)   2.00 ms (2.00–2.00)" in text
    assert "2 threads on the CPU" in text


def test_json_has_exact_numbers():
    (network,) = json.loads(run("lenet5", "--json", "--device", "cpu", "--repeats", "2", "--batch", "2")[0])
    facts = FACTS["lenet5"]
    assert (network["parameters"], network["macs"]) == (facts.parameters, facts.macs)
    assert network["accuracy"] is None
    assert (network["num_classes"], network["activation_functions"]) == (10, ["tanh"])
    memory = network["training_memory_bytes"]
    assert memory["batch"] == 2
    assert memory["total"] == sum(memory[part] for part in ("parameters", "gradients", "optimizer", "saved"))
    assert [(latency["batch"], len(latency["seconds"])) for latency in network["latencies"]] == [(1, 2), (2, 2)]
    assert network["latencies"][0]["lower_quartile"] <= network["latencies"][0]["median"]


def test_the_summary_table():
    text, _ = run("lenet5", "alexnet", "--summary")
    alexnet = rows_of(text)["alexnet"]
    assert alexnet[:7] == ["alexnet", "3×227×227", "1000", "8", "60.97", "M", "ReLU"]
    assert rows_of(text)["lenet5"][6] == "tanh"
    assert "ms" not in rows_of(text)["lenet5"]


def test_accuracy_of_the_first_weights():
    text, _ = run("resnet50", "--no-latency", "--accuracy", "first")
    assert rows_of(text)["resnet50"][-3:] == ["76.1", "92.9", "resnet50.imagenet1k_v1"]


def test_a_narrow_terminal_gets_two_tables(monkeypatch: pytest.MonkeyPatch):
    from rich.console import Console

    monkeypatch.setattr("hubel.cli.text.output", lambda: Console(width=100, markup=False, highlight=False))
    text, _ = run("resnet18", "resnet50", "--no-latency")
    assert max(map(len, text.splitlines())) <= 100
    lines = [line.split() for line in text.splitlines() if line.startswith("  resnet50")]
    assert lines[0][:3] == ["resnet50", "3×224×224", "50"]
    assert lines[1] == ["resnet50", "80.9", "95.4", "resnet50.imagenet1k_v2"]


def test_pictures(tmp_path: Path):
    picture, depth = tmp_path / "accuracy.svg", tmp_path / "depth.png"
    _, said = run("vgg16", "googlenet", "--no-latency", "--plot", str(picture), "--plot-depth", str(depth))
    assert picture.read_bytes().startswith(b"<?xml")
    assert depth.read_bytes().startswith(b"\x89PNG")
    assert f"drew {picture}; without a published top-1 accuracy on ImageNet: googlenet" in said


def test_depth_by_year_takes_no_network(tmp_path: Path):
    text, said = run("--plot-depth", str(tmp_path / "depth.svg"))
    assert text == ""
    assert f"drew {tmp_path / 'depth.svg'}" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network came: name one or more, or give --all"),
        (["resnet50", "resnet51"], "unknown model 'resnet51': did you mean resnet50"),
        (["resnet18", "--size", "0"], "Invalid value for '--size'"),
        (["lenet5", "--size", "28"], "lenet5 does not take an input of 1×28×28"),
        (["lenet5", "--device", "gpu"], "device 'gpu' is not here: this machine has cpu"),
        (["lenet5", "--plot", "picture.gif"], "'picture.gif' came for a picture: expected a name that ends in .png"),
        (["lenet5", "--no-latency", "--plot", "p.svg"], "no published top-1 accuracy on ImageNet for lenet5"),
        (["lenet5", "--repeats", "0"], "Invalid value for '--repeats'"),
        (["lenet5", "--accuracy", "bst"], "'bst' is not one of 'best', 'first', 'paper'"),
    ],
)
def test_mistakes_are_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch):
    from hubel.cli import main

    monkeypatch.setattr("sys.argv", ["hubel", "models", "compare", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    assert message in said
